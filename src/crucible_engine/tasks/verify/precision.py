"""How large the differences are that mean nothing, and whether numbers have the precision that was asked for.

Rounding, and what a model's own irreproducibility adds to it, mean nothing. Numbers that are rounded to decimals or to
fewer bits are coarser than what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check

EPSILON = {"float32": float(np.finfo(np.float32).eps), "float64": float(np.finfo(np.float64).eps)}
MARGIN = 1000.0
"""Rounding errors that a sum over atoms, neighbours and a network's layers is allowed to gather."""
SMALLEST_RELATIVE = 1e-8
"""Nothing is asked to be more equal than this; tables inside SevenNet in float64 cost it rotations beyond 1e-10."""
REPRODUCIBILITY_MARGIN = 10.0
"""How often the scatter of repeated evaluations has to be exceeded to mean something else."""

MOST_DECIMALS = 9

ROUNDING_MARGIN = 1.0
"""Rounding errors by which a decimal fraction may miss its binary representation."""

RESOLVED = 100.0
"""Rounding errors that a step must exceed to be told from them."""

BITS = {"float64": (8, 11, 24), "float32": (8, 11)}
"""Bits of the significands of bfloat16, float16 and float32 that are too few for a precision."""


@dataclass(frozen=True)
class Deviation:
    """Largest differences between pairs of evaluations that should be equal.

    :param energy: eV an atom.
    :param forces: eV/Å, of a component.
    :param stress: eV/Å³, of a component; 0 where there is none.
    """

    energy: float = 0.0
    forces: float = 0.0
    stress: float = 0.0

    @classmethod
    def of(cls, evaluation: Evaluation, other: Evaluation) -> Deviation:
        """Return the differences of two evaluations."""
        return cls(
            abs(evaluation.energy - other.energy) / len(evaluation.forces),
            float(np.abs(evaluation.forces - other.forces).max()),
            _largest(evaluation.stress - other.stress),
        )

    @classmethod
    def worst(cls, deviations: Iterable[Deviation]) -> Deviation:
        """Return the largest of each kind."""
        rows = [(item.energy, item.forces, item.stress) for item in deviations]
        # NaN where a number and a NaN were compared must not hide behind another difference.
        return cls(*(float(value) for value in np.max(rows, axis=0))) if rows else cls()

    def is_within(self, allowed: Deviation) -> bool:
        """Return whether each difference is allowed; one that is no number is not."""
        return self.energy <= allowed.energy and self.forces <= allowed.forces and self.stress <= allowed.stress

    def at_least(self, other: Deviation) -> Deviation:
        """Return the larger of each kind."""
        return Deviation.worst([self, other])


@dataclass(frozen=True)
class Precision:
    """What two evaluations that should be equal may differ by.

    :param epsilon: relative rounding error of the model's arithmetic.
    :param scatter: what evaluating the same structure again changes.
    """

    epsilon: float
    scatter: Deviation

    def tolerance(self, evaluations: Iterable[Evaluation], margin: float = MARGIN) -> Deviation:
        """Return what is allowed for these evaluations: rounding in proportion to their size, and the scatter.

        :param margin: rounding errors allowed.
        """
        scale = Deviation.worst(
            Deviation(abs(item.energy) / len(item.forces), float(np.abs(item.forces).max()), _largest(item.stress))
            for item in evaluations
        )
        relative = max(margin * self.epsilon, SMALLEST_RELATIVE)
        again = REPRODUCIBILITY_MARGIN
        return Deviation(
            relative * max(1.0, scale.energy) + again * self.scatter.energy,
            relative * max(1.0, scale.forces) + again * self.scatter.forces,
            relative * max(0.1, scale.stress) + again * self.scatter.stress,
        )


def _largest(stress: NDArray[np.float64]) -> float:
    """Return the largest component, 0 of a stress that is not there."""
    return 0.0 if np.isnan(stress).all() else float(np.abs(stress).max())


def check_resolution(bases: Sequence[Evaluation], dtype: str) -> tuple[Check, Deviation]:
    """Check that energies, forces and stresses use the digits of their precision; return how coarse they are.

    :param bases: what the model says of structures without any symmetry.
    """
    quantities = {
        "energy": np.array([base.energy for base in bases]),
        "forces": np.concatenate([base.forces.ravel() for base in bases]),
        "stress": np.concatenate([base.stress for base in bases]),
    }
    decimal = {name: decimal_step(values, dtype) for name, values in quantities.items()}
    binary = {name: binary_step(values, dtype) for name, values in quantities.items()}
    coarseness = Deviation(**decimal).at_least(Deviation(**binary))
    for steps, fault in ((decimal, "rounded-results"), (binary, "precision-below-dtype")):
        coarse = [f"{name} in steps of {step:.0e}" for name, step in steps.items() if step]
        if coarse:
            return Check("resolution", f"{', '.join(coarse)} where {dtype} was asked for").failed(fault), coarseness
    return Check("resolution", f"the numbers use the digits of {dtype}"), coarseness


def decimal_step(values: NDArray[np.float64], dtype: str) -> float:
    """Return the power of ten that all values are multiples of, 0 where there is none.

    :param values: shape [n]; zeros and NaN do not count.
    """
    values = _telling(values)
    if not len(values):
        return 0.0
    rounding = EPSILON[dtype] * np.abs(values)
    for decimals in range(MOST_DECIMALS + 1):
        step = 10.0**-decimals
        if step <= RESOLVED * rounding.max():
            break
        if (np.abs(values - np.round(values, decimals)) <= ROUNDING_MARGIN * rounding).all():
            return step
    return 0.0


def binary_step(values: NDArray[np.float64], dtype: str) -> float:
    """Return the rounding step of the largest value if all values have too few bits, 0 otherwise."""
    values = _telling(values)
    if not len(values):
        return 0.0
    significands, _ = np.frexp(values)
    for bits in BITS[dtype]:
        scaled = np.ldexp(significands, bits)
        if np.array_equal(scaled, np.round(scaled)):
            return float(np.abs(values).max() * 2.0**-bits)
    return 0.0


def _telling(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values[np.isfinite(values) & (values != 0)])
