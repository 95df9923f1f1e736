"""Energy per atom and forces in a cell against those in its supercell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Precision
from crucible_engine.tasks.verify.probes import Probe, stretched

MISSES_IMAGES = "misses-periodic-images"
NOT_EXTENSIVE = "energy-not-extensive"

TILED = 0.02
"""Relative misfit up to which forces in a supercell are those of the cell but for a factor."""
STRETCH = 1.02
"""Stretches the lattice to see whether what is wrong depends on the geometry."""
WIDE = 15.0
"""Å between faces of a cell in which no atom is near its own image, for cutoff radii of up to half of it."""
SHIFT = np.array([0.37, 0.41, 0.29])
"""Of a lattice vector, by which atoms move through the faces of their cell."""


def check_supercell(
    evaluator: Evaluator,
    probes: Sequence[Probe],
    bases: Sequence[Evaluation],
    precision: Precision,
    compared: Sequence[str],
) -> Check:
    """Check that a supercell has the energy an atom and the forces of its cell.

    :param probes: the structures; one has a cell thinner than any cutoff.
    :param compared: whether ``forces`` mean something in this model, beside ``energy``.
    """
    crystals = [(probe, base) for probe, base in zip(probes, bases, strict=True) if probe.is_crystal and probe.is_small]
    if not crystals:
        return not_applicable("supercell", "no probe is periodic in three directions")
    found = evaluator([_supercell(probe, probe.atoms) for probe, _ in crystals], stress=False)
    allowed = precision.tolerance([base for _, base in crystals])
    energy = max(
        abs(item.energy / _copies(probe) - base.energy) / len(base.forces)
        for (probe, base), item in zip(crystals, found, strict=True)
    )
    force = max(
        float(np.abs(item.forces - np.tile(base.forces, (_copies(probe), 1))).max())
        for (probe, base), item in zip(crystals, found, strict=True)
    )
    message = f"in a supercell energies differ by {energy:.1e} eV/atom, forces by {force:.1e} eV/Å"
    check = Check("supercell", message, energy, allowed.energy, "eV/atom")
    forces_count = "forces" in compared
    if energy <= allowed.energy and (force <= allowed.forces or not forces_count):
        return check
    # A wrong sum of right contributions leaves the pattern of the forces alone; missing neighbours do not.
    counts_wrong = all(
        (_is_tiled(probe, base, item) or not forces_count)
        and _ignores_geometry(evaluator, probe, base, item, allowed.energy * len(item.forces))
        for (probe, base), item in zip(crystals, found, strict=True)
    )
    if counts_wrong or _grows_without_images(evaluator, crystals, allowed.energy):
        return check.failed(NOT_EXTENSIVE)
    return check.failed(MISSES_IMAGES)


def _grows_without_images(evaluator: Evaluator, crystals: Sequence[tuple[Probe, Evaluation]], tolerance: float) -> bool:
    """Tell whether the energy an atom goes on changing with the size of a cell in which no atom is near its own image.

    Missing images of single atoms change nothing there. A model that misses the whole neighbourhood across the cell's
    faces goes on changing too, but with where the faces are.

    :param tolerance: eV an atom.
    """
    probe = min((probe for probe, _ in crystals), key=lambda probe: len(probe.atoms))
    heights = probe.atoms.get_volume() / np.linalg.norm(np.cross(*_others(probe.atoms.cell.array)), axis=1)
    repetitions = np.ceil(WIDE / heights).astype(int)
    wide = probe.atoms.repeat(repetitions)
    shifted = wide.copy()
    shifted.positions += wide.cell.array.T @ SHIFT
    shifted.wrap()
    doubled = probe.atoms.repeat(repetitions * (1, 1, 2))
    first, other, larger = (item.energy for item in evaluator([wide, shifted, doubled], stress=False))
    moves = abs(other - first) / len(wide)
    grows = abs(larger / 2 - first) / len(wide)
    return moves <= tolerance < grows


def _others(cell: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two other lattice vectors of each one, shapes [3, 3]."""
    return np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)


def _is_tiled(probe: Probe, base: Evaluation, found: Evaluation) -> bool:
    """Tell whether the forces in the supercell are those of the cell but for a factor."""
    tiled = np.tile(base.forces, (_copies(probe), 1))
    factor = float(np.sum(tiled * found.forces) / max(np.sum(tiled**2), np.finfo(float).tiny))
    return bool(np.linalg.norm(found.forces - factor * tiled) <= TILED * np.linalg.norm(found.forces))


def _ignores_geometry(
    evaluator: Evaluator, probe: Probe, base: Evaluation, found: Evaluation, tolerance: float
) -> bool:
    """Tell whether the error of the supercell's energy, or its ratio to the cell's, stays when the lattice stretches.

    What missing neighbours would have given changes with their distance.
    """
    moved = stretched(probe.atoms, STRETCH)
    cell, supercell = (item.energy for item in evaluator([moved, _supercell(probe, moved)], stress=False))
    copies = _copies(probe)
    same_error = abs((supercell - copies * cell) - (found.energy - copies * base.energy)) <= tolerance
    same_ratio = abs(supercell * base.energy - cell * found.energy) <= tolerance * abs(base.energy)
    return same_error or same_ratio


def _supercell(probe: Probe, atoms: Atoms) -> Atoms:
    return atoms.repeat(probe.repetitions)


def _copies(probe: Probe) -> int:
    return int(np.prod(probe.repetitions))
