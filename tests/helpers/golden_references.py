"""What imported references and a comparison with them say, for the golden numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from phonopy import Phonopy
from phonopy.file_IO import write_FORCE_SETS
from rounding_noise import disturbed
from spring_crystal import SpringCrystal

from aiida_crucible.analysis.comparison.harmonic import compare_phonons
from aiida_crucible.analysis.comparison.settings import validate_comparison
from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.settings import validate_phonons, validate_trajectory
from aiida_crucible.references.trajectories.trajectory import read_trajectory

NOISE = 1e-3
"""eV/Å, added to the forces so that what is missed by sum rules is no rounding error."""
SPRINGS = [[3.0, 0.9, 0.7], [0.8, 2.5, 0.6], [0.5, 0.4, 2.1]]
COMPARISON = {"mesh": [3, 3, 3], "thermal_mesh": [4, 4, 4], "temperatures": [0.0, 300.0]}


def solved(scale: float) -> Phonopy:
    """Return the phonons of a crystal of three different springs an axis."""
    crystal = SpringCrystal(scale * np.array(SPRINGS), "CuAu", [3.0, 3.2, 3.5])
    phonon = build_phonopy(crystal.atoms, np.diag([3, 2, 2]))
    plan = plan_displacements(phonon, [0.01])
    forces = np.array([crystal.forces(plan.supercell, atoms) for atoms in plan.structures()])
    forces += NOISE * np.random.default_rng(0).normal(size=forces.shape)
    solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0])
    return phonon


def imported() -> dict[str, Any]:
    """Return what is read of force sets and of a trajectory."""
    phonon = solved(1.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        write_FORCE_SETS(phonon.dataset, filename=str(path / "FORCE_SETS"))
        phonon.save(path / "phonopy.yaml", settings={"force_sets": False, "displacements": False})
        phonons = read_phonons(path / "FORCE_SETS", validate_phonons({}), path / "phonopy.yaml")
        frames = [frame_of(phonons.atoms, seed) for seed in range(4)]
        write(path / "md.traj", frames)
        settings = validate_trajectory({"stride": 2, "length_unit": "bohr", "force_unit": "Ry/bohr"})
        trajectory = read_trajectory(path / "md.traj", settings)
    constants = phonons.constants
    return {
        "force constants": {
            "norm": np.linalg.norm(constants.values),
            "acoustic": constants.acoustic_sum_residual,
            "index": constants.index_symmetry_residual,
            **phonons.values,
        },
        "trajectory": {"positions": trajectory.positions, "forces": trajectory.forces, **trajectory.values},
    }


def frame_of(atoms: Any, seed: int) -> Any:
    """Return a frame of atoms near their places, with forces out of the blue."""
    generator = np.random.default_rng(seed)
    frame = atoms.copy()
    frame.positions += 0.1 * generator.normal(size=frame.positions.shape)
    forces = disturbed(generator.normal(size=frame.positions.shape))
    frame.calc = SinglePointCalculator(frame, energy=-1.0, forces=forces)
    return frame


def compared() -> dict[str, Any]:
    """Return how a crystal of softer springs differs."""
    found = compare_phonons(solved(1.0), solved(0.8), validate_comparison(COMPARISON))
    kept = ("errors", "frequencies", "thermal", "imaginary", "modes", "n_qpoints", "n_modes", "space_groups")
    return {name: found.values[name] for name in kept}
