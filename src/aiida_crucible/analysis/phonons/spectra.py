"""What follows from force constants: bands, mesh, density of states, thermal properties.

A translation at Γ comes out of an eigensolver as the root of some rounding error: 1e-7 THz, real or imaginary, another
one on every processor. What is reported of it is 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import seekpath
import spglib
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.compat.phonopy import get_physical_units

RELATIVE_ROUNDING = 1e-12
"""Share of a crystal's largest ω² that rounding may make of nothing: some thousand terms of double precision."""

TRANSLATION_CUTOFF = 1e-3
"""THz; the translations at Γ lie below wherever the force constants obey the acoustic sum rule (at 1e-5 after their
symmetrisation), and have no thermodynamics. ``exclude_gamma_acoustic`` of phonopy would leave the same three modes out,
but is new in 4.10, and takes them whatever their frequency: also those of atoms that are bound to their sites."""


def rounding_floor(phonon: Phonopy) -> float:
    """Return the frequency below which ω is a rounding error, THz: that share of the stiffest atom's ω².

    :param phonon: the crystal with its force constants, full or compact.
    """
    primitive = phonon.primitive
    constants = phonon.force_constants
    own = primitive.p2s_map
    rows = own if constants.shape[0] == constants.shape[1] else np.arange(len(own))
    stiffness = np.linalg.norm(constants[rows, own], axis=(1, 2)) / primitive.masses
    return float(np.sqrt(RELATIVE_ROUNDING * stiffness.max()) * phonon.unit_conversion_factor)


