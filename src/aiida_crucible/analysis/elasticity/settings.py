"""How to strain cells and what to make of them: tables of settings, with defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.elasticity.elastic_tensor import CUBIC, LINEAR
from aiida_crucible.analysis.elasticity.equation_of_state import FORMS
from aiida_crucible.analysis.elasticity.strains import LAGRANGIAN, MEASURES
from crucible_engine.wire.rules import Parameter, ParameterError, complete, normalise_entries, shown

STRAIN = Parameter(float, 0.01, "a strain, applied with both signs", 1e-5, 0.2)
SYMMETRY_TOLERANCE = Parameter(float, 1e-3, "distance tolerance of the symmetry search, Å", 0.0, 1.0, exclusive=True)
MODULUS_TOLERANCE = Parameter(
    float, 0.15, "relative deviation of a modulus from the reference that is allowed", 0.0, 10.0
)

EQUATION_OF_STATE: dict[str, Parameter] = {
    "form": Parameter(str, "birch-murnaghan", "of the curve", choices=tuple(FORMS)),
    "largest_strain": Parameter(
        float, 0.03, "of the cell's lengths, both ways; volumes change by three times as much", 0.001, 0.2
    ),
    "n_points": Parameter(int, 11, "volumes, evenly spaced in the lengths", 8, 1000),
    "largest_residual": Parameter(
        float, 0.01, "distance from the curve, a share of the energies' range, beyond which it describes them not", 0, 1
    ),
    "pressure_tolerance": Parameter(
        float, 0.02, "difference of the pressures by stress and by the curve, a share of the bulk modulus", 0.0, 10.0
    ),
    "volume_tolerance": Parameter(
        float, 0.06, "relative deviation of the volume from the reference that is allowed", 0.0, 1.0
    ),
    "modulus_tolerance": MODULUS_TOLERANCE,
    "derivative_tolerance": Parameter(
        float, 0.3, "relative deviation of the bulk modulus' derivative from the reference that is allowed", 0.0, 10.0
    ),
}

ELASTIC: dict[str, Parameter] = {
    "ions": Parameter(
        str, "relaxed", "in the strained cells: relaxed, or moved with the cell", choices=("relaxed", "clamped")
    ),
    "measure": Parameter(str, LAGRANGIAN, "of strain and stress", choices=MEASURES),
    "normal_strains": Parameter(list, [0.005, 0.01], "sizes, each with both signs"),
    "shear_strains": Parameter(list, [0.005, 0.01], "sizes of the tensor's components, half the engineering shears"),
    "fit_order": Parameter(int, CUBIC, "of the polynomial through the stresses: 1, or 3 with two sizes", 1, 3),
    "symmetry_tolerance": SYMMETRY_TOLERANCE,
    "largest_error": Parameter(
        float, 0.1, "of a component, a share of the largest one, beyond which the tensor is not known", 0.0, 10.0
    ),
    "modulus_tolerance": MODULUS_TOLERANCE,
    "ratio_tolerance": Parameter(float, 0.05, "deviation of Poisson's ratio from the reference that is allowed", 0, 1),
}


def validate_equation_of_state(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of an equation of state complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    return complete("an equation of state", EQUATION_OF_STATE, given)


def validate_elastic(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of an elastic tensor complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    what = "an elastic tensor"
    settings = complete(what, ELASTIC, given)
    for name in ("normal_strains", "shear_strains"):
        sizes = normalise_entries(what, name, STRAIN, settings[name])
        if not sizes or len(set(sizes)) < len(sizes):
            raise ParameterError(f"parameter {name!r} of {what} is {shown(sizes)}: give sizes that differ, e.g. [0.01]")
        if settings["fit_order"] == CUBIC and len(sizes) < 2:
            raise ParameterError(f"parameter {name!r} of {what} is {shown(sizes)}: a cubic takes two sizes at least")
        settings[name] = sizes
    if settings["fit_order"] not in (LINEAR, CUBIC):
        raise ParameterError(f"parameter 'fit_order' of {what} is {settings['fit_order']}: give 1 or 3")
    return settings
