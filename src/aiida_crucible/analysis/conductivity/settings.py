"""How to compute a lattice thermal conductivity: one table of settings, with defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.crystal.cells import parse_supercell_matrix
from aiida_crucible.analysis.phonons.settings import MESH_NUMBER
from crucible_engine.wire.rules import Parameter, ParameterError, complete, normalise_entries, shown

RELAXATION_TIME, DIRECT = "relaxation-time", "direct"
TEMPERATURE = Parameter(float, 300.0, "a temperature, K", 0.0, 100_000.0, exclusive=True)
WHAT = "a conductivity"

CONDUCTIVITY: dict[str, Parameter] = {
    "supercell_matrix": Parameter(list, None, "of the third order; three whole numbers or three rows of three"),
    "supercell_min_length": Parameter(
        float, 8.0, "least distance between opposite faces of that supercell, Å", 0.0, 100.0, exclusive=True
    ),
    "displacement": Parameter(float, 0.03, "length of the displacements of the third order, Å", 1e-4, 0.3),
    "pair_cutoff": Parameter(
        float,
        None,
        "distance of two displaced atoms beyond which their third order is zero, Å; none by default",
        0.1,
        100,
    ),
    "method": Parameter(
        str,
        RELAXATION_TIME,
        "of the transport equation: each mode's relaxation time, or its direct solution",
        choices=(RELAXATION_TIME, DIRECT),
    ),
    "isotopes": Parameter(bool, False, "scattering by the natural mixture of isotopes as well"),
    "mesh": Parameter(list, [15, 15, 15], "wave vectors"),
    "other_meshes": Parameter(
        list, [[11, 11, 11], [13, 13, 13]], "further ones, the largest difference from which is the error"
    ),
    "temperatures": Parameter(list, [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0], "K"),
    "temperature": Parameter(float, 300.0, "one of them, at which the summary tells and compares, K", 0.0, 100_000.0),
    "mesh_tolerance": Parameter(
        float, 0.1, "relative change by the mesh beyond which the conductivity is not known", 0.0, 10.0
    ),
    "conductivity_tolerance": Parameter(
        float, 0.3, "relative deviation of the conductivity from the reference that is allowed", 0.0, 10.0
    ),
}


def validate_conductivity(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a conductivity complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete(WHAT, CONDUCTIVITY, given)
    if settings["supercell_matrix"] is not None:
        settings["supercell_matrix"] = parse_supercell_matrix(settings["supercell_matrix"]).tolist()
    settings["mesh"] = _mesh("mesh", settings["mesh"])
    settings["other_meshes"] = [_mesh("other_meshes", each) for each in settings["other_meshes"]]
    if not settings["other_meshes"] or settings["mesh"] in settings["other_meshes"]:
        raise ParameterError(
            f"parameter 'other_meshes' of {WHAT} is {shown(settings['other_meshes'])}: give one or more that are not "
            f"the mesh, {shown(settings['mesh'])}; their difference is the error"
        )
    temperatures = normalise_entries(WHAT, "temperatures", TEMPERATURE, settings["temperatures"])
    if not temperatures or sorted(set(temperatures)) != temperatures:
        raise ParameterError(
            f"parameter 'temperatures' of {WHAT} is {shown(temperatures)}: give one or more, each above the one before"
        )
    if settings["temperature"] not in temperatures:
        raise ParameterError(
            f"parameter 'temperature' of {WHAT} is {settings['temperature']:g} K, which is none of the temperatures: "
            f"give one of {shown(temperatures)}"
        )
    settings["temperatures"] = temperatures
    return settings


def _mesh(name: str, value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) != 3:
        raise ParameterError(f"parameter {name!r} of {WHAT} has {shown(value)}: give three whole numbers for a mesh")
    mesh = normalise_entries(WHAT, name, MESH_NUMBER, value)
    if max(mesh) == 1:
        raise ParameterError(f"parameter {name!r} of {WHAT} has a single wave vector: give more")
    return mesh
