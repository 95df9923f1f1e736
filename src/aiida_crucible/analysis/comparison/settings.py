"""How to compare harmonic phonons: one table of settings, with defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.phonons.settings import MESH_NUMBER
from crucible_engine.wire.rules import Parameter, ParameterError, complete, normalise_entries, shown

WHAT = "harmonic comparison"
TEMPERATURE = Parameter(float, 300.0, "K", 0.0, 100_000.0)

SETTINGS: dict[str, Parameter] = {
    "mesh": Parameter(list, [8, 8, 8], "wave vectors at which modes are compared"),
    "mesh_gamma_centred": Parameter(bool, True, "Γ is a point of that mesh; otherwise an even mesh avoids it"),
    "thermal_mesh": Parameter(list, [20, 20, 20], "wave vectors of the thermal properties"),
    "temperatures": Parameter(list, [300.0], "of the thermal properties, K"),
    "imaginary_tolerance": Parameter(
        float,
        0.05,
        "THz below zero that still count as real: what is left of the translations, and of interpolation",
        0.0,
        100.0,
    ),
    "symmetry_tolerance": Parameter(
        float, 1e-3, "distance tolerance of the symmetry search, Å", 0.0, 1.0, exclusive=True
    ),
}


def validate_comparison(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a harmonic comparison complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete(WHAT, SETTINGS, given)
    for name in ("mesh", "thermal_mesh"):
        settings[name] = normalise_entries(WHAT, name, MESH_NUMBER, settings[name])
        if len(settings[name]) != 3:
            raise ParameterError(f"parameter {name!r} of {WHAT} is {shown(given[name])}: give three whole numbers")
    settings["temperatures"] = normalise_entries(WHAT, "temperatures", TEMPERATURE, settings["temperatures"])
    if not settings["temperatures"]:
        raise ParameterError(f"parameter 'temperatures' of {WHAT} is []: give one or more")
    return settings
