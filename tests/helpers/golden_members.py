"""What the members of an ensemble, and several models, say together: made of formulas and random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.build import bulk
from ase.units import kB
from rounding_noise import disturbed

from aiida_crucible.analysis.comparison.consensus import compare, failed_row, row_of
from aiida_crucible.analysis.comparison.speed import speed_table
from aiida_crucible.analysis.crystal.ensemble import describe_ensemble, difference_interval
from aiida_crucible.analysis.statistics.reweighting import reweight
from aiida_crucible.analysis.verdict.reliability import validate_thresholds


def weighed() -> dict[str, Any]:
    """Return what members say of a run, and of relaxed crystals."""
    random = np.random.default_rng(5)
    positions = disturbed(random.normal(0.0, np.sqrt(kB * 300), 400))
    energies = 0.5 * positions**2
    members = np.stack([0.45 * positions**2, 0.5 * (positions - 0.03) ** 2, 0.6 * positions**2], axis=1)
    run = reweight(energies, members, 300.0, {"x": positions + 3.0, "square": positions**2})
    salt = bulk("NaCl", "rocksalt", 5.6)
    ensembles = [
        describe_ensemble(
            salt,
            [
                {"outcome": "converged", "energy": -7.0 + shift * number, "cell": (scale * salt.cell.array).tolist()}
                for number, scale in enumerate(disturbed(np.array([0.99, 1.0, 1.02])))
            ],
            1e-3,
        )
        for shift in (0.0, 0.01)
    ]
    return {"run": run.describe(), "crystals": ensembles, "difference": difference_interval(*ensembles)}


def compared() -> dict[str, Any]:
    """Return what several models say of one crystal."""
    rows = {}
    for label, length, c, cubic in (("one", 3.87, 4.20, 0.08), ("two", 3.88, 4.19, 0.07), ("three", 3.80, 5.01, 0.24)):
        a = float(disturbed(length))
        lattice = {"a": a, "b": a, "c": c, "c_over_a": c / a, "volume": a * a * c}
        phases = {
            "structure": {"outcome": "converged", "lattice": lattice, "energy_per_formula_unit": -38.0},
            "cubic": {"outcome": "converged", "lattice": lattice, "energy_per_formula_unit": -38.0 + cubic},
        }
        answers = {"stability": {"answer": "yes"}}
        rows[label] = row_of(label, {"structures": phases}, {"trusted": "yes", "headline": ""}, answers)
    rows["four"] = {**rows["two"], "title": "four"}
    rows["five"] = failed_row("five", "it does not know Pb")
    reference = {"lattice": {"a": 3.87, "c": 4.20}, "energy_differences": {"cubic": 0.08}}
    return compare(rows, reference, validate_thresholds({}))


def timed() -> dict[str, Any]:
    """Return what force calls of two models cost, of one that was timed and one that was not."""
    sizes = []
    for repeat in (1, 2, 3):
        milliseconds = float(disturbed(2.0)) * repeat**4
        times = dict.fromkeys(("milliseconds_per_step", "fastest", "slowest", "with_warm_up"), milliseconds)
        batches = [{"size": 2, "milliseconds_per_structure": 0.8 * milliseconds}]
        place = {"repeat": repeat, "n_atoms": 5 * repeat**3, "outcome": "measured", "first_call": 1.0, "threads": 2}
        sizes.append({**place, **times, "batches": batches, "peak_memory": 100.0, "peak_device_memory": None})
    results = {"one": {"summary": {"sizes": {"structure": sizes}}, "timings": {"import": 2.0, "load": 0.5}}}
    return speed_table(results, {"one": "model one", "two": "model two"}, {"two": "it does not know Pb"})
