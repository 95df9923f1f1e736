"""Force constants of forces on displaced supercells, in eV/Å whatever the program's units are."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.compat.phonopy import CalculatorPhysicalUnits
from aiida_crucible.references.foreign_files import explained
from aiida_crucible.references.phonopy.force_fit import (
    check_displacements,
    check_fit,
    fit_without_common_force,
    with_numbers,
)
from crucible_engine.wire.rules import first_line

LARGEST_DRIFT = 1e-3
"""eV/Å an atom by which the forces of a supercell may miss the sum of zero without a warning."""


def has_forces(dataset: dict[str, Any] | None) -> bool:
    """Return whether displacements come with forces."""
    if not dataset:
        return False
    return "forces" in dataset or all("forces" in entry for entry in dataset.get("first_atoms", [{}]))


def put_forces(
    phonon: Phonopy, path: Path, dataset: dict[str, Any], units: CalculatorPhysicalUnits, warnings: list[str]
) -> dict[str, float]:
    """Fit force constants to forces and return what is to be known of these.

    :param phonon: with its cells; receives displacements, forces and force constants.
    :param dataset: displacements and forces in phonopy's form and the program's units.
    :param warnings: receives one line for each thing that is strange.
    :return: ``largest_force_drift``, the largest sum of a supercell's forces, and ``common_force``, the largest force
        that was taken out because all supercells have it, eV/Å.
    :raises ValueError: one line that names the file, if forces are of other cells or do not determine force constants.
    """
    n_atoms = len(phonon.supercell)
    if "first_atoms" in dataset and dataset["natom"] != n_atoms:
        raise ValueError(
            f"{path.name} holds forces on {dataset['natom']} atoms, but the supercell has {n_atoms}: give the "
            "supercell that they were computed in"
        )
    with explained(path):
        length, force = units.distance_to_A, units.force_to_eVperA
        dataset = with_numbers(dataset, partial(np.multiply, length), partial(np.multiply, force))
    forces = _forces_in(dataset)
    _check_forces(path, forces, n_atoms)
    drifts = np.array([np.linalg.norm(force.sum(axis=0)) for force in forces])
    worst = int(np.argmax(drifts))
    has_drift = bool(drifts[worst] > LARGEST_DRIFT * n_atoms)
    if has_drift:
        warnings.append(f"the forces of displaced supercell {worst} in {path.name} add up to {drifts[worst]:.3g} eV/Å")
    common = _fit(phonon, path, dataset)
    if common:
        warnings.append(
            f"the forces in {path.name} hold up to {common:.3g} eV/Å that all displaced supercells have in common: the "
            "crystal was not relaxed, and they were taken out"
        )
    warnings += check_fit(path, phonon, has_drift)
    return {"largest_force_drift": float(drifts[worst]), "common_force": common}


def _forces_in(dataset: dict[str, Any]) -> list[NDArray[np.float64]]:
    if "first_atoms" in dataset:
        return [entry["forces"] for entry in dataset["first_atoms"]]
    return list(dataset["forces"])


def _check_forces(path: Path, forces: list[NDArray[np.float64]], n_atoms: int) -> None:
    for index, force in enumerate(forces):
        if force.shape != (n_atoms, 3):
            what = f"of shape {force.shape}, not {(n_atoms, 3)}"
            raise ValueError(f"{path.name} holds forces {what} in displaced supercell {index}")
        if not np.isfinite(force).all():
            raise ValueError(f"{path.name} holds forces that are not finite in displaced supercell {index}")


def _fit(phonon: Phonopy, path: Path, dataset: dict[str, Any]) -> float:
    try:
        phonon.dataset = dataset
    except Exception as error:
        raise ValueError(f"phonopy takes no displacements of {path.name}: {first_line(error)}") from error
    check_displacements(path, phonon)
    try:
        return fit_without_common_force(phonon)
    except Exception as error:
        raise ValueError(
            f"phonopy finds no force constants for the forces in {path.name}: its atoms come in another order, "
            "displacements are missing, or the supercell is another"
        ) from error
