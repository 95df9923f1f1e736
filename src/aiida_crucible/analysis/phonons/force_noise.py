"""How noisy a model's forces are, measured on the supercells of a phonon calculation itself.

Symmetry says what some forces must be: those on equivalent atoms are rotations of one another, an opposite
displacement that a rotation maps on the first one must give the rotated forces, and the net force is zero. What a
model's forces miss this by is noise: rounding of single-precision arithmetic, broken equivariance, direct forces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.phonons.force_constants import Displacement, DisplacementForces, DisplacementPlan


@dataclass(frozen=True)
class ForceNoise:
    """Standard deviations of a force component, eV/Å, each by another measure; ``None`` where there is no such one.

    :param ideal: from the ideal supercell: forces against their average over the space group.
    :param displaced: from the supercells of the principal amplitude: forces against their average over the site group
        of the displacement.
    :param mirrored: from a displacement against its opposite, where a symmetry operation maps one on the other.
    :param drift: from the net force of those supercells, taken as a sum of independent errors.
    :param even: half the sum of the forces at +u and -u, less those at zero: noise plus the even part of the
        anharmonicity, which the force constants do not see. An upper bound, and no part of the floor.
    """

    ideal: float | None
    displaced: float | None
    mirrored: float | None
    drift: float
    even: float | None

    @property
    def floor(self) -> float:
        """The largest of the measures, eV/Å."""
        measures = (self.ideal, self.displaced, self.mirrored, self.drift)
        return max(measure for measure in measures if measure is not None)


class SupercellSymmetry:
    """The space group of a supercell as it acts on forces."""

    def __init__(self, phonon: Phonopy) -> None:
        columns = phonon.supercell.cell.T
        rotations = phonon.symmetry.symmetry_operations["rotations"]
        self.rotations: NDArray[np.float64] = columns @ rotations @ np.linalg.inv(columns)
        """Cartesian, shape [n_operations, 3, 3]."""
        self.permutations: NDArray[np.int64] = phonon.symmetry.atomic_permutations
        """Operation k sends atom i onto ``permutations[k, i]``; shape [n_operations, n_atoms]."""

    def mapping(self, displacement: Displacement, image: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the operations that keep the displaced atom in place and turn its displacement into ``image``."""
        in_place = self.permutations[:, displacement.atom] == displacement.atom
        turned = self.rotations @ displacement.vector
        length = np.linalg.norm(displacement.vector)
        return np.flatnonzero(in_place & (np.linalg.norm(turned - image, axis=1) < 1e-3 * length))

    def transform(self, operation: int, forces: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the forces, shape [n_atoms, 3], as one operation moves and rotates them."""
        moved = np.empty_like(forces)
        moved[self.permutations[operation]] = forces @ self.rotations[operation].T
        return moved

    def residual(self, forces: NDArray[np.float64], operations: NDArray[np.int64]) -> tuple[float, float]:
        """Return what forces miss the symmetry of a group by: the sum of squares and its degrees of freedom.

        :param forces: eV/Å, shape [n_atoms, 3].
        :param operations: the group, as indices; averaging over it is a projection, whose rank is its trace.
        """
        average = np.zeros_like(forces)
        trace = 0.0
        for operation in operations:
            average += self.transform(operation, forces)
            fixed = np.count_nonzero(self.permutations[operation] == np.arange(len(forces)))
            trace += fixed * float(np.trace(self.rotations[operation]))
        average /= len(operations)
        return float(((forces - average) ** 2).sum()), forces.size - round(trace / len(operations))


def measure_force_noise(phonon: Phonopy, plan: DisplacementPlan, forces: DisplacementForces) -> ForceNoise:
    """Return the noise of the forces that the supercells of ``plan`` got.

    :param forces: their forces, finite.
    """
    symmetry = SupercellSymmetry(phonon)
    every_operation = np.arange(len(symmetry.permutations))
    displaced = [
        symmetry.residual(force, symmetry.mapping(displacement, displacement.vector))
        for displacement, force in zip(plan.sets[0], forces.sets[0], strict=True)
    ]
    everything = np.concatenate([forces.ideal[None], forces.sets[0]])
    return ForceNoise(
        ideal=_deviation([symmetry.residual(forces.ideal, every_operation)]),
        displaced=_deviation(displaced),
        mirrored=_mirrored(symmetry, plan, forces),
        drift=float(np.sqrt((everything.sum(axis=1) ** 2).mean() / everything.shape[1])),
        even=_even(plan, forces),
    )


def _deviation(residuals: list[tuple[float, float]]) -> float | None:
    squares, freedoms = np.sum(residuals, axis=0)
    return float(np.sqrt(squares / freedoms)) if freedoms > 0 else None


def _mirrored(symmetry: SupercellSymmetry, plan: DisplacementPlan, forces: DisplacementForces) -> float | None:
    if plan.mirrored is None or forces.mirrored is None:
        return None
    for displacement, force in zip(plan.sets[0], forces.sets[0], strict=True):
        if displacement.atom == plan.mirrored.atom and np.allclose(displacement.vector, -plan.mirrored.vector):
            operations = symmetry.mapping(displacement, plan.mirrored.vector)
            if len(operations) == 0:
                return None
            difference = forces.mirrored - symmetry.transform(int(operations[0]), force)
            # Both sides carry the noise, hence the factor of two.
            return float(np.sqrt((difference**2).mean() / 2))
    return None


def _even(plan: DisplacementPlan, forces: DisplacementForces) -> float | None:
    parts = []
    for index, one in enumerate(plan.sets[0]):
        for other, opposite in enumerate(plan.sets[0][:index]):
            if opposite.atom == one.atom and np.allclose(opposite.vector, -one.vector):
                parts.append((forces.sets[0][index] + forces.sets[0][other]) / 2 - forces.ideal)
    return float(np.sqrt(np.mean(np.square(parts)))) if parts else None
