"""Whether a model's energy stays, and its forces turn along, when a structure is turned: the rotational discrepancy.

The standard deviation over a grid of rotations of the energy an atom, and of the forces turned back (Mazitov et al.,
PET-MAD, Nat. Commun. 2025, section on rotational discrepancy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.model_tests.lebedev import rotation_grid
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

QUESTION = "Do energy and forces turn with the structure?"


@dataclass(frozen=True)
class Discrepancy:
    """How far energy and forces depend on the orientation of one structure.

    :param energy: weighted standard deviation, eV/atom.
    :param largest_energy: largest deviation from the mean, eV/atom.
    :param force: root mean square over components of the weighted standard deviation, eV/Å.
    :param largest_force: largest deviation of a component from its mean, eV/Å.
    :param n_rotations: of the grid.
    :param n_finite: of these, where the model gave finite numbers; of others nothing enters the figures, which are not
        numbers where there are fewer than two.
    """

    energy: float
    largest_energy: float
    force: float
    largest_force: float
    n_rotations: int
    n_finite: int


def turned(atoms: Atoms, settings: Mapping[str, Any]) -> list[Atoms]:
    """Return a structure in each orientation of the grid, its atoms moved at random first.

    :param settings: complete, see :data:`aiida_crucible.analysis.model_tests.settings.SETTINGS`.
    """
    moved = atoms.copy()
    rng = np.random.default_rng(settings["seed"])
    moved.positions += settings["displacement"] * rng.standard_normal(moved.positions.shape)
    matrices, _ = rotation_grid(settings["lebedev_order"], settings["turns"])
    frames = []
    for matrix in matrices:
        frame = moved.copy()
        frame.set_cell(moved.cell.array @ matrix.T)
        frame.positions = moved.positions @ matrix.T
        frames.append(frame)
    return frames


def rotational_discrepancy(
    energies: NDArray[np.float64], forces: NDArray[np.float64], settings: Mapping[str, Any]
) -> Discrepancy:
    """Return how far what a model gave for the structures of :func:`turned` depends on their orientation.

    :param energies: eV, shape [n_rotations].
    :param forces: eV/Å, shape [n_rotations, n_atoms, 3].
    :param settings: complete, the same as there.
    """
    matrices, weights = rotation_grid(settings["lebedev_order"], settings["turns"])
    finite = np.isfinite(energies) & np.isfinite(forces).all(axis=(1, 2))
    count, n_atoms = int(finite.sum()), forces.shape[1]
    if count < 2:
        nothing = float("nan")
        return Discrepancy(nothing, nothing, nothing, nothing, len(matrices), count)
    share = weights[finite] / weights[finite].sum()
    # Row vectors: f' = f Rᵀ, so that f' R is the force turned back.
    back = np.einsum("rai,rij->raj", forces[finite], matrices[finite])
    energy = energies[finite] / n_atoms
    energy = energy - energy[0]  # of large energies only the differences are exact
    from_mean = energy - share @ energy
    forces_from_mean = back - np.einsum("r,raj->aj", share, back)
    variance = np.einsum("r,raj->aj", share, forces_from_mean**2)
    return Discrepancy(
        float(np.sqrt(share @ from_mean**2)),
        float(np.abs(from_mean).max()),
        float(np.sqrt(variance.mean())),
        float(np.abs(forces_from_mean).max()),
        len(matrices),
        count,
    )


def judge_rotations(found: Mapping[str, Discrepancy], settings: Mapping[str, Any]) -> Answer:
    """Return whether the discrepancies of all structures are within the limits.

    :param found: by the structures' labels.
    :param settings: complete.
    """
    evidence = {label: _as_plain(each) for label, each in found.items()}
    limits = settings["rotational_energy"], settings["rotational_force"]
    told = {label: each for label, each in found.items() if each.n_finite >= 2}
    broken = [label for label, each in found.items() if each.n_finite < each.n_rotations]
    if not told:
        reason = f"the model gave no finite numbers for {_listed(broken)}: it would take a structure that it can treat"
        return Answer(QUESTION, CANNOT_TELL, reason, evidence)
    worst = max(told, key=lambda label: max(told[label].energy / limits[0], told[label].force / limits[1]))
    each = told[worst]
    figures = (
        f"over {each.n_rotations} rotations of {worst} the energy has a standard deviation of {each.energy * 1000:.3g} "
        f"meV/atom and a force component of {each.force * 1000:.3g} meV/Å (limits {limits[0] * 1000:g} and "
        f"{limits[1] * 1000:g})"
    )
    if broken:
        reason = f"in some orientations of {_listed(broken)} the model gave no finite numbers; {figures}"
        return Answer(QUESTION, NO, reason, evidence)
    is_small = each.energy <= limits[0] and each.force <= limits[1]
    return Answer(QUESTION, YES if is_small else NO, figures, evidence)


def _as_plain(found: Discrepancy) -> dict[str, Any]:
    """Return figures by name, ``None`` where they are not numbers."""
    return {name: value if np.isfinite(value) else None for name, value in asdict(found).items()}


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