def clear_rounding(values: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Return values with those of no more than ``floor`` in size set to zero; of any shape and unit."""
    return np.where(np.abs(values) <= floor, 0.0, values)


@dataclass(frozen=True)
class BandPath:
    """A path through the Brillouin zone.

    :param segments: the two ends of each, reduced, shape [n_segments, 2, 3].
    :param labels: their names, one pair for each segment; ``Γ`` is written ``GAMMA``.
    """

    segments: NDArray[np.float64]
    labels: tuple[tuple[str, str], ...]

    def sample(self, points: int) -> tuple[NDArray[np.float64], list[tuple[int, str]]]:
        """Return the wave vectors along the path, shape [n_segments · points, 3], and the index and name of each end.

        :param points: on each segment, both ends included.
        """
        steps = np.linspace(0, 1, points)[:, None]
        qpoints = [start + steps * (end - start) for start, end in self.segments]
        names = []
        for index, (first, last) in enumerate(self.labels):
            names.extend([(index * points, first), ((index + 1) * points - 1, last)])
        return np.concatenate(qpoints), names


@dataclass(frozen=True)
class ThermalProperties:
    """Harmonic thermodynamics at constant volume, of one primitive cell; imaginary modes and Γ translations left out.

    :param temperatures: K, shape [n].
    :param free_energy: Helmholtz, zero-point energy included, eV, shape [n].
    :param entropy: eV/K, shape [n].
    :param heat_capacity: eV/K, shape [n].
    """

    temperatures: NDArray[np.float64]
    free_energy: NDArray[np.float64]
    entropy: NDArray[np.float64]
    heat_capacity: NDArray[np.float64]


def seekpath_path(phonon: Phonopy, tolerance: float) -> BandPath:
    """Return the recommended path (Hinuma et al., Comput. Mater. Sci. 2017, 128, 140) in the primitive cell's own axes.

    :param tolerance: distance tolerance of the symmetry search, Å.
    """
    primitive = phonon.primitive
    crystal = (primitive.cell, primitive.scaled_positions, primitive.numbers)
    found = seekpath.get_path(crystal, symprec=tolerance)
    # What `get_path_orig_cell` of seekpath 2 does; AiiDA's own atomic tools, and so the plugins of DFT codes, pin 1.9.
    rotation = spglib.get_symmetry_dataset(crystal, symprec=tolerance).std_rotation_matrix
    to_primitive = np.array(found["reciprocal_primitive_lattice"]) @ rotation @ primitive.cell.T / (2 * np.pi)
    points = {name: np.array(point) @ to_primitive for name, point in found["point_coords"].items()}
    labels = tuple((first, last) for first, last in found["path"])
    return BandPath(np.array([[points[first], points[last]] for first, last in labels], dtype=float), labels)


def given_path(qpoints: Sequence[Sequence[Sequence[float]]], labels: Sequence[Sequence[str]]) -> BandPath:
    """Return the path along given points.

    :param qpoints: connected lines of points, reduced: [[Γ, X, M], [R, A]] as numbers.
    :param labels: the points' names in the same shape.
    :raises ValueError: one line, if there is no line, one has fewer than two points, a point is no three finite
        numbers, or the labels are of another shape.
    """
    segments: list[tuple[Sequence[float], Sequence[float]]] = []
    names: list[tuple[str, str]] = []
    if not qpoints or len(qpoints) != len(labels):
        raise ValueError(f"band path of {len(qpoints)} lines with labels for {len(labels)}: give one or more of both")
    for index, (line, line_labels) in enumerate(zip(qpoints, labels, strict=True)):
        if not (_is_line(line) and isinstance(line_labels, list | tuple) and len(line) == len(line_labels)):
            raise ValueError(
                f"line {index + 1} of the band path: give at least two points of three numbers, each named"
            )
        segments.extend(itertools.pairwise(line))
        names.extend(itertools.pairwise(line_labels))
    return BandPath(np.asarray(segments, dtype=np.float64), tuple(names))


def _is_line(line: Any) -> bool:
    """Return whether these are two or more points of three finite numbers each."""
    try:
        points = np.array(line, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return points.ndim == 2 and points.shape[0] >= 2 and points.shape[1] == 3 and bool(np.isfinite(points).all())


def band_frequencies(phonon: Phonopy, path: BandPath, points: int) -> NDArray[np.float64]:
    """Return the frequencies along a path, THz, shape [n_segments · points, n_modes], in the order of its samples.

    With Born charges, Γ belongs to the direction that its segment reaches it from.
    """
    samples = path.sample(points)[0].reshape(len(path.segments), points, 3)
    phonon.run_band_structure(list(samples))
    return clear_rounding(np.concatenate(phonon.band_structure.frequencies), rounding_floor(phonon))


def frequencies_at(phonon: Phonopy, qpoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequencies at wave vectors, THz, imaginary ones negative, ascending, shape [n_q, n_modes].

    :param phonon: the crystal with its force constants and, where it has them, Born charges.
    :param qpoints: reduced, shape [n_q, 3].
    """
    phonon.run_qpoints(qpoints)
    return clear_rounding(np.array(phonon.qpoints.frequencies), rounding_floor(phonon))


def density_of_states(
    phonon: Phonopy, mesh: Sequence[int], projected: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return frequencies (THz, [n]), the density of states (1/THz a primitive cell, [n]) and its parts by element.

    The linear tetrahedron method is used; the integral is three times the number of atoms.

    :param projected: compute the parts by element too, which takes eigenvectors on the whole mesh.
    """
    phonon.run_mesh(mesh, is_mesh_symmetry=not projected, with_eigenvectors=projected, is_gamma_center=True)
    phonon.run_total_dos()
    frequencies, total = phonon.total_dos.frequency_points, phonon.total_dos.dos
    parts: dict[str, NDArray[np.float64]] = {}
    if projected:
        phonon.run_projected_dos()
        by_atom = np.array(phonon.projected_dos.projected_dos)
        symbols = np.array(phonon.primitive.symbols)
        parts = {symbol: by_atom[symbols == symbol].sum(axis=0) for symbol in sorted(set(symbols.tolist()))}
    return np.array(frequencies), np.array(total), parts


def thermal_properties(phonon: Phonopy, mesh: Sequence[int], temperatures: NDArray[np.float64]) -> ThermalProperties:
    """Return the harmonic thermodynamics: all modes of the mesh above :data:`TRANSLATION_CUTOFF`.

    :param temperatures: K, shape [n].
    """
    phonon.run_mesh(mesh, is_gamma_center=True)
    phonon.run_thermal_properties(temperatures=temperatures, cutoff_frequency=TRANSLATION_CUTOFF)
    _, free_energy, entropy, heat_capacity = phonon.thermal_properties.thermal_properties
    molar = get_physical_units().EvTokJmol
    return ThermalProperties(
        temperatures=np.array(temperatures, dtype=float),
        free_energy=np.array(free_energy) / molar,
        entropy=np.array(entropy) / (1000 * molar),
        heat_capacity=np.array(heat_capacity) / (1000 * molar),
    )


def group_velocities(phonon: Phonopy, qpoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return group velocities dω/dk, Å·THz (100 m/s), Cartesian, shape [n_q, n_modes, 3], modes by frequency."""
    phonon.run_qpoints(qpoints, with_group_velocities=True)
    return np.array(phonon.qpoints.group_velocities)


def irreducible_mesh(
    phonon: Phonopy, mesh: Sequence[int], gamma_centred: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the irreducible wave vectors of a mesh, reduced, [n_q, 3], and their multiplicities [n_q].

    :param gamma_centred: Γ is one of them; otherwise, as Monkhorst and Pack have it, an even mesh avoids it.
    """
    phonon.init_mesh(mesh, is_gamma_center=gamma_centred)
    return np.array(phonon.mesh.qpoints), np.array(phonon.mesh.weights)
