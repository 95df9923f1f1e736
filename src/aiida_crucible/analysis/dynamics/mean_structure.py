"""The time-averaged structure of a run and its space group.

How coarse the search for symmetry has to be follows from the run: the mean place of an atom whose mean square
displacement is ⟨u²⟩ along an axis, over n independent samples, has a standard error of s = √(⟨u²⟩ / n). A symmetry
operation takes one place to another by a translation that is itself read off two places, so that what should be zero
has noise of 2 s along each axis. A Gaussian vector of three components of unit variance is longer than √3 + t with a
probability below exp(-t²/2): with a probability p of less than 1 % any of m atoms exceeds the noise bound
b = 2 s (√3 + √(2 ln(m / p))). (Cubic PbTiO3 with noise planted on its five atoms needs 10.5 s in 99 of 100 cases, which
is that b.)

The tolerance is 2 b, so that half of it is still above the noise and a space group that changes there means a
distortion that is hardly resolved. Where that would exceed 0.1 Å, what can be resolved is worth more than a safe half,
and the tolerance goes down to b.

Averaging over the unit cells of a supercell makes the noise of independent vibrations smaller still, but not that of a
soft mode in which all cells move together: its error is measured on the mean cell's own motion, and the larger counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.cells import space_group
from aiida_crucible.analysis.crystal.displacements import centred_differences
from aiida_crucible.analysis.crystal.mapping import CrystalMapping
from aiida_crucible.analysis.crystal.neighbours import nearest_distances
from aiida_crucible.analysis.statistics.averages import standard_errors

FALSE_ALARM = 0.01
"""Probability that noise alone hides a symmetry."""

GENEROUS_TOLERANCE = 0.1
"""Å: up to here a tolerance is twice the noise."""

FINEST_TOLERANCE = 1e-3
"""Å: single-precision positions and spglib's own arithmetic make a finer search pointless."""

COARSEST_SHARE = 0.25
"""Share of the shortest distance between atoms up to which a tolerance still tells one structure from another."""


@dataclass(frozen=True)
class MeanStructure:
    """The mean structure and its space group."""

    atoms: Atoms
    """The mean unit cell, or the mean supercell where its unit cells differ by more than noise."""
    folded: bool
    """Whether ``atoms`` is the unit cell."""
    tolerance: float
    """Å: of the symmetry search."""
    space_group: str | None
    """As ``P4mm (99)``; ``None`` if the noise is too large for any."""
    at_half_tolerance: str | None
    at_double_tolerance: str | None
    largest_deviation: float
    """Å: how far an atom of a unit cell lies from the mean of its copies in the others, at most."""
    reason: str
    """One line on how the tolerance and the cell came about."""

    @property
    def robust(self) -> bool:
        """Whether the space group is the same at half and at double the tolerance."""
        return self.space_group is not None and (self.space_group == self.at_half_tolerance == self.at_double_tolerance)


def mean_structure(
    mean_positions: NDArray[np.floating],
    mean_cell: NDArray[np.floating],
    mean_square_displacements: NDArray[np.floating],
    unit_cell: Atoms,
    sites: CrystalMapping,
    *,
    n_independent: float,
    collective_error: float = 0.0,
    length_error: float = 0.0,
) -> MeanStructure:
    """Fold a time-averaged supercell into its unit cell, if it may be, and find the space group.

    :param mean_positions: in the mean cell, Å, shape [n_atoms, 3].
    :param mean_cell: of the supercell, Å, shape [3, 3].
    :param mean_square_displacements: around the mean, along each axis, Å², shape [n_atoms, 3].
    :param n_independent: how many independent samples the means are worth (:func:`independent_samples`).
    :param collective_error: standard error of places in the unit cell averaged over all cells, Å
        (:func:`collective_error`).
    :param length_error: standard error of the mean unit cell's lengths, Å
        (:attr:`~aiida_crucible.analysis.dynamics.lattice_series.LatticeSeries.length_error`).
    :raises ValueError: one line, if shapes do not fit, numbers are not finite, or there is no sample.
    """
    positions, cell, squares = _checked(mean_positions, mean_cell, mean_square_displacements, len(sites.unit_atoms))
    if not n_independent >= 1:
        raise ValueError(f"{n_independent} independent samples: a mean needs at least one")
    reference = sites.of_phase(unit_cell)
    scaled = positions @ np.linalg.inv(cell)
    # From here on in coordinates of the unit cell: how far each atom is from its site in the reference.
    differences = centred_differences(scaled, reference.get_scaled_positions(wrap=False)) @ sites.matrix
    mean_unit_cell = np.linalg.inv(sites.matrix) @ cell
    folded = differences[sites.by_cell].mean(axis=0)
    deviations = np.linalg.norm((differences - folded[sites.unit_atoms]) @ mean_unit_cell, axis=1)

    error = sqrt(float(squares.max()) / n_independent)
    noise = max(_noise_bound(error, len(positions)), FINEST_TOLERANCE)
    folds = bool(deviations.max() <= noise)
    if folds:
        places = unit_cell.get_scaled_positions(wrap=False) + folded
        masses = unit_cell.get_masses()
        atoms = Atoms(unit_cell.numbers, masses=masses, scaled_positions=places, cell=mean_unit_cell, pbc=True)
        tolerance = _tolerance(max(error / sqrt(sites.n_cells), collective_error), len(unit_cell), length_error)
        cells = f"{sites.n_cells} unit cells agree within {deviations.max():.3f} Å and are averaged"
    else:
        masses = reference.get_masses()
        atoms = Atoms(reference.numbers, masses=masses, scaled_positions=scaled, cell=cell, pbc=True)
        tolerance = _tolerance(max(error, collective_error), len(positions), length_error * sites.n_cells ** (1 / 3))
        cells = f"unit cells differ by {deviations.max():.3f} Å, more than noise ({noise:.3f} Å)"
    reason = (
        f"{cells}; tolerance {tolerance:.4f} Å from an amplitude of {sqrt(float(squares.max())):.3f} Å, "
        f"{n_independent:.0f} independent samples, and errors of {collective_error:.4f} Å in the mean cell and "
        f"{length_error:.4f} Å in its lengths"
    )
    return _with_space_group(atoms, folds, tolerance, float(deviations.max()), reason)


