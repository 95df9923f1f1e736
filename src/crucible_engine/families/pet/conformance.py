"""The models of the PET family that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case

# A model that metatomic exported, as it is trained, and a checkpoint of metatrain with an ensemble.
CASES = (
    Case("pet", "pet", metals=True, trust_pickle=True),
    Case("pet-llpr", "pet", settings={"ensemble": 3}, metals=True, trust_pickle=True, like="pet"),
)

# Of the packages, what has an underscore or no documentation.
MEMBERS = (
    "metatrain.utils.io:model_from_checkpoint",
    "upet._models:_resolve_and_download_checkpoint",
)

SYMBOLS = ("Cu", "Al", "Ni")
MEMBERS_OF_ENSEMBLE = 16
NETWORK = {
    "cutoff": 4.5, "d_pet": 16, "d_head": 16, "d_node": 16, "d_feedforward": 16, "num_heads": 2,
    "num_attention_layers": 1, "num_gnn_layers": 2,
}  # fmt: skip


def make_checkpoint(case: Case, target: Path) -> None:
    """Train a small PET on frames labelled by EMT, with the package's own program, as a user would."""
    folder = target.parent / f"{case.name}-training"
    train(folder, labelled_frames(range(20)), labelled_frames(range(20, 26)), epochs=10)
    if case.settings:
        add_ensemble(folder)
    (folder / ("llpr.ckpt" if case.settings else "model.pt")).rename(target)


def labelled_frames(seeds: range) -> list[Atoms]:
    """Return distorted alloys of four atoms with EMT's energy (eV), forces (eV/Å) and stress (eV/Å³)."""
    from ase.calculators.emt import EMT

    frames = []
    for seed in seeds:
        atoms = bulk(SYMBOLS[seed % 3], cubic=True)
        atoms.symbols[0] = SYMBOLS[(seed + 1) % 3]
        atoms.rattle(0.1, seed=seed)
        strain = 0.03 * np.random.default_rng(seed).uniform(-1, 1, (3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        atoms.calc = EMT()
        atoms.info["emt_energy"] = atoms.get_potential_energy()
        atoms.info["emt_stress"] = atoms.get_stress(voigt=False)
        atoms.arrays["emt_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    return frames


def train(
    folder: Path, training: list[Atoms], validation: list[Atoms], epochs: int, direct: Sequence[str] = ()
) -> None:
    """Train in a folder, which then has ``model.ckpt`` and ``model.pt``.

    :param direct: which of ``force`` and ``stress`` get a head of their own beside the energy's gradient.
    """
    from ase.io import write

    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "training.xyz", training, format="extxyz")
    write(folder / "validation.xyz", validation, format="extxyz")
    training_settings = {"batch_size": 5, "num_epochs": epochs, "learning_rate": 0.003, "log_interval": epochs}
    _run(folder, "model", {"name": "pet", "model": NETWORK, "training": training_settings}, direct)


def add_ensemble(folder: Path) -> None:
    """Wrap the model of a folder, which then has ``llpr.ckpt`` and ``llpr.pt`` too, with an ensemble of its energy."""
    members = {"num_ensemble_members": {"energy": MEMBERS_OF_ENSEMBLE}}
    training = {"model_checkpoint": "model.ckpt", "batch_size": 2}
    _run(folder, "llpr", {"name": "llpr", "model": members, "training": training})


def _run(folder: Path, name: str, architecture: dict[str, Any], direct: Sequence[str] = ()) -> None:
    settings = {
        "device": "cpu", "base_precision": 32, "seed": 1, "architecture": architecture, "test_set": 0.0,
        "training_set": _data("training.xyz", direct), "validation_set": _data("validation.xyz", direct),
    }  # fmt: skip
    # JSON is YAML.
    (folder / f"{name}.yaml").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "metatrain", "train", f"{name}.yaml", "-o", f"{name}.pt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _data(file: str, direct: Sequence[str]) -> dict[str, Any]:
    energy = {
        "quantity": "energy", "unit": "eV", "read_from": file, "key": "emt_energy",
        "forces": {"key": "emt_forces"}, "stress": {"key": "emt_stress"},
    }  # fmt: skip
    heads = {
        "force": {
            "quantity": "force", "unit": "eV/A", "read_from": file, "key": "emt_forces", "sample_kind": "atom",
            "type": {"cartesian": {"rank": 1}},
        },
        "stress": {
            "quantity": "pressure", "unit": "eV/A^3", "read_from": file, "key": "emt_stress", "sample_kind": "system",
            "type": {"cartesian": {"rank": 2}},
        },
    }  # fmt: skip
    targets = {"energy": energy, **{f"non_conservative_{what}": heads[what] for what in direct}}
    return {"systems": {"read_from": file, "length_unit": "angstrom"}, "targets": targets}


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the calculator of metatomic for an exported model, and that of upet for a checkpoint."""
    import torch
    from metatomic.torch import load_atomistic_model
    from metatomic_ase import MetatomicCalculator
    from upet.ase import UPETCalculator

    if case.settings:
        return UPETCalculator(checkpoint_path=checkpoint, dtype=dtype, device="cpu", uncertainty_threshold=None)
    model = load_atomistic_model(checkpoint)
    # upet's way to another precision than a model's own.
    model.capabilities().dtype = dtype
    return MetatomicCalculator(model.to(dtype=getattr(torch, dtype)), device="cpu", uncertainty_threshold=None)
