"""The models that the conformance suite runs, and for each the calculator that its own package would give.

Runs under the Python of a family's environment; nothing of a model package is imported before it is needed.
"""

import contextlib
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import ModelReference


@dataclass(frozen=True)
class Case:
    """One model.

    :param name: how reports call it.
    :param family: its family.
    :param weights: name of released weights; ``None`` for a checkpoint made by :func:`make_checkpoint`.
    :param settings: what else the reference needs.
    :param conservative: what the adapter must say of it.
    :param metals: whether it knows no more than a few metals.
    :param trust_pickle: whether its checkpoint can only be unpickled.
    :param supercell_tolerance: eV/atom that the energy may change by in a supercell, where the package is not exact.
    """

    name: str
    family: str
    weights: str | None = None
    settings: dict = field(default_factory=dict)
    conservative: bool = True
    metals: bool = False
    trust_pickle: bool = False
    supercell_tolerance: float = 1e-9

    def reference(self, folder, dtype="float64", **changes):
        checkpoint = None if self.weights else str(Path(folder) / f"{self.name}.checkpoint")
        details = {"name": self.weights, "checkpoint": checkpoint, "settings": self.settings}
        details["trust_pickle"] = self.trust_pickle
        return ModelReference(self.family, dtype=dtype, **{**details, **changes})

    def load(self, folder, dtype="float64"):
        return load_model(self.reference(folder, dtype), "cpu")


CASES = {
    case.name: case
    for case in (
        Case("chgnet-0.3.0", "chgnet", "0.3.0"),
        Case("chgnet-0.2.0", "chgnet", "0.2.0"),
        Case("chgnet-r2scan", "chgnet", "r2scan"),
        Case("7net-0", "sevennet", "7net-0"),
        Case("7net-0_22May2024", "sevennet", "7net-0_22May2024"),
        Case("7net-l3i5", "sevennet", "7net-l3i5"),
        Case("7net-mf-0-PBE", "sevennet", "7net-mf-0", {"modal": "PBE"}),
        Case("7net-mf-0-R2SCAN", "sevennet", "7net-mf-0", {"modal": "R2SCAN"}),
        Case("mace", "mace", metals=True, trust_pickle=True),
        # It keeps the 20 nearest neighbours, and an atom's images at +R and -R are always equally near: which one is
        # kept is arbitrary, and differs in a supercell.
        Case("orb-v2", "orb", settings={"architecture": "orb-v2"}, conservative=False, supercell_tolerance=1e-3),
        # Its short-range repulsion is averaged over the atoms of a cell where it should be summed (orb-models 0.5.5,
        # ZBLBasis.node_aggregation): the energy is not extensive once a bond is shorter than the covalent radii.
        Case(
            "orb-v3",
            "orb",
            settings={"architecture": "orb-v3-conservative-inf-omat"},
            supercell_tolerance=1e-3,
        ),
        Case("emt", "emt", "emt", metals=True),
    )
}


def structures(case):
    """Return distorted crystals of 4, 5, 8 and 2 atoms, in cells without any symmetry."""
    if case.metals:
        cells = [
            bulk("Cu", cubic=True),
            bulk("Al") * (1, 1, 5),
            bulk("Ni") * (2, 2, 2),
            Atoms("CuAl", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[3.0, 3.1, 3.2], pbc=True),
        ]
    else:
        perovskite = [[0, 0, 0.09], [0.5, 0.5, 0.56], [0.5, 0.5, 0.98], [0.5, 0, 0.47], [0, 0.5, 0.47]]
        cells = [
            bulk("Si") * (2, 1, 1),
            Atoms("PbTiO3", scaled_positions=perovskite, cell=[3.87, 3.87, 4.2], pbc=True),
            bulk("NaCl", "rocksalt", 5.6, cubic=True),
            bulk("MgO", "rocksalt", 4.2),
        ]
    return [_distorted(atoms, seed) for seed, atoms in enumerate(cells)]


def cluster(case):
    """Return something that is not periodic, in a cell without volume."""
    return (
        Atoms("Cu4", positions=[[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.6]]) if case.metals else molecule("H2O")
    )


def _distorted(atoms, seed):
    random = np.random.default_rng(seed)
    atoms.rattle(0.06, seed=seed)
    strain = np.eye(3) + 0.02 * random.uniform(-1, 1, (3, 3))
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    return atoms


def make_checkpoint(case, folder):
    """Write the checkpoint of a case whose package ships none."""
    target = Path(folder) / f"{case.name}.checkpoint"
    if case.weights is None and not target.exists():
        {"mace": _train_mace, "orb": _random_orb}[case.family](case, target)


def _train_mace(case, target):
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


def _random_orb(case, target):
    import torch
    from orb_models.forcefield import pretrained

    torch.manual_seed(0)
    build = pretrained.orb_v2_architecture if case.name == "orb-v2" else pretrained.orb_v3_conservative_architecture
    torch.save(build(device="cpu").state_dict(), target)


def package_calculator(case, folder, dtype):
    """Return the ASE calculator that the package's own documentation tells to use.

    CHGNet and SevenNet offer single precision only; their code is made to compute in double precision here by other
    means than the adapters use: ``Tensor.float`` becomes ``Tensor.double``.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        return _PACKAGE[case.family](case, Path(folder) / f"{case.name}.checkpoint", dtype)


def _in_double(calculator, *patches):
    """Make a calculator compute with torch's default, and its ``Tensor.float``, in double precision."""
    import torch

    calculator.model.double()
    calculate = calculator.calculate

    def calculate_in_double(*arguments, **keywords):
        torch.set_default_dtype(torch.float64)
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
                for patch in patches:
                    stack.enter_context(patch)
                calculate(*arguments, **keywords)
        finally:
            torch.set_default_dtype(torch.float32)

    calculator.calculate = calculate_in_double
    return calculator


def _chgnet(case, checkpoint, dtype):
    import torch
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    calculator = CHGNetCalculator(CHGNet.load(model_name=case.weights, use_device="cpu"), use_device="cpu")
    if dtype == "float32":
        return calculator
    modules = ("chgnet.graph.converter", "chgnet.model.model")
    return _in_double(calculator, *(mock.patch(f"{module}.TORCH_DTYPE", torch.float64) for module in modules))


def _sevennet(case, checkpoint, dtype):
    import torch
    from sevenn.calculator import SevenNetCalculator
    from sevenn.util import dtype_correct

    calculator = SevenNetCalculator(case.weights, device="cpu", **case.settings)
    if dtype == "float32":
        return calculator
    return _in_double(calculator, mock.patch.object(dtype_correct, "__defaults__", (torch.float64, torch.int64)))


def _mace(case, checkpoint, dtype):
    from mace.calculators import MACECalculator

    return MACECalculator(model_paths=str(checkpoint), device="cpu", default_dtype=dtype)


def _orb(case, checkpoint, dtype):
    import torch
    from orb_models.forcefield.calculator import ORBCalculator
    from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

    precision = {"float32": "float32-highest", "float64": "float64"}[dtype]
    build = ORB_PRETRAINED_MODELS[case.settings["architecture"]]
    calculator = ORBCalculator(
        build(weights_path=str(checkpoint), device="cpu", precision=precision, compile=False), device="cpu"
    )
    # The package makes its precision torch's default, and its calculator relies on that.
    torch.set_default_dtype(torch.float32)
    return calculator if dtype == "float32" else _in_double(calculator)


def _emt(case, checkpoint, dtype):
    from ase.calculators.emt import EMT

    return EMT()


_PACKAGE = {"chgnet": _chgnet, "sevennet": _sevennet, "mace": _mace, "orb": _orb, "emt": _emt}
