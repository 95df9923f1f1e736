"""What the checks of the conformance suite share: a case with its models, comparisons, and the list of the checks."""

from pathlib import Path

import numpy as np
from conformance_cases import load, reference, structures

from crucible_engine.families.load import load_model
from crucible_engine.families.registry import FAMILIES
from crucible_engine.wire.schema import EngineError

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
CHECKS = {}


def check(function):
    """Register a check; its first line of documentation is what a report calls it."""
    CHECKS[function.__name__] = function
    return function


class Suite:
    """A case with its models loaded once for each precision."""

    def __init__(self, case, folder):
        self.case, self.folder = case, Path(folder)
        self.family = FAMILIES[case.family]
        self.structures = structures(case)
        self._models = {}

    def model(self, dtype="float64"):
        if dtype not in self._models:
            self._models[dtype] = load(self.case, self.folder, dtype)
        return self._models[dtype]

    def refuse(self, condition, dtype="float64", **changes):
        """Return the message with which the reference, so changed, is refused for one of the right reasons."""
        try:
            load_model(reference(self.case, self.folder, dtype, **changes), "cpu")
        except EngineError as error:
            allowed = condition if isinstance(condition, set) else {condition}
            assert error.condition in allowed, f"{error.condition}: {error.message}"
            assert "\n" not in error.message and len(error.message) < 400, error.message
            return error.message
        raise AssertionError(f"loaded, though {condition} was due")


def agree(found, wanted, tolerance, what):
    """Compare per atom and eV/Å, relative where the numbers are large."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    difference = np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())
    assert difference <= tolerance, f"{what} differs by {difference:.1e}, allowed are {tolerance:.0e}"


def agree_with_calculator(calculator, atoms, evaluation, tolerance):
    agree(evaluation.energy / len(atoms), calculator.get_property("energy", atoms) / len(atoms), tolerance, "energy")
    agree(evaluation.forces, calculator.get_property("forces", atoms), tolerance, "forces")
    stress = np.asarray(calculator.get_property("stress", atoms))
    if stress.shape == (3, 3):  # CHGNet's calculator returns a matrix
        stress = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    agree(evaluation.stress, stress, tolerance, "stress")
