"""Vibrations of a molecule or a slab: all atoms displaced in its cell, or a repetition of it, rigid motions left out.

The force constants are central differences of the forces. What they lack in symmetry, and what the rigid motions have
of a force constant, is noise (of the model's forces, of a geometry that is not quite at rest), below which the sign of
a mode is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.finite import kind_of, without_images
from crucible_engine.wire.rules import Parameter, complete

SETTINGS: dict[str, Parameter] = {
    "displacement": Parameter(float, 0.01, "of each atom along each axis, both ways, Å", 1e-4, 0.5),
    "shortest_length": Parameter(
        float,
        0.0,
        "what is periodic is repeated until it is as long, which lets in modes of other wave vectors, Å",
        0,
        100,
    ),
    "shortest_duration": Parameter(float, 5.0, "of a hot run that tells something, ps", 0.0, 1e6, exclusive=True),
}

TERAHERTZ = float(np.sqrt(units._e / units._amu) * 1e10 / (2 * pi) / 1e12)
"""Frequency in THz of a mode of 1 eV/Å²/u."""

MOST_ATOMS = 500
"""Beyond, the six displacements of each atom are too many."""

LINEAR = 1e-3
"""Moment of inertia, relative to the largest, below which a molecule is linear."""


@dataclass(frozen=True)
class Vibrations:
    """What the forces say.

    :param frequencies: THz, ascending, imaginary ones negative, rigid motions left out, [n].
    :param modes: eigenvectors, mass-weighted and normalised, [n, n_atoms, 3].
    :param resolvable: THz; below it the sign of ω² is not known.
    """

    frequencies: NDArray[np.float64]
    modes: NDArray[np.float64]
    resolvable: float


def validate_vibrations(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings complete with defaults.

    :raises ValueError: one line that names the setting and what is allowed.
    """
    return complete("vibrations", SETTINGS, given)


def displaced(atoms: Atoms, displacement: float) -> list[Atoms]:
    """Return the geometry as it is, and with each atom moved along each axis, forth and back: 1 + 6 n_atoms."""
    frames = [atoms]
    for index in range(len(atoms)):
        for axis in range(3):
            for sign in (1.0, -1.0):
                frame = atoms.copy()
                frame.positions[index, axis] += sign * displacement
                frames.append(frame)
    return frames


def analyse_vibrations(atoms: Atoms, forces: NDArray[np.float64], displacement: float) -> Vibrations:
    """Return frequencies and modes.

    :param atoms: at rest.
    :param forces: of :func:`displaced`, eV/Å, [1 + 6 n_atoms, n_atoms, 3].
    :param displacement: Å.
    """
    size = 3 * len(atoms)
    pairs = forces[1:].reshape(size, 2, size)
    weights = 1 / np.sqrt(np.repeat(atoms.get_masses(), 3))
    raw = -(pairs[:, 0] - pairs[:, 1]) / (2 * displacement) * np.outer(weights, weights)
    rigid = rigid_motions(atoms)
    noise = max(
        float(np.linalg.norm((raw - raw.T) / 2, ord=2)),
        float(np.abs(np.einsum("ij,jk,ik->i", rigid, raw, rigid)).max()),
    )
    outside = np.linalg.svd(rigid, full_matrices=True)[2][len(rigid) :]
    values, vectors = np.linalg.eigh(outside @ ((raw + raw.T) / 2) @ outside.T)
    frequencies = np.sign(values) * np.sqrt(np.abs(values)) * TERAHERTZ
    return Vibrations(frequencies, (vectors.T @ outside).reshape(-1, len(atoms), 3), float(np.sqrt(noise) * TERAHERTZ))


def rigid_motions(atoms: Atoms) -> NDArray[np.float64]:
    """Return mass-weighted translations and, of what is not periodic at all, rotations; orthonormal, [n, 3 n_atoms]."""
    atoms = without_images(atoms)
    roots = np.sqrt(atoms.get_masses())
    motions = [np.outer(roots, axis).ravel() for axis in np.eye(3)]
    if not atoms.pbc.any():
        arms = atoms.positions - atoms.get_center_of_mass()
        turns = [(roots[:, None] * np.cross(axis, arms)).ravel() for axis in _principal_axes(atoms)]
        largest = max(float(np.linalg.norm(turn)) for turn in turns)
        motions += [turn for turn in turns if np.linalg.norm(turn) ** 2 > LINEAR * largest**2]
    return np.linalg.qr(np.array(motions).T)[0].T


def summarise_vibrations(atoms: Atoms, found: Vibrations) -> dict[str, Any]:
    """Return the outcome (minimum, saddle or cannot-tell), its reason, and what follows from the frequencies."""
    lowest, floor = float(found.frequencies[0]), found.resolvable
    imaginary = int(np.sum(found.frequencies < -floor))
    if imaginary:
        outcome, reason = "saddle", f"{imaginary} imaginary modes, the lowest: {lowest:+.3f} THz"
    elif lowest > floor:
        outcome, reason = "minimum", f"every mode is real, the lowest: {lowest:+.3f} THz"
    else:
        outcome, reason = "cannot-tell", f"the lowest mode, {lowest:+.3f} THz, is within the noise: relax more tightly"
    real = found.frequencies[found.frequencies > floor]
    return {
        "outcome": outcome,
        "reason": f"{reason} (resolvable {floor:.2g} THz)",
        "frequencies": found.frequencies.tolist(),
        "resolvable_frequency": floor,
        "rigid_motions": 3 * len(atoms) - len(found.frequencies),
        "zero_point_energy": float(np.sum(real) * 1e12 * units._hplanck / units._e / 2),
        "not_asked": _not_asked(atoms),
    }


def _not_asked(atoms: Atoms) -> str:
    kind = kind_of(atoms)
    if kind == "molecule":
        return "of a molecule: bands, elastic stability, a lattice, transitions of phase"
    return f"of a {kind}: modes of wave vectors that do not fit into the cell, its lattice, transitions of phase"


def _principal_axes(atoms: Atoms) -> NDArray[np.float64]:
    axes: NDArray[np.float64] = np.asarray(atoms.get_moments_of_inertia(vectors=True)[1])
    return axes