def independent_samples(inefficiencies: NDArray[np.floating], n_frames: int) -> float:
    """Return how many independent samples the mean places of atoms are worth, for the slower of their motions.

    :param inefficiencies: statistical inefficiency of every coordinate, any shape
        (:func:`~aiida_crucible.analysis.statistics.averages.statistical_inefficiencies` of the displacements).
    """
    return max(1.0, n_frames / float(np.quantile(inefficiencies, 0.9)))


def collective_error(u: NDArray[np.floating], sites: CrystalMapping) -> float:
    """Return the largest standard error of a place in the mean unit cell, Å, slow modes of all cells included.

    :param u: displacements of the averaged part of the run, Å, shape [n_frames, n_atoms, 3].
    """
    if len(u) < 2:
        return 0.0
    atoms = [u[:, sites.by_cell[:, atom]].mean(axis=1, dtype=float) for atom in range(sites.by_cell.shape[1])]
    return float(standard_errors(np.concatenate(atoms, axis=1)).max())


def _with_space_group(atoms: Atoms, folded: bool, tolerance: float, deviation: float, reason: str) -> MeanStructure:
    coarsest = COARSEST_SHARE * float(nearest_distances(atoms).min())
    if tolerance > coarsest:
        reason += f", which exceeds {coarsest:.2f} Å, a quarter of the shortest distance: no space group can be told"
        return MeanStructure(atoms, folded, tolerance, None, None, None, deviation, reason)
    found, half, double = (_found(atoms, tolerance * factor) for factor in (1.0, 0.5, 2.0))
    return MeanStructure(atoms, folded, tolerance, found, half, double, deviation, reason)


def _tolerance(error: float, n_atoms: int, length_error: float) -> float:
    """Return the tolerance for places known to ``error`` along each axis and lengths known to ``length_error``, Å."""
    # Three lengths and three angles: differences of two numbers each.
    of_lengths = sqrt(2) * length_error * sqrt(2 * log(6 / FALSE_ALARM))
    bound = max(_noise_bound(error, n_atoms), of_lengths)
    return max(bound, min(2 * bound, GENEROUS_TOLERANCE), FINEST_TOLERANCE)


def _noise_bound(error: float, n_atoms: int) -> float:
    """Return b of the module's docstring, Å."""
    return 2 * error * (sqrt(3) + sqrt(2 * log(n_atoms / FALSE_ALARM)))


def _found(atoms: Atoms, tolerance: float) -> str | None:
    try:
        return space_group(atoms, tolerance)
    except ValueError:
        return None


def _checked(
    mean_positions: NDArray[np.floating],
    mean_cell: NDArray[np.floating],
    mean_square_displacements: NDArray[np.floating],
    n_atoms: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    positions, cell = np.asarray(mean_positions, dtype=float), np.asarray(mean_cell, dtype=float)
    squares = np.asarray(mean_square_displacements, dtype=float)
    shapes = {"mean positions": (positions, (n_atoms, 3)), "mean cell": (cell, (3, 3))}
    shapes["mean square displacements"] = (squares, (n_atoms, 3))
    for name, (array, expected) in shapes.items():
        if array.shape != expected:
            raise ValueError(f"{name} of shape {array.shape}: give {expected}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} are not finite: a run that failed has no mean structure")
    return positions, cell, squares
