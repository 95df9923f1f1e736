"""The models of MACE that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ase.build import bulk
from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case

CASES = (Case("mace", "mace", metals=True, trust_pickle=True),)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "mace.calculators.foundations_models:download_mace_mp_checkpoint",
    "mace.data:config_from_atoms",
    "mace.data:AtomicData.from_config",
    "mace.tools.torch_geometric:Batch.from_data_list",
    "mace.tools.train:train_one_epoch",
    "mace.tools.train:evaluate",
    "mace.modules:WeightedEnergyForcesStressLoss",
    "mace.tools.scripts_utils:extract_config_mace_model",
    "torch._C:_jit_set_profiling_executor",
    "torch._C:_jit_set_profiling_mode",
)
NETWORK_MEMBERS = (
    "atomic_numbers",
    "r_max",
    "heads",
    "interactions",
    "products",
    "readouts",
)


def make_checkpoint(case: Case, target: Path) -> None:
    """Train a small MACE on frames labelled by EMT, with the package's own trainer, as a user would."""
    from ase.calculators.emt import EMT
    from ase.io import write

    frames = []
    for seed in range(20):
        atoms = bulk(("Cu", "Al", "Ni")[seed % 3], cubic=True)
        atoms.symbols[0] = ("Al", "Ni", "Cu")[seed % 3]
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    folder = target.parent / "mace_training"
    folder.mkdir(exist_ok=True)
    write(folder / "train.xyz", frames, format="extxyz")
    options = {
        "name": "small", "train_file": "train.xyz", "valid_fraction": 0.1, "E0s": "average", "r_max": 4.5,
        "hidden_irreps": "8x0e+8x1o", "MLP_irreps": "8x0e", "correlation": 2, "batch_size": 5, "max_num_epochs": 2,
        "default_dtype": "float64", "device": "cpu", "seed": 1, "energy_key": "REF_energy", "forces_key": "REF_forces",
    }  # fmt: skip
    command = [sys.executable, "-m", "mace.cli.run_train", *(f"--{key}={value}" for key, value in options.items())]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "small.model").rename(target)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator."""
    from mace.calculators import MACECalculator

    return MACECalculator(model_paths=str(checkpoint), device="cpu", default_dtype=dtype)
