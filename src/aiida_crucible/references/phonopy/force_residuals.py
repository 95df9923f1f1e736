"""Forces that force constants leave over, and the part of them that all displaced supercells have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from phonopy.structure.dataset import get_displacements_and_forces
from phonopy.utils import similarity_transformation

NOTABLE_COMMON_FORCE = 0.01
"""Of the largest force: what a crystal that was relaxed keeps on its atoms stays below."""

ROUNDS, NOTHING = 10, 1e-5
"""Fits after each of which what is left in common is taken out, until it is a negligible share of the largest force:
the second fit finds nothing more where displacements come with their opposites."""


def forces_left(phonon: Phonopy) -> NDArray[np.float64]:
    """Return what force constants leave of the forces that they were fitted to, eV/Å, shape [n_supercells, n_atoms, 3].

    :param phonon: with displacements, forces and compact force constants.
    """
    moved, forces = get_displacements_and_forces(phonon.dataset)
    assert forces is not None
    constants = compact_fc_to_full_fc(phonon.primitive, phonon.force_constants)
    return np.asarray(forces + np.einsum("ijab,kjb->kia", constants, moved, optimize=True))


def fit_without_common_force(phonon: Phonopy) -> float:
    """Fit force constants to forces and take out the forces of the undisplaced cell; return the largest of these, eV/Å.

    A crystal that was not relaxed has forces already where nothing is displaced: the same in every supercell, and of
    the crystal's symmetry. Only what has both is taken out, so that atoms in another order still show.

    :param phonon: with displacements and forces, which change where there is a common part; receives force constants.
    """
    total = np.zeros((len(phonon.supercell), 3))
    _fit(phonon)
    share = NOTABLE_COMMON_FORCE
    for _ in range(ROUNDS):
        common = _symmetrised(phonon, forces_left(phonon).mean(axis=0))
        forces = get_displacements_and_forces(phonon.dataset)[1]
        if np.abs(common).max() <= share * np.abs(forces).max():
            break
        share = NOTHING
        total += common
        phonon.dataset = _without(phonon.dataset, common)
        _fit(phonon)
    return float(np.linalg.norm(total, axis=1).max())


def _fit(phonon: Phonopy) -> None:
    fitter = None if "first_atoms" in phonon.dataset else "symfc"
    phonon.produce_force_constants(calculate_full_force_constants=False, fc_calculator=fitter, show_drift=False)


def _symmetrised(phonon: Phonopy, forces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of forces that the space group of the supercell leaves as it is and that adds up to nothing."""
    symmetry, cell = phonon.symmetry, phonon.supercell.cell.T
    mean = np.zeros(forces.shape)
    rotations, permutations = symmetry.symmetry_operations["rotations"], symmetry.atomic_permutations
    for rotation, permutation in zip(rotations, permutations, strict=True):
        mean[permutation] += forces @ similarity_transformation(cell, rotation).T
    mean /= len(permutations)
    return np.asarray(mean - mean.mean(axis=0))


def _without(dataset: dict, common: NDArray[np.float64]) -> dict:  # type: ignore[type-arg]
    if "first_atoms" not in dataset:
        return {**dataset, "forces": dataset["forces"] - common}
    entries = [{**entry, "forces": entry["forces"] - common} for entry in dataset["first_atoms"]]
    return {**dataset, "first_atoms": entries}
