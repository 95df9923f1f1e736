"""The numbers that the analysis behind each calcfunction gives, kept in ``tests/data`` with their ``NUMERICS``.

``python tests/helpers/golden_analysis.py`` computes and stores them anew; it refuses where numbers changed and the
``NUMERICS`` of the calcfunctions' file did not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import golden_anharmonicity
import golden_benchmark
import golden_elasticity
import golden_heat
import golden_members
import golden_model_tests
import golden_references
import golden_similarity
import golden_sweep
import golden_training
import numpy as np
from ase import Atoms
from golden_numbers import differences, plain
from perovskite import tetragonal
from rounding_noise import disturbed
from scipy.integrate import trapezoid
from spring_crystal import SpringCrystal

from aiida_crucible.analysis.crystal.cells import formula_units, lattice_parameters
from aiida_crucible.analysis.phonons.phonon_analysis import PhononAnalysis, analyse, prepare
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.phonons.vibrations import analyse_vibrations, displaced, summarise_vibrations
from aiida_crucible.analysis.verdict.reliability import assess, validate_thresholds
from aiida_crucible.datasets import calcfunctions as datasets
from aiida_crucible.references import calcfunctions as references
from aiida_crucible.workflows.anharmonicity import calcfunctions as anharmonicity
from aiida_crucible.workflows.benchmark import batch_calcfunctions as benchmark_batches
from aiida_crucible.workflows.benchmark import calcfunctions as benchmark
from aiida_crucible.workflows.benchmark import material_calcfunctions as benchmark_materials
from aiida_crucible.workflows.comparison import calcfunctions as comparison
from aiida_crucible.workflows.conductivity import calcfunctions as conductivity
from aiida_crucible.workflows.configuration_space import calcfunctions as configuration_space
from aiida_crucible.workflows.elastic import calcfunctions as elastic
from aiida_crucible.workflows.equation_of_state import calcfunctions as equation_of_state
from aiida_crucible.workflows.harmonic_comparison import calcfunctions as harmonic_comparison
from aiida_crucible.workflows.model_tests import calcfunctions as model_tests
from aiida_crucible.workflows.model_tests import kinds_calcfunctions as kinds_of_forces
from aiida_crucible.workflows.phonon import calcfunctions as phonons
from aiida_crucible.workflows.qha import calcfunctions as qha
from aiida_crucible.workflows.relax import calcfunctions as relaxation
from aiida_crucible.workflows.reliability import calcfunctions as reliability
from aiida_crucible.workflows.speed import calcfunctions as speed
from aiida_crucible.workflows.sweep import calcfunctions as sweep
from aiida_crucible.workflows.sweep import ensemble_calcfunctions as sweep_ensemble
from aiida_crucible.workflows.sweep import run_calcfunctions as dynamics
from aiida_crucible.workflows.train import calcfunctions as training
from aiida_crucible.workflows.vibrations import calcfunctions as vibrations

STORED = Path(__file__).parents[1] / "data" / "golden_analysis.json"

SETTINGS = {
    "supercell_matrix": [3, 2, 2],
    "plusminus": "always",
    "other_displacements": [0.02],
    "mesh": [3, 3, 3],
    "dos_mesh": [6, 6, 6],
    "band_path": [[[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]],
    "band_labels": [["GAMMA", "X", "M"]],
    "band_points": 7,
    "max_temperature": 600.0,
    "temperature_step": 200.0,
}
NOISE = 1e-4
"""eV/Å, added to the forces so that the noise floor and what follows from it are no zeros."""

Numbers = dict[str, Any]


def analysed() -> Numbers:
    """Return all that is said of the phonons of a crystal of three different springs an axis."""
    crystal = SpringCrystal([[3.0, 0.9, 0.7], [0.8, 2.5, 0.6], [0.5, 0.4, 2.1]], "CuAu", [3.0, 3.2, 3.5])
    settings = validate_settings(SETTINGS)
    _, plan = prepare(crystal.atoms, settings)
    ideal, *displaced = plan.structures()
    forces = np.array([crystal.forces(ideal, atoms) for atoms in (ideal, *displaced)])
    forces += NOISE * np.random.default_rng(0).normal(size=forces.shape)
    return _said(analyse(crystal.atoms, settings, forces))


def _said(analysis: PhononAnalysis) -> Numbers:
    frequencies, total, _ = analysis.dos
    mesh, constants = analysis.mesh, analysis.force_constants
    amplitudes = analysis.summary["amplitudes"]
    at_gamma = {
        "gamma_frequencies": _squares(analysis.summary["gamma_frequencies"]),
        "amplitudes": {**amplitudes, "gamma_frequencies": _squares(amplitudes["gamma_frequencies"])},
    }
    return {
        "summary": {**analysis.summary, **at_gamma},
        "force constants": {"norm": np.linalg.norm(constants.values), "first": constants.values[0, 0]},
        "bands": {"squares": _squares(analysis.bands.frequencies), "resolvable": analysis.bands.resolvable},
        # Which wave vectors stand for the others is spglib's choice; sums over all do not depend on it.
        "mesh": {
            "weights": mesh.weights.sum(),
            "frequencies": mesh.weights @ mesh.frequencies,
            "group velocities": mesh.weights @ np.linalg.norm(mesh.group_velocities, axis=2),
        },
        "dos": {"integral": trapezoid(total, frequencies), "mean": trapezoid(total * frequencies, frequencies)},
        "thermal": {
            "free energy": analysis.thermal.free_energy,
            "entropy": analysis.thermal.entropy,
            "heat capacity": analysis.thermal.heat_capacity,
        },
    }


def _squares(frequencies: Any) -> np.ndarray:
    """Return signed squares, THz²: the translations' are rounding errors, whose roots are not small."""
    return np.array(frequencies) * np.abs(frequencies)


