"""The models that the conformance suite runs, and for each the calculator that its own package would give.

Runs under the Python of a family's environment; nothing of a model package is imported before it is needed. The cases
are those of the families' modules ``conformance``.
"""

import contextlib
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

from crucible_engine.families.load import load_model
from crucible_engine.families.registry import FAMILIES
from crucible_engine.wire.schema import ModelReference


def conformance_of(family):
    """Return a family's module of that name, or ``None``."""
    name = f"{FAMILIES[family].folder}.conformance"
    return import_module(name) if find_spec(name) else None


_CASES_OF = {family: conformance_of(family).CASES for family in FAMILIES if conformance_of(family)}
CASES = {case.name: case for cases in _CASES_OF.values() for case in cases}
HEAVY = frozenset({"deepmd", "gptff", "pet"})
"""Families that take the gate too long: TensorFlow, a package that is compiled from its source, and training."""
FIRST_OF_EACH_FAMILY = tuple(cases[0].name for cases in _CASES_OF.values())


def checkpoint_of(case, folder):
    """Return where the checkpoint of a case without released weights is."""
    return Path(folder) / f"{case.name}.checkpoint"


def reference(case, folder, dtype="float64", **changes):
    checkpoint = None if case.weights else str(checkpoint_of(case, folder))
    details = {"name": case.weights, "checkpoint": checkpoint, "settings": case.settings}
    details["trust_pickle"] = case.trust_pickle
    return ModelReference(case.family, dtype=dtype, **{**details, **changes})


def load(case, folder, dtype="float64"):
    return load_model(reference(case, folder, dtype), "cpu")


def structures(case):
    """Return distorted crystals of 4, 5, 8 and 2 atoms, in cells without any symmetry."""
    if case.crystals:
        cells = [atoms.copy() for atoms in case.crystals]
    elif case.metals:
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
    if case.cluster is not None:
        return case.cluster.copy()
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
    target = checkpoint_of(case, folder)
    if case.weights is None and not target.exists():
        conformance_of(case.family).make_checkpoint(case, target)


def package_calculator(case, folder, dtype):
    """Return the ASE calculator that the package's own documentation tells to use.

    CHGNet and SevenNet offer single precision only; their code is made to compute in double precision here by other
    means than the adapters use: ``Tensor.float`` becomes ``Tensor.double``.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        return conformance_of(case.family).package_calculator(case, checkpoint_of(case, folder), dtype)
