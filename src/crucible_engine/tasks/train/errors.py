"""Errors of a model on labelled structures: on each side, of each element, and by the size of the force."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from crucible_engine.wire.labels import Labels
from crucible_engine.wire.training import SIDES

Array = NDArray[np.float64]

ERROR = "mean_absolute_error"

FORCE_SIZES = (0.0, 0.5, 1.0, 2.0, 5.0, float("inf"))
"""eV/Å: limits of the norms of labels' forces by which errors are told apart."""


def measure_errors(
    labels: Labels, predicted: Mapping[str, Array], numbers: NDArray[np.int64], n_atoms: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the errors on each side that has structures.

    :param predicted: ``energies`` [n], ``forces`` [n_atoms_total, 3] and perhaps ``stresses`` [n, 6], as labels.
    :param numbers: atomic numbers, shape [n_atoms_total].
    :param n_atoms: of each structure, shape [n].
    :return: by side ``n_structures``, and ``energy`` (eV/atom), ``force`` (eV/Å, a component) and, where there are
        labels, ``stress`` (eV/Å³, a component), each with ``mean_absolute_error`` and ``root_mean_square_error``;
        ``by_element`` and ``by_force_size`` (``0.5-1`` eV/Å …) those of forces with ``n_atoms``.
    """
    owners = np.repeat(np.arange(len(n_atoms)), n_atoms)
    found = {}
    for number, side in enumerate(SIDES):
        chosen = labels.sides == number
        if chosen.any():
            found[side] = _of_side(labels, predicted, (chosen, chosen[owners]), numbers, n_atoms)
    return found


def _of_side(
    labels: Labels,
    predicted: Mapping[str, Array],
    chosen: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    numbers: NDArray[np.int64],
    n_atoms: NDArray[np.int64],
) -> dict[str, Any]:
    structures, atoms = chosen
    energies = ((predicted["energies"] - labels.energies) / n_atoms)[structures]
    forces = (predicted["forces"] - labels.forces)[atoms]
    sizes = np.linalg.norm(labels.forces[atoms], axis=1)
    found: dict[str, Any] = {
        "n_structures": int(structures.sum()),
        "energy": _error(energies),
        "force": _error(forces),
        "by_element": {
            chemical_symbols[number]: _counted(forces[numbers[atoms] == number]) for number in np.unique(numbers[atoms])
        },
        "by_force_size": {
            f"{low:g}-{high:g}": _counted(forces[(sizes >= low) & (sizes < high)])
            for low, high in itertools.pairwise(FORCE_SIZES)
            if ((sizes >= low) & (sizes < high)).any()
        },
    }
    if "stresses" in predicted:
        stresses = (predicted["stresses"] - labels.stresses)[structures]
        if np.isfinite(stresses).any():
            found["stress"] = _error(stresses[np.isfinite(stresses)])
    return found


def _error(differences: Array) -> dict[str, float | None]:
    """Return errors; ``None`` where the model gave something else than finite numbers, which JSON has not."""
    if not np.isfinite(differences).all():
        return {ERROR: None, "root_mean_square_error": None}
    return {
        ERROR: float(np.abs(differences).mean()),
        "root_mean_square_error": float(np.sqrt((differences**2).mean())),
    }


def _counted(forces: Array) -> dict[str, float | None]:
    return {"n_atoms": len(forces), **_error(forces)}
