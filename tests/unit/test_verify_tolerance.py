"""What the errors of numerical derivatives allow the reported values to miss."""

import numpy as np
import pytest
from ase.build import bulk

from crucible_engine.tasks.verify.derivatives.differences import Derivatives
from crucible_engine.tasks.verify.derivatives.gradients import (
    ERROR_MARGIN,
    RELATIVE_TOLERANCE,
    check_forces,
    misfit_allowed,
)
from crucible_engine.tasks.verify.probes import Probe

TRUE = np.array([0.3, -0.4, 0.5, -0.6, 0.2, 0.1])
SIZE = float(np.sqrt(np.mean(TRUE**2)))


def derivatives(factor, error, flat=False):
    """Return one probe's forces, reported times a factor, with numerical ones that err by one part in a hundred."""
    numerical = 0.01 * SIZE * np.ones(6) if flat else TRUE * (1 + 0.01 * np.array([1, -1, 1, -1, 1, -1]))
    return [Derivatives(Probe("copper", bulk("Cu") * (2, 1, 1)), numerical, factor * TRUE, np.full(6, error), 0.0)]


@pytest.mark.parametrize("factor", [1e-4, 1.0, 96.5, 1e6])
def test_relative_error_is_that_of_the_numerical_forces_whatever_the_unit(factor):
    error = 0.01 * SIZE
    found = misfit_allowed(derivatives(factor, error), 0.0)
    assert found == pytest.approx(RELATIVE_TOLERANCE + ERROR_MARGIN * 0.01, rel=0.02)


def test_forces_in_another_unit_are_a_gradient_within_the_errors():
    checks = check_forces(derivatives(96.4853, 0.01 * SIZE), True, 0.0)
    assert [check.fault for check in checks] == [None, "forces-wrong-unit", None]


def test_forces_beside_a_flat_energy_are_no_gradient():
    """The error of an energy's slope which is nothing beside it is compared with the forces that are reported."""
    found = derivatives(1.0, 0.01 * SIZE, flat=True)
    assert misfit_allowed(found, 0.0) == pytest.approx(RELATIVE_TOLERANCE + ERROR_MARGIN * 0.01)
    assert [check.fault for check in check_forces(found, True, 0.0)] == [None, None, "direct-forces"]
