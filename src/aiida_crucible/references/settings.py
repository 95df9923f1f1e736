"""How references are read: tables of settings, with defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.crystal.cells import parse_primitive_matrix, parse_supercell_matrix
from crucible_engine.wire.rules import Parameter, complete

CITATION: dict[str, Parameter] = {
    "theory": Parameter(str, None, "level of theory, e.g. PBE"),
    "doi": Parameter(str, None, "where it was published"),
    "comment": Parameter(str, None, "whatever else should be known"),
}
"""What any reference may say of itself."""

PHONONS: dict[str, Parameter] = {
    **CITATION,
    "supercell_matrix": Parameter(list, None, "three whole numbers or three rows of three, where no file says it"),
    "primitive": Parameter(bool, True, "force constants of the primitive cell; otherwise of the unit cell as it is"),
    "primitive_matrix": Parameter(list, None, "three rows of three numbers, where no file says it; goes before that"),
    "symmetry_tolerance": Parameter(
        float,
        None,
        "distance tolerance of the symmetry search, Å; the file's own if left out, or 1e-5",
        0.0,
        1.0,
        exclusive=True,
    ),
    "calculator": Parameter(str, None, "the program, by phonopy's name, whose units a file without one is in"),
}

FORMATS = ("extxyz", "traj", "vasprun", "db", "deepmd")
LENGTH_UNITS = ("angstrom", "bohr")
FORCE_UNITS = ("eV/angstrom", "Ry/bohr", "Hartree/bohr", "eV/bohr")

TRAJECTORY: dict[str, Parameter] = {
    **CITATION,
    "format": Parameter(str, None, "by the file's name if left out", choices=FORMATS),
    "start": Parameter(int, 0, "first frame to import", 0),
    "stop": Parameter(int, None, "frame to stop before; the last one is imported if left out", 1),
    "stride": Parameter(int, 1, "import every so many-th frame", 1),
    "time_step": Parameter(float, None, "fs between frames of the file", 0.0, 1e6, exclusive=True),
    "temperature": Parameter(float, None, "of the run, K", 0.0, 1e6),
    "forces": Parameter(str, "required", "whether a file without forces is refused", choices=("required", "optional")),
    "forces_key": Parameter(str, "forces", "name of the forces in an extxyz file"),
    "energy_key": Parameter(str, "energy", "name of the energy in an extxyz file"),
    "length_unit": Parameter(str, "angstrom", "of positions and cells", choices=LENGTH_UNITS),
    "force_unit": Parameter(str, "eV/angstrom", "of the forces", choices=FORCE_UNITS),
}


def validate_phonons(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an import of force constants complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("an import of phonons", PHONONS, given)
    if settings["supercell_matrix"] is not None:
        settings["supercell_matrix"] = parse_supercell_matrix(settings["supercell_matrix"]).tolist()
    if settings["primitive_matrix"] is not None:
        settings["primitive_matrix"] = parse_primitive_matrix(settings["primitive_matrix"]).tolist()
    return settings


def validate_trajectory(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an import of a trajectory complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("an import of a trajectory", TRAJECTORY, given)
    if settings["stop"] is not None and settings["stop"] <= settings["start"]:
        raise ValueError(f"frames {settings['start']} to {settings['stop']} are none: stop behind the start")
    return settings


def validate_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an import of plain values complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    return complete("an import of values", CITATION, given)


def citation_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said of the reference's origin."""
    return {name: settings[name] for name in CITATION if settings[name] is not None}
