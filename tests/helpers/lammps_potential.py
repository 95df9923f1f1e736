"""A Deep Potential of copper and aluminium that holds a crystal together: trained on EMT in a minute, in its package.

``python lammps_potential.py graph.pb``, with the Python of the environment of DeePMD-kit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

SYMBOLS = ("Cu", "Al")
INPUT = {
    "model": {
        "type_map": list(SYMBOLS),
        "descriptor": {
            "type": "se_e2_a", "sel": [100, 60], "rcut": 4.5, "rcut_smth": 2.0, "neuron": [10, 20], "axis_neuron": 4,
            "seed": 1,
        },
        "fitting_net": {"neuron": [24, 24], "seed": 1},
    },
    "learning_rate": {"type": "exp", "start_lr": 0.005, "stop_lr": 1e-4, "decay_steps": 100},
    "loss": {"type": "ener"},
    "training": {
        "training_data": {"systems": ["frames"], "batch_size": 8},
        "numb_steps": 1500, "seed": 1, "disp_freq": 100, "save_freq": 1500,
    },
}  # fmt: skip


def train(target: Path) -> None:
    """Label frames of Cu3Al at many volumes and displacements, train and freeze."""
    folder = target.parent / "training"
    arrays = folder / "frames" / "set.000"
    arrays.mkdir(parents=True, exist_ok=True)
    frames = []
    rng = np.random.default_rng(0)
    for seed in range(96):
        atoms = bulk("Cu", cubic=True)
        atoms.symbols[0] = "Al"
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))), scale_atoms=True)
        atoms.rattle(rng.uniform(0.02, 0.15), seed=seed)
        atoms.calc = EMT()
        frames.append(atoms)
    (folder / "frames" / "type.raw").write_text("\n".join(str(SYMBOLS.index(s)) for s in frames[0].symbols))
    (folder / "frames" / "type_map.raw").write_text("\n".join(SYMBOLS))
    np.save(arrays / "coord.npy", [atoms.positions.ravel() for atoms in frames])
    np.save(arrays / "box.npy", [atoms.cell.array.ravel() for atoms in frames])
    np.save(arrays / "energy.npy", [atoms.get_potential_energy() for atoms in frames])
    np.save(arrays / "force.npy", [atoms.get_forces().ravel() for atoms in frames])
    (folder / "input.json").write_text(json.dumps(INPUT))
    for command in (["train", "input.json", "--skip-neighbor-stat"], ["freeze", "-o", "graph.pb"]):
        subprocess.run([sys.executable, "-m", "deepmd", "--tf", *command], cwd=folder, check=True, capture_output=True)
    (folder / "graph.pb").rename(target)


if __name__ == "__main__":
    train(Path(sys.argv[1]).resolve())
