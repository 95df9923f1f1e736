"""How to compute phonons: one table of settings, with defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.crystal.cells import parse_supercell_matrix
from aiida_crucible.analysis.crystal.orientations import straight_matrix
from aiida_crucible.analysis.phonons.spectra import BandPath, given_path, seekpath_path
from aiida_crucible.analysis.phonons.stability import COVERAGE_FACTOR, NOISE_SAMPLES
from crucible_engine.wire.rules import Parameter, ParameterError, complete, normalise_entries, shown

DISPLACEMENT = Parameter(float, 0.01, "length of the displacements, Å", minimum=1e-4, maximum=0.3)
MESH_NUMBER = Parameter(int, 1, "wave vectors along a reciprocal lattice vector", minimum=1, maximum=200)
MOST_TEMPERATURES = 10_000

SETTINGS: dict[str, Parameter] = {
    "supercell_matrix": Parameter(list, None, "three whole numbers or three rows of three; goes before the length"),
    "supercell_min_length": Parameter(
        float, 10.0, "least distance between opposite faces of the supercell, Å", 0.0, 100.0, exclusive=True
    ),
    "displacement": DISPLACEMENT,
    "other_displacements": Parameter(list, [], "further lengths, Å, whose effect becomes the frequencies' error bar"),
    "plusminus": Parameter(
        str,
        "auto",
        "leave out displacements that symmetry maps on their opposites, or none",
        choices=("auto", "always"),
    ),
    "primitive": Parameter(bool, True, "bands of the primitive cell; otherwise of the unit cell as it is"),
    "symmetry_tolerance": Parameter(
        float, 1e-5, "distance tolerance of the symmetry search, Å", 0.0, 1.0, exclusive=True
    ),
    "mesh": Parameter(list, [8, 8, 8], "wave vectors for the verdict, the lowest frequency and group velocities"),
    "mesh_gamma_centred": Parameter(bool, True, "Γ is a point of that mesh; otherwise an even mesh avoids it"),
    "dos_mesh": Parameter(list, [20, 20, 20], "wave vectors for the density of states and thermal properties"),
    "dos_by_element": Parameter(bool, False, "the density of states of each element as well"),
    "band_path": Parameter(list, None, "connected lines of wave vectors; seekpath's own by default"),
    "band_labels": Parameter(list, None, "the names of the band path's wave vectors"),
    "band_points": Parameter(int, 51, "wave vectors on each segment of the path", minimum=2, maximum=10_000),
    "max_temperature": Parameter(float, 1000.0, "of the thermal properties, K", 0.0, 100_000.0),
    "temperature_step": Parameter(float, 10.0, "of the thermal properties, K", 0.0, 100_000.0, exclusive=True),
    "coverage_factor": Parameter(
        float,
        COVERAGE_FACTOR,
        "standard deviations of noise that a mode must be away from zero",
        0.0,
        100.0,
        exclusive=True,
    ),
    "noise_samples": Parameter(int, NOISE_SAMPLES, "random force sets that carry the noise", minimum=2, maximum=10_000),
}


def validate_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return phonon settings complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("phonon", SETTINGS, given)
    if settings["supercell_matrix"] is not None:
        settings["supercell_matrix"] = parse_supercell_matrix(settings["supercell_matrix"]).tolist()
    settings["other_displacements"] = _other_displacements(settings)
    for name in ("mesh", "dos_mesh"):
        settings[name] = _mesh(name, settings[name])
    if max(settings["mesh"]) == 1:
        raise ParameterError("parameter 'mesh' of phonon is a single wave vector: give more")
    if settings["max_temperature"] > MOST_TEMPERATURES * settings["temperature_step"]:
        raise ParameterError(
            f"parameter 'temperature_step' of phonon is {settings['temperature_step']:g}: up to "
            f"{settings['max_temperature']:g} K these are more than {MOST_TEMPERATURES} temperatures"
        )
    if (settings["band_path"] is None) != (settings["band_labels"] is None):
        raise ParameterError("band_path and band_labels of phonon go together: give both or neither")
    if settings["band_path"] is not None:
        given_path(settings["band_path"], settings["band_labels"])
    return settings


def same_supercell(
    cell: NDArray[np.float64], other_cell: NDArray[np.float64], other_matrix: NDArray[np.integer]
) -> list[list[int]] | None:
    """Return the matrix that makes the supercell of another unit cell out of this one; ``None`` where none does.

    :param cell: lattice vectors as rows, Å, shape [3, 3].
    :param other_cell: of a crystal that may be strained a little, likewise.
    :param other_matrix: in phonopy's convention, whose transpose multiplies the rows, shape [3, 3].
    """
    matrix = straight_matrix(np.asarray(other_matrix).T @ other_cell, np.asarray(cell))
    return None if matrix is None else [[int(entry) for entry in row] for row in matrix.T]


def band_path(settings: Mapping[str, Any], phonon: Phonopy) -> BandPath:
    """Return the path that the settings ask for."""
    if settings["band_path"] is None:
        return seekpath_path(phonon, settings["symmetry_tolerance"])
    return given_path(settings["band_path"], settings["band_labels"])


def _other_displacements(settings: Mapping[str, Any]) -> list[float]:
    name = "other_displacements"
    others = normalise_entries("phonon", name, DISPLACEMENT, settings[name])
    amplitudes = [settings["displacement"], *others]
    if len(set(amplitudes)) < len(amplitudes):
        raise ParameterError(
            f"parameter {name!r} of phonon is {shown(others)}: give lengths that differ from each "
            f"other and from the displacement, {settings['displacement']:g} Å"
        )
    return others


def _mesh(name: str, value: list[Any]) -> list[int]:
    if len(value) != 3:
        raise ParameterError(f"parameter {name!r} of phonon is {shown(value)}: give three whole numbers")
    return normalise_entries("phonon", name, MESH_NUMBER, value)
