"""What a benchmark says of some rows, for the guard of its calcfunction."""

from __future__ import annotations

from typing import Any

import numpy as np
from rounding_noise import disturbed
from spring_crystal import SpringCrystal
from synthetic_rows import GIVEN, OWN_CONSTANTS, compared, own_run, row, scored

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination
from aiida_crucible.analysis.anharmonicity.effective_force_constants import evenly_chosen
from aiida_crucible.analysis.anharmonicity.settings import own_supercell
from aiida_crucible.analysis.benchmark.rows import row_of
from aiida_crucible.analysis.benchmark.settings import validate_benchmark_settings
from aiida_crucible.analysis.benchmark.summary import aggregate
from aiida_crucible.analysis.benchmark.tables import tables
from aiida_crucible.analysis.phonons.phonon_analysis import prepare, solve
from aiida_crucible.nodes.force_data import after_discarded


def aggregated() -> dict[str, Any]:
    """Return the summary and the tables of six materials, one of which failed, at two temperatures."""
    rows = []
    for number, group in enumerate(("F", "Cl", "Cl", "Br", "I")):
        truth = disturbed(0.15 + 0.3 * number)
        scores = {GIVEN: 0.9 * truth, OWN_CONSTANTS: None if number == 2 else 0.7 * truth}
        scores |= {own_run("own", temperature): truth * temperature / 400 for temperature in (300.0, 600.0)}
        imaginary = ("real", "imaginary") if number == 3 else ("real", "real")
        harmonic = compared(1 + (number - 2) ** 2, 1 + number**1.5, imaginary)
        rows.append(row(f"M{number}", group=group, harmonic=harmonic, scores=scored(truth, scores)))
    rows.append(row("M5", state="failed", missing={"harmonic": "not relaxed"}))
    files = {name: table.to_csv().splitlines() for name, table in tables(rows).items()}
    return {"summary": aggregate(rows), "tables": {"columns": {name: lines[0] for name, lines in files.items()}}}


def prepared() -> dict[str, Any]:
    """Return what a crystal of springs is evaluated on and begins runs with, and which frames of a reference stay."""
    crystal = SpringCrystal([[1.0, 0.2, 0.2], [0.2, 1.5, 0.2], [0.2, 0.2, 2.0]], "CuAg")
    changes = {"phonon": {"supercell_matrix": [2, 3, 3]}, "anharmonicity": {"supercell_matrix": [1, 2, 2]}}
    settings = validate_benchmark_settings(changes)
    _, plan = prepare(crystal.atoms, settings["phonon"])
    displacements = [frame.positions - plan.supercell.positions for frame in plan.structures()]
    start = own_supercell(settings["anharmonicity"], crystal.atoms)
    return {
        "displacements": [moved[np.abs(moved).max(axis=1) > 0] for moved in displacements],
        "start": start.positions,
        "evenly": evenly_chosen(20, 7),
        "settled": after_discarded(20, 0.3),
    }


def measured() -> dict[str, Any]:
    """Return what is said of a crystal of springs, and its row where one score is missing."""
    crystal = SpringCrystal([[1.0, 0.2, 0.2], [0.2, 1.5, 0.2], [0.2, 0.2, 2.0]], "CuAg")
    settings = validate_benchmark_settings({"phonon": {"supercell_matrix": [2, 3, 3], "mesh": [3, 3, 3]}})
    _, plan = prepare(crystal.atoms, settings["phonon"])
    forces = np.array([crystal.forces(plan.supercell, displaced) for displaced in plan.structures()])
    _, constants, phonons = solve(crystal.atoms, settings["phonon"], forces)
    names = ("material", "formula", "group", "model", "protocol", "digest")
    identity = {**dict.fromkeys(names, "x"), "failures": {"dynamics": "it was killed"}, "runs": {}}
    score = {"sigma": {"time_averaged": {"value": 0.3, "standard_error": 0.01}}, "class": "weak", "warnings": []}
    scores = {
        one.label: {**one.as_dict(), **score}
        for one in (Combination(REFERENCE, REFERENCE, REFERENCE), Combination(OWN, REFERENCE, OWN))
    }
    given = ["force_constants", "trajectory"]
    harmonic = {"outcome": "not-comparable", "reason": "another crystal"}
    row = row_of(identity, settings, given, phonons={**phonons, "reason": ""}, harmonic=harmonic, scores=scores)
    return {
        "largest": np.abs(constants.values).max(),
        "lowest": phonons["lowest_mesh_frequency"],
        "outcome": phonons["outcome"],
        "state": row["state"],
        "missing": row["missing"],
        "scores": row["scores"],
    }
