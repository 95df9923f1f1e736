"""The models of DeePMD-kit that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case

CASES = (
    Case("deepmd-se_e2_a", "deepmd", metals=True),
    # DPA-1's attention does not vanish at the cutoff (smooth_type_embedding is off by default): a pair 3e-4 Å short
    # of it crosses it with a larger step, and the difference has the jump of the energy in it.
    Case("deepmd-dpa1", "deepmd", metals=True, step=5e-5, like="deepmd-se_e2_a"),
)

SYMBOLS = ("Cu", "Al", "Ni")
_SHARED = {"rcut": 4.5, "rcut_smth": 2.0, "neuron": [4, 8], "axis_neuron": 4, "seed": 1}
DESCRIPTORS: dict[str, dict[str, Any]] = {
    "deepmd-se_e2_a": {"type": "se_e2_a", "sel": [80, 80, 80], **_SHARED},
    "deepmd-dpa1": {"type": "se_atten", "sel": 160, "attn": 8, "attn_layer": 1, "attn_dotr": True, **_SHARED},
}


def make_checkpoint(case: Case, target: Path) -> None:
    """Train a small potential on frames labelled by EMT, and freeze it, with the package's program as a user would."""
    folder = target.parent / f"{case.name}-training"
    systems = [_system(folder / "".join(symbols), symbols) for symbols in (("Cu", "Al"), ("Al", "Ni"), ("Ni", "Cu"))]
    settings = {
        "model": {
            "type_map": list(SYMBOLS),
            "descriptor": DESCRIPTORS[case.name],
            "fitting_net": {"neuron": [16, 16], "seed": 1},
        },
        "learning_rate": {"type": "exp", "start_lr": 0.01, "stop_lr": 1e-4, "decay_steps": 10},
        "loss": {"type": "ener"},
        "training": {
            "training_data": {"systems": systems, "batch_size": 4},
            "numb_steps": 100, "seed": 1, "disp_freq": 100, "save_freq": 100,
        },
    }  # fmt: skip
    (folder / "input.json").write_text(json.dumps(settings), encoding="utf-8")
    for command in (["train", "input.json", "--skip-neighbor-stat"], ["freeze", "-o", "graph.pb"]):
        program = [sys.executable, "-m", "deepmd", "--tf", *command]
        subprocess.run(program, cwd=folder, check=True, capture_output=True)
    (folder / "graph.pb").rename(target)


def _system(folder: Path, symbols: tuple[str, str]) -> str:
    """Write frames of one composition in the package's format; return the path of their folder."""
    from ase.calculators.emt import EMT

    frames = []
    for seed in range(8):
        atoms = bulk(symbols[0], cubic=True)
        atoms.symbols[0] = symbols[1]
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        frames.append(atoms)
    arrays = folder / "set.000"
    arrays.mkdir(parents=True, exist_ok=True)
    types = [str(SYMBOLS.index(symbol)) for symbol in frames[0].get_chemical_symbols()]
    (folder / "type.raw").write_text("\n".join(types), encoding="utf-8")
    (folder / "type_map.raw").write_text("\n".join(SYMBOLS), encoding="utf-8")
    np.save(arrays / "coord.npy", [atoms.positions.ravel() for atoms in frames])
    np.save(arrays / "box.npy", [atoms.cell.array.ravel() for atoms in frames])
    np.save(arrays / "energy.npy", [atoms.get_potential_energy() for atoms in frames])
    np.save(arrays / "force.npy", [atoms.get_forces().ravel() for atoms in frames])
    return str(folder.resolve())


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, which takes a graph by the ending of its name."""
    from deepmd.calculator import DP

    named = checkpoint.with_suffix(".pb")
    named.write_bytes(checkpoint.read_bytes())
    return DP(named)