def vibrating() -> Numbers:
    """Return the vibrations of a bent molecule of springs, with noise in its forces."""
    atoms = Atoms("HOH", positions=[[0.76, 0.59, 0.0], [0.0, 0.0, 0.0], [-0.76, 0.59, 0.0]])
    atoms.positions = disturbed(atoms.positions)
    ideal = atoms.get_all_distances()
    frames, noise = displaced(atoms, 0.01), np.random.default_rng(1)
    forces = []
    for frame in frames:
        arms = frame.positions[None] - frame.positions[:, None]
        distances = np.linalg.norm(arms, axis=2)
        pulls = 30.0 * (distances - ideal) / np.where(distances > 0, distances, 1.0)
        forces.append(np.einsum("ij,ijk->ik", pulls, arms) + NOISE * noise.normal(size=(3, 3)))
    return summarise_vibrations(atoms, analyse_vibrations(atoms, np.array(forces), 0.01))


def described() -> Numbers:
    """Return the conventional cells of crystals in other settings."""
    cells = {"tetragonal": tetragonal(), "supercell": tetragonal() * (1, 1, 2), "primitive": _centred()}
    return {
        name: {"lattice": lattice_parameters(atoms, relaxation.SYMMETRY_TOLERANCE), "units": formula_units(atoms)}
        for name, atoms in cells.items()
    }


def _centred() -> Atoms:
    return disturbed(Atoms("Fe", cell=[[-1.43, 1.43, 1.6], [1.43, -1.43, 1.6], [1.43, 1.43, -1.6]], pbc=True))


def assessed() -> Numbers:
    """Return the answers to all questions."""
    phases = {
        name: {
            "outcome": "converged",
            "energy_per_formula_unit": disturbed(energy),
            "lattice": {"a": a, "c": 5.0, "c_over_a": disturbed(5 / a)},
        }
        for name, energy, a in (("structure", -33.0, 3.8), ("cubic", -32.8, 3.9), ("other", -33.0004, 3.7))
    }
    said = analysed()["summary"]
    reference = {
        "lattice": {"a": 3.9, "c": 4.15},
        "energy_differences": {"cubic": 0.07, "other": 0.2},
        "transition_temperature": 760.0,
    }
    verification = {"outcome": "failed", "summary": {"faults": ["direct-forces"]}}
    relaxed = {"outcome": "converged", "structures": phases}
    hot = golden_sweep.said_of_sweep()["answers"]
    return assess(verification, relaxed, said, reference, validate_thresholds({}), sweep=hot)


CASES: dict[str, tuple[ModuleType, Callable[[], Numbers]]] = {
    "anharmonicity": (anharmonicity, golden_anharmonicity.analysed),
    "benchmark": (benchmark, golden_benchmark.aggregated),
    "benchmark_batches": (benchmark_batches, golden_benchmark.prepared),
    "benchmark_materials": (benchmark_materials, golden_benchmark.measured),
    "comparison": (comparison, golden_members.compared),
    "conductivity": (conductivity, golden_heat.carried),
    "configuration_space": (configuration_space, golden_similarity.mapped),
    "datasets": (datasets, golden_training.divided),
    "dynamics": (dynamics, golden_sweep.said_of_run),
    "elastic": (elastic, golden_elasticity.strained),
    "equation_of_state": (equation_of_state, golden_elasticity.compressed),
    "harmonic_comparison": (harmonic_comparison, golden_references.compared),
    "kinds_of_forces": (kinds_of_forces, golden_model_tests.joined),
    "model_tests": (model_tests, golden_model_tests.tested),
    "phonons": (phonons, analysed),
    "qha": (qha, golden_heat.heated),
    "references": (references, golden_references.imported),
    "relaxation": (relaxation, described),
    "reliability": (reliability, assessed),
    "speed": (speed, golden_members.timed),
    "sweep_ensemble": (sweep_ensemble, golden_members.weighed),
    "sweep": (sweep, golden_sweep.said_of_sweep),
    "training": (training, golden_training.trained),
    "vibrations": (vibrations, vibrating),
}
"""For each file of calcfunctions, what is computed with the analysis behind it."""


def remedy(module: ModuleType) -> str:
    """Return what to do about numbers that changed."""
    file = "/".join(Path(str(module.__file__)).parts[-4:])
    return (
        f"if that is meant, raise NUMERICS in {file}, so that no cached result of the old numbers is taken for a new "
        "one, and run 'python tests/helpers/golden_analysis.py'"
    )


def read_stored() -> dict[str, Any]:
    """Return what is stored: for each case ``numerics`` and ``numbers``."""
    return json.loads(STORED.read_text()) if STORED.exists() else {}


def changes(case: str, stored: dict[str, Any]) -> list[str]:
    """Return one line for each number of a case that is another one than the stored."""
    return list(differences(stored[case]["numbers"], plain(CASES[case][1]())))


def main() -> str | None:
    """Compute the numbers and store them; return a complaint where that would hide a change."""
    stored, computed = read_stored(), {}
    for case, (module, compute) in CASES.items():
        computed[case] = {"numerics": module.NUMERICS, "numbers": plain(compute())}
        known = stored.get(case)
        if known is None or known["numerics"] != module.NUMERICS:
            continue
        if changed := list(differences(known["numbers"], computed[case]["numbers"])):
            still = f"numbers of {case} changed and NUMERICS is still {module.NUMERICS} (first: {changed[0]})"
            return f"{still}: {remedy(module)}"
    STORED.write_text(json.dumps(computed, indent=1) + "\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
