"""ORB: batched graphs of direct and conservative models, in single or double precision."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers
from cached_path import cached_path
from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
from orb_models.forcefield.base import AtomGraphs, batch_graphs
from orb_models.forcefield.conservative_regressor import ConservativeForcefieldRegressor
from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

from crucible_engine.families import weights
from crucible_engine.families.base import NO_STRESS, Evaluation, Identity, Model, is_periodic
from crucible_engine.families.registry import find_named
from crucible_engine.families.silence import silence
from crucible_engine.families.torch_checkpoint import read_content
from crucible_engine.families.torch_support import default_dtype, resolve_device, to_numpy
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

# "highest" keeps single precision single on a GPU; the package's default rounds its products to TensorFloat-32.
_PRECISION = {"float32": "float32-highest", "float64": "float64"}


class OrbModel(Model):
    """ORB with loaded weights.

    :param network: the network, on its device and in its precision.
    :param identity: which potential it is.
    :param elements: atomic numbers that it was trained on.
    """

    equivariant = False

    def __init__(self, network: torch.nn.Module, identity: Identity, elements: frozenset[int]) -> None:
        super().__init__(identity, elements, conservative=isinstance(network, ConservativeForcefieldRegressor))
        self.network = network

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with default_dtype(self.dtype):
            graphs = batch_graphs([self._graph(atoms) for atoms in batch])
            output = self.network.predict(graphs)
        prefix = "grad_" if self.conservative else ""
        energies = to_numpy(output["energy"]).reshape(-1)
        forces = np.split(to_numpy(output[f"{prefix}forces"]), np.cumsum([len(atoms) for atoms in batch])[:-1])
        stresses = to_numpy(output[f"{prefix}stress"]).reshape(-1, 6)
        return [
            Evaluation(float(energy), force, voigt if stress and is_periodic(atoms) else NO_STRESS.copy())
            for atoms, energy, force, voigt in zip(batch, energies, forces, stresses, strict=True)
        ]

    def _graph(self, atoms: Atoms) -> AtomGraphs:
        if any(atoms.pbc) and not is_periodic(atoms):
            raise EngineError(
                Condition.INVALID_STRUCTURE,
                f"orb takes {atoms.get_chemical_formula()} as periodic in three directions or in none, not in "
                f"{sum(atoms.pbc)}: add vacuum and make it periodic",
            )
        # ORB takes what has a cell as periodic when it removes the net torque, whatever pbc says.
        cell = atoms.cell if is_periodic(atoms) else None
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=cell, pbc=atoms.pbc)
        return ase_atoms_to_atom_graphs(bare, self.network.system_config, device=torch.device(self.device))


def load(reference: ModelReference, device: str) -> OrbModel:
    """Return ORB with the weights of a reference.

    :raises EngineError: if the device is not there, or the weights are not what the reference says.
    """
    device = resolve_device(device, reference.dtype)
    architecture = _architecture(reference)
    path = weights_path(reference)
    weights.require_whole(path)
    digest = weights.digest(path)
    weights.require_digest(digest, reference.sha256, f"orb {reference.name or path}")
    network = _network(path, architecture, reference.dtype, device)
    identity = Identity("orb", digest, reference.dtype, device, reference.name, reference.settings)
    elements = frozenset(atomic_numbers[symbol] for symbol in find_named("orb", architecture).elements)
    return OrbModel(network, identity, elements)


def weights_path(reference: ModelReference) -> Path:
    """Return the file that holds the weights of a reference; the package downloads and keeps them.

    :raises EngineError: ``CHECKPOINT_MISSING``, if the download fails.
    """
    if reference.checkpoint is not None:
        return Path(reference.checkpoint)
    address = inspect.signature(ORB_PRETRAINED_MODELS[str(reference.name)]).parameters["weights_path"].default
    return weights.downloaded(str(reference.name), lambda: cached_path(address))


def _architecture(reference: ModelReference) -> str:
    if reference.name is not None:
        return reference.name
    if "architecture" not in reference.settings:
        raise EngineError(
            Condition.INVALID_JOB,
            f"checkpoint {reference.checkpoint} of orb holds weights alone: name the released model whose architecture "
            "it has with the setting 'architecture'",
        )
    return str(reference.settings["architecture"])


def _network(path: Path, architecture: str, dtype: str, device: str) -> torch.nn.Module:
    # Weights alone, and read as such by the package (weights_only), too: nothing to opt into.
    content = read_content(path, "orb", trusted=False)
    if not isinstance(content, dict) or not any("gnn_stacks." in str(name) for name in content):
        raise weights.another_family(path, "orb")
    build = ORB_PRETRAINED_MODELS[architecture]
    # The package makes its precision torch's default for the whole process: it is put back. It builds the network
    # before that, with the default of a fresh process, which rounds some constants to single precision.
    try:
        with default_dtype("float32"), silence():
            return build(weights_path=str(path), device=device, precision=_PRECISION[dtype], compile=False)
    except RuntimeError as error:
        raise EngineError(
            Condition.INVALID_JOB,
            f"checkpoint {path.name} has not the architecture of {architecture} ({str(error).splitlines()[0]}): "
            "name the right one with the setting 'architecture'",
        ) from error
