"""A temperature sweep without dynamics: a perovskite that vibrates as random numbers say, and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from perovskite import tetragonal
from rounding_noise import disturbed

from aiida_crucible.analysis.dynamics.sweep_settings import sweep_supercell, validate_sweep
from aiida_crucible.analysis.dynamics.temperature_record import DONE, TemperatureRecord
from aiida_crucible.analysis.dynamics.temperature_run import Crystal, Run, RunAnalysis, analyse_run
from aiida_crucible.analysis.dynamics.temperature_sweep import answer_questions, curves, find_transitions
from crucible_engine.wire.schema import SERIES_COLUMNS

SETTINGS = validate_sweep(
    {"temperatures": [300.0], "supercell_matrix": [2, 2, 2], "local_centre": "Ti", "pair_bins": 20}
)
CHARGES = np.array([3.90, 7.06, -2.56, -2.56, -5.83])[:, None, None] * np.eye(3)
"""Nearly neutral, and of the right size."""


def cubic() -> Atoms:
    """Return the centrosymmetric structure, its atoms in the order of :func:`perovskite.tetragonal`."""
    places = np.round(2 * tetragonal().get_scaled_positions()) / 2
    return Atoms("PbTiO3", scaled_positions=places, cell=[3.92167] * 3, pbc=True)


def run_of(crystal: Crystal, n_frames: int = 120, noise: float = 0.05, seed: int = 0) -> Run:
    """Return a run of a supercell that vibrates around where it began."""
    rng = np.random.default_rng(seed)
    start = crystal.supercell
    vibrations = rng.normal(0, noise, (n_frames, len(start), 3))
    cells = start.cell.array * (1 + 0.002 * rng.normal(size=(n_frames, 3, 1)))
    positions = start.get_scaled_positions(wrap=False) @ cells + vibrations
    series = {name: rng.normal(300.0, 5.0, n_frames) for name in SERIES_COLUMNS}
    series |= {name: cells.reshape(n_frames, 9)[:, i] for i, name in enumerate(_cell_columns())}
    mean_cell = cells.mean(axis=0)
    return Run(
        series=series,
        times=20.0 * np.arange(n_frames),
        positions=disturbed(positions),
        cells=cells,
        mean_positions=start.get_scaled_positions(wrap=False) @ mean_cell + vibrations.mean(axis=0),
        mean_squares=vibrations.var(axis=0),
        mean_cell=mean_cell,
    )


def lead_titanate() -> Crystal:
    """Return the crystal."""
    return Crystal(tetragonal(), sweep_supercell(SETTINGS, tetragonal()), cubic(), CHARGES)


def analysed() -> RunAnalysis:
    """Return what is said of one run."""
    crystal = lead_titanate()
    return analyse_run(run_of(crystal), crystal, SETTINGS, is_crystal=True)


def said_of_run() -> dict[str, Any]:
    """Return what is said of one run; of its mean square displacements, one that is no rounding error."""
    found = analysed()
    arrays = {name: array[[1, 60]] if name.startswith("mean") else array for name, array in found.arrays.items()}
    return {"values": found.values, "arrays": arrays}


def records() -> list[TemperatureRecord]:
    """Return a sweep in which the order parameter vanishes at 650 K and the crystal melts at 1100 K."""
    rng = np.random.default_rng(1)
    found = []
    for temperature in np.arange(200.0, 1200.0, 50.0):
        order = max(0.0, 1 - temperature / 650.0) ** 0.5
        means = {"order_parameter": order + 0.02, "c_over_a": 1 + 0.06 * order**2, "volume": 60 + 0.002 * temperature}
        averages = {
            name: {
                "mean": float(disturbed(mean + 0.002 * rng.normal())),
                "standard_error": 0.002,
                "standard_deviation": 0.02,
                "n_effective": 100.0,
                "warning": "too short" if (temperature, name) == (300, "volume") else "",
            }
            for name, mean in means.items()
        }
        group = "P4mm (99)" if temperature < 650 else "Pm-3m (221)"
        lasted = {"steps": 10_000, "time_step": 1.0, "n_atoms": 40, "lightest_mass": 16.0}
        values = {"averages": averages, "mean_structure": {"space_group": group, "robust": True}, **lasted}
        values["given_lattice"] = {"c_over_a": 1.06}
        is_lost = temperature >= 1100
        outcome, reason = ("melted", "every species left its sites") if is_lost else ("stable", "")
        found.append(
            TemperatureRecord(f"T{temperature:g}", temperature, DONE, reason, outcome, lasted if is_lost else values)
        )
    return found


def said_of_sweep() -> dict[str, Any]:
    """Return all that is said of a sweep."""
    transitions = find_transitions(records())
    return {"curves": curves(records()), "answers": answer_questions(records(), transitions, "P4mm (99)", 10.0)}


def _cell_columns() -> list[str]:
    return [name for name in SERIES_COLUMNS if name.startswith("cell_")]
