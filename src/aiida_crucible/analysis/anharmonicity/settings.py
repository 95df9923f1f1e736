"""How to measure anharmonicity: one table of settings, with defaults, ranges and units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ase import Atoms
from ase.build import make_supercell

from aiida_crucible.analysis.crystal.cells import parse_supercell_matrix
from aiida_crucible.analysis.dynamics.sweep_settings import MOST_ATOMS, bounded_matrix, parse_temperatures
from crucible_engine.wire.rules import Parameter, complete

WHAT = "anharmonicity"
OWN_CRYSTAL, FRAMES_CRYSTAL = "force-constants", "frames"

SETTINGS: dict[str, Parameter] = {
    "temperatures": Parameter(list, [300.0], "of the model's own runs, K, each once"),
    "n_runs": Parameter(int, 2, "the model's own runs at each temperature", 1, 1000),
    "seed": Parameter(int, 0, "of the draw of the frames of the reference that own runs begin from", 0, 2**63),
    "discard": Parameter(float, 0.0, "fraction of each own run that is left out at its start", 0.0, 0.99),
    "supercell_matrix": Parameter(
        list,
        None,
        "of own runs without a reference trajectory: three whole numbers or three rows of three; goes before "
        "the length",
    ),
    "supercell_min_length": Parameter(
        float, 10.0, "least distance between opposite faces of that supercell, Å", 0.0, 200.0, exclusive=True
    ),
    "frames": Parameter(
        int, None, "at most so many frames of the reference trajectory are used, evenly spaced; by default all", 1
    ),
    "origin": Parameter(
        str,
        OWN_CRYSTAL,
        "displacements are counted from the crystal that the force constants belong to, or from the one that the "
        "frames belong to",
        choices=(OWN_CRYSTAL, FRAMES_CRYSTAL),
    ),
    "effective_frames": Parameter(
        int, 100, "evenly spaced frames that effective force constants are fitted to; 0 fits none", 0, 100_000
    ),
    "coverage_factor": Parameter(
        float, 2.0, "standard errors on either side that make the error bar of a class", 0.0, 100.0
    ),
    "symmetry_tolerance": Parameter(float, 1e-3, "distance, Å", 0.0, 1.0, exclusive=True),
    "max_concurrent": Parameter(
        int, None, "jobs at once; by default as many as the computer does fastest together", minimum=1
    ),
}


def validate_anharmonicity(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete(WHAT, SETTINGS, given)
    settings["temperatures"] = parse_temperatures(settings["temperatures"], WHAT)
    if settings["supercell_matrix"] is not None:
        settings["supercell_matrix"] = parse_supercell_matrix(settings["supercell_matrix"], MOST_ATOMS).tolist()
    return settings


def own_supercell(settings: Mapping[str, Any], unit_cell: Atoms) -> Atoms:
    """Return the supercell of own runs where no reference says which, its atoms unit cell by unit cell.

    :raises ValueError: one line, if it would be absurdly large.
    """
    return make_supercell(unit_cell, bounded_matrix(WHAT, settings, unit_cell), wrap=False)


def temperature_of(label: str) -> float | None:
    """Return the temperature in K that a label of a run begins with (``T300``, ``T312p5_run_1``); ``None`` if none."""
    match = re.match(r"T(\d+(?:p\d+)?)(?:_|$)", label)
    return None if match is None else float(match[1].replace("p", "."))
