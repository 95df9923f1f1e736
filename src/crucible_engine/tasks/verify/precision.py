"""How large the differences are that mean nothing: rounding, and what a model's own irreproducibility adds to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation

EPSILON = {"float32": float(np.finfo(np.float32).eps), "float64": float(np.finfo(np.float64).eps)}
MARGIN = 1000.0
"""Rounding errors that a sum over atoms, neighbours and a network's layers is allowed to gather."""
SMALLEST_RELATIVE = 1e-8
"""Nothing is asked to be more equal than this; tables inside SevenNet in float64 cost it rotations beyond 1e-10."""
REPRODUCIBILITY_MARGIN = 10.0
"""How often the scatter of repeated evaluations has to be exceeded to mean something else."""


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

        :param evaluations: the ones that are compared.
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
