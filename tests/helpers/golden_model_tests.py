"""Tests of a model without a model: pairs, forces and runs that formulas and random numbers give."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from ase.build import bulk
from rounding_noise import disturbed

from aiida_crucible.analysis.model_tests import conservation, dimers, robustness
from aiida_crucible.analysis.model_tests.accuracy import Labelled, measure_accuracy
from aiida_crucible.analysis.model_tests.rotations import rotational_discrepancy, turned
from aiida_crucible.analysis.model_tests.settings import validate_model_tests
from aiida_crucible.workflows.model_tests.kinds_calcfunctions import milliseconds_a_step

SETTINGS = validate_model_tests({"lebedev_order": 5, "starts": 2})


def tested() -> dict[str, Any]:
    """Return what all tests find."""
    return {
        "rotations": asdict(_rotations()),
        "dimers": _dimers(),
        "accuracy": _accuracy(),
        "robustness": _robustness(),
        "conservation": _conservation(),
        "equipartition": _equipartition(),
    }


def _rotations() -> Any:
    frames = turned(bulk("NaCl", "rocksalt", a=5.6), SETTINGS)
    positions = disturbed(np.array([frame.positions for frame in frames]))
    energies = 0.1 * positions[:, 1, 2] ** 2
    return rotational_discrepancy(energies, 0.2 * positions, SETTINGS)


def _dimers() -> dict[str, Any]:
    pair = ("Na", "Cl")
    distances = dimers.distances_of(pair, SETTINGS)
    energies = disturbed((1 - np.exp(1.2 * (2.4 - distances))) ** 2)
    forces = np.zeros((len(distances), 2, 3))
    forces[:, 1, 0] = -2.4 * (1 - np.exp(1.2 * (2.4 - distances))) * np.exp(1.2 * (2.4 - distances))
    forces[:, 0] = -forces[:, 1]
    curve = dimers.dimer_curve(pair, energies, forces, SETTINGS)
    return {"distances": curve.distances, "energies": curve.energies, "forces": curve.forces, "faults": curve.faults}


def _accuracy() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    energies, forces, stresses = rng.normal(size=12), rng.normal(size=(12, 3, 3)), rng.normal(size=(12, 6))
    noise = rng.normal(size=12), rng.normal(size=(12, 3, 3)), rng.normal(size=(12, 6))
    predicted = {
        "energies": energies + 0.1 * noise[0],
        "forces": disturbed(forces) + 0.1 * noise[1],
        "stresses": stresses + 0.1 * noise[2],
    }
    subsets = ["a", "b"] * 6
    group = Labelled(np.array([8, 8, 22]), energies, forces, stresses, predicted, subsets, np.arange(12))
    return measure_accuracy([group], SETTINGS)


def _robustness() -> dict[str, Any]:
    starts = robustness.disturbed_starts(bulk("LiBr", "rocksalt", a=5.5), SETTINGS, 1)
    outcomes = {"LiBr": ["converged"] * 18 + ["runaway"] * 2}
    answer = robustness.judge_robustness(outcomes, {"LiBr": list(range(20))}, {}, 0.5)
    return {"positions": starts[0].positions, "cell": starts[1].cell.array, "answer": asdict(answer)}


def joined() -> dict[str, Any]:
    """Return what runs with several kinds of forces say together."""
    results = {"summary": {"steps_done": 200, "resumed_from_step": None}, "timings": {"compute": 3.0}}
    continued = {"summary": {"steps_done": 200, "resumed_from_step": 80}, "timings": {"compute": 1.0}}
    milliseconds = {
        "conservative": milliseconds_a_step(results),
        "direct": milliseconds_a_step(continued),
        "multiple": 9.0,
    }
    answers = {
        kind: conservation.judge_conservation("stable", times, heat * times, 8, 1e-4)
        for times in [np.arange(200) * 0.01]
        for kind, heat in (("conservative", 0.0), ("direct", 0.05), ("multiple", 1e-5))
    }
    return {own: asdict(conservation.judge_kinds(answers, milliseconds, own)) for own in ("conservative", "direct")}


def _conservation() -> dict[str, Any]:
    times = np.arange(200) * 0.01
    energies = 0.05 * times + 0.01 * disturbed(np.random.default_rng(0).normal(size=200))
    return asdict(conservation.judge_conservation("stable", times, energies, 8, 1e-4))


def _equipartition() -> dict[str, Any]:
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    velocities = 0.01 * disturbed(np.random.default_rng(0).normal(size=(60, len(atoms), 3)))
    found = conservation.temperatures_by_element(atoms.numbers, atoms.get_masses(), velocities)
    return asdict(conservation.judge_equipartition("stable", found, 500.0, 0.05))
