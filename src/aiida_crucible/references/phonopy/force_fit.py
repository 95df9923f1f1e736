"""Force constants fitted to forces: whether displacements determine them, and whether they give the forces back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.compat.phonopy import (
    Symfc,
    SymfcAtoms,
    compact_fc_to_full_fc,
    get_displacements_and_forces,
    random_force_constants,
    similarity_transformation,
)

NOTABLE_RESIDUAL, LARGEST_RESIDUAL = 0.03, 0.1
"""Of the largest force: by how much force constants may miss one, without a warning, and at most: anharmonicity and
noise stay below the second at displacements of up to 0.03 Å, atoms in another order are mostly above it."""

LARGEST_RESIDUAL_AT_TEMPERATURE = 0.5
"""The same of displacements of all atoms, which may be those of a hot crystal: much of their forces is anharmonic."""

LARGEST_DISPLACEMENT = 0.2
"""Å, root mean square: beyond it forces are not harmonic, whatever the order of the atoms."""

LARGEST_FIT_ERROR = 1e-3
"""Of the largest force constant; what is determined is found again to many more digits."""

SMALLEST_ANGLE = 1e-2
"""By which displacements must differ in direction (as a ratio of singular values) to be independent."""


Change = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def check_displacements(path: Path, phonon: Phonopy) -> None:
    """Refuse displacements that do not determine force constants under the symmetry of the crystal.

    :param phonon: with its cells and displacements.
    :raises ValueError: one line that names what is missing.
    """
    if "first_atoms" in phonon.dataset:
        _check_single(path, phonon)
    else:
        _check_all(path, phonon, get_displacements_and_forces(phonon.dataset)[0])


def check_fit(path: Path, phonon: Phonopy, has_drift: bool) -> list[str]:
    """Return a warning where force constants do not reproduce the forces that they were fitted to.

    :param phonon: with displacements, forces and force constants as they come.
    :param has_drift: whether the forces are known to miss the sum of zero, which no force constants reproduce.
    :raises ValueError: one line, if they leave so much that the forces are of other atoms, or not harmonic.
    """
    moved, forces = get_displacements_and_forces(phonon.dataset)
    assert forces is not None
    residual = residual_forces(phonon)
    share = float(np.abs(residual).max() / max(np.abs(forces).max(), np.finfo(float).tiny))
    if share <= NOTABLE_RESIDUAL:
        return []
    said = f"the force constants miss forces in {path.name} by up to {share:.2g} of the largest one"
    lengths = np.linalg.norm(moved, axis=2)
    typical = float(np.sqrt((lengths[lengths > 0] ** 2).mean()))
    if typical > LARGEST_DISPLACEMENT:
        why = f"displacements are {typical:.2g} Å (root mean square), where forces are not harmonic"
        advice = "give smaller ones"
    else:
        why = "its atoms come in another order than phonopy's, or the supercell is another"
        advice = ""
    largest = LARGEST_RESIDUAL if "first_atoms" in phonon.dataset else LARGEST_RESIDUAL_AT_TEMPERATURE
    if share > largest and not has_drift:
        raise ValueError(f"{said}: {why}{advice and ': '}{advice}")
    if typical > LARGEST_DISPLACEMENT:
        return [f"{said}: {why}"]
    return [f"{said}: displacements are large, or some atoms come in another order than phonopy's"]


def _check_single(path: Path, phonon: Phonopy) -> None:
    """Refuse single displaced atoms whose displacements, turned by their sites' symmetry, leave out a direction.

    phonopy would take the force constants of that direction for zero.
    """
    symmetry, supercell = phonon.symmetry, phonon.supercell
    displaced: dict[int, list[NDArray[np.float64]]] = {}
    for entry in phonon.dataset["first_atoms"]:
        displaced.setdefault(int(entry["number"]), []).append(np.asarray(entry["displacement"], dtype=float))
    under = f"under the symmetry found at {symmetry.tolerance:g} Å"
    orbits = symmetry.get_map_atoms()
    left_out = sorted(set(symmetry.get_independent_atoms().tolist()) - {int(orbits[atom]) for atom in displaced})
    if left_out:
        raise ValueError(
            f"{path.name} displaces no atom that is equivalent to {supercell.symbols[left_out[0]]} (atom "
            f"{left_out[0] + 1} of the supercell) {under}, so that force constants are undetermined: give the symmetry "
            "tolerance that the displacements were made with, or those that are missing"
        )
    for atom, vectors in displaced.items():
        turns = [similarity_transformation(supercell.cell.T, turn) for turn in symmetry.get_site_symmetry(atom)]
        sizes = np.linalg.svd(np.concatenate([np.array(vectors) @ turn.T for turn in turns]), compute_uv=False)
        rank = int((sizes > SMALLEST_ANGLE * sizes[0]).sum())
        if rank < 3:
            raise ValueError(
                f"the displacements in {path.name} leave force constants undetermined: those of "
                f"{supercell.symbols[atom]} (atom {atom + 1} of the supercell) span {rank} of 3 directions {under}: "
                "give the symmetry tolerance that they were made with, or those that are missing"
            )


def _check_all(path: Path, phonon: Phonopy, displacements: NDArray[np.float64]) -> None:
    """Refuse displacements of all atoms that do not determine force constants.

    Any force constants that the symmetry allows have to be found again from the forces that they give.
    """
    cell, symmetry = phonon.supercell, phonon.symmetry
    solver = Symfc(
        SymfcAtoms(cell=cell.cell, scaled_positions=cell.scaled_positions, numbers=cell.numbers),
        spacegroup_operations=symmetry.symmetry_operations,
        symprec=symmetry.tolerance,
    )
    solver.compute_basis_set(2)
    true, n_independent = random_force_constants(solver, len(cell))
    solver.displacements = np.ascontiguousarray(displacements)
    solver.forces = -np.einsum("ijab,kjb->kia", true, displacements)
    solver.solve(max_order=2, is_compact_fc=False)
    off = float(np.abs(solver.force_constants[2] - true).max() / np.abs(true).max())
    if not off < LARGEST_FIT_ERROR:
        raise ValueError(
            f"the {len(displacements)} displaced supercells in {path.name} do not determine the {n_independent} force "
            f"constants of this crystal (symmetry found at {symmetry.tolerance:g} Å): give more of them"
        )


NOTABLE_COMMON_FORCE = 0.01
"""Of the largest force: what a crystal that was relaxed keeps on its atoms stays below."""

ROUNDS, NOTHING = 10, 1e-5
"""Fits after each of which what is left in common is taken out, until it is a negligible share of the largest force:
the second fit finds nothing more where displacements come with their opposites."""


def residual_forces(phonon: Phonopy) -> NDArray[np.float64]:
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
        common = _symmetrised(phonon, residual_forces(phonon).mean(axis=0))
        forces = get_displacements_and_forces(phonon.dataset)[1]
        if np.abs(common).max() <= share * np.abs(forces).max():
            break
        share = NOTHING
        total += common
        phonon.dataset = with_numbers(phonon.dataset, np.array, partial(np.add, -common))
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


def with_numbers(dataset: dict[str, Any], moved: Change, forced: Change) -> dict[str, Any]:
    """Return displacements and forces in phonopy's form, of either kind, with other numbers.

    :param moved: returns other displacements.
    :param forced: returns other forces, of one supercell or of all, shape [..., n_atoms, 3].
    """
    if "first_atoms" not in dataset:
        displacements, forces = moved(np.array(dataset["displacements"])), forced(np.array(dataset["forces"]))
        return {"displacements": displacements, "forces": forces}
    entries = [
        {
            **entry,
            "displacement": moved(np.array(entry["displacement"])),
            "forces": forced(np.array(entry["forces"])),
        }
        for entry in dataset["first_atoms"]
    ]
    return {**dataset, "first_atoms": entries}
