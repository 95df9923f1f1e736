"""MACE: batches of atomic graphs through its own torch_geometric, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress
from mace.calculators.foundations_models import download_mace_mp_checkpoint
from mace.data import AtomicData, config_from_atoms
from mace.tools import AtomicNumberTable
from mace.tools.torch_geometric import Batch

from crucible_engine.families import weights
from crucible_engine.families.base import NO_STRESS, Evaluation, Identity, Model, is_periodic
from crucible_engine.families.torch_checkpoint import unpickle
from crucible_engine.families.torch_support import DTYPES, default_dtype, resolve_device, to_numpy
from crucible_engine.wire.schema import Condition, EngineError, ModelReference


class MaceModel(Model):
    """MACE with loaded weights.

    :param network: the network, on its device and in its precision.
    :param identity: which potential it is.
    """

    def __init__(self, network: torch.nn.Module, identity: Identity) -> None:
        # In the network's own order, which need not be sorted.
        species = [int(number) for number in network.atomic_numbers]
        super().__init__(identity, frozenset(species))
        self.network = network
        self._species = AtomicNumberTable(species)
        self._cutoff = float(network.r_max)

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with default_dtype(self.dtype):
            data = Batch.from_data_list([self._graph(atoms) for atoms in batch]).to(self.device)
            output = self.network(data.to_dict(), compute_stress=stress)
        energies = to_numpy(output["energy"])
        forces = np.split(to_numpy(output["forces"]), np.cumsum([len(atoms) for atoms in batch])[:-1])
        stresses = to_numpy(output["stress"]) if stress else [None] * len(batch)
        return [
            Evaluation(float(energy), force, _stress(atoms, matrix))
            for atoms, energy, force, matrix in zip(batch, energies, forces, stresses, strict=True)
        ]

    def _graph(self, atoms: Atoms) -> AtomicData:
        # Without the structure's info and arrays: MACE would read weights and labels from them.
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        heads = network_heads(self.network)
        config = config_from_atoms(bare, head_name=self.settings.get("head", heads[0]))
        return AtomicData.from_config(config, z_table=self._species, cutoff=self._cutoff, heads=heads)


def network_heads(network: torch.nn.Module) -> list[str]:
    """Return the names of the levels of theory that a network has an output for."""
    return list(getattr(network, "heads", None) or ["Default"])


def load(reference: ModelReference, device: str) -> MaceModel:
    """Return MACE with the weights of a reference.

    :raises EngineError: if the device is not there, or the weights are not what the reference says.
    """
    device = resolve_device(device, reference.dtype)
    path = weights_path(reference)
    weights.require_whole(path)
    digest = weights.digest(path)
    weights.require_digest(digest, reference.sha256, f"mace {reference.name or path}")
    network = _network(path, reference, device)
    network.to(device=device, dtype=DTYPES[reference.dtype]).eval().requires_grad_(False)
    settings = _with_head(network, reference, path)
    identity = Identity("mace", digest, reference.dtype, device, reference.name, settings)
    return MaceModel(network, identity)


def weights_path(reference: ModelReference) -> Path:
    """Return the file that holds the weights of a reference; the package downloads and keeps them.

    :raises EngineError: ``CHECKPOINT_MISSING``, if the download fails.
    """
    if reference.checkpoint is not None:
        return Path(reference.checkpoint)
    return weights.downloaded(str(reference.name), lambda: download_mace_mp_checkpoint(reference.name))


def _network(path: Path, reference: ModelReference, device: str) -> torch.nn.Module:
    if not any(name.startswith("mace.") for name in weights.pickled_globals(path)):
        raise weights.another_family(path, "mace")
    # MACE saves whole modules, which only unpickling reads.
    if not weights.is_trusted(reference):
        raise weights.untrusted(path, "mace")
    network = unpickle(path, "mace", device)
    if not hasattr(network, "atomic_numbers") or not hasattr(network, "r_max"):
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"checkpoint {path.name} holds a {type(network).__name__}, not a MACE potential: give the '.model' file",
        )
    return network


def _with_head(network: torch.nn.Module, reference: ModelReference, path: Path) -> dict[str, Any]:
    heads, wanted = network_heads(network), reference.settings.get("head")
    if wanted is None and len(heads) == 1:
        return reference.settings
    if wanted not in heads:
        raise EngineError(
            Condition.INVALID_JOB,
            f"setting 'head' of {reference.name or path.name} is {wanted!r}: choose one of {', '.join(heads)}",
        )
    return reference.settings


def _stress(atoms: Atoms, matrix: Any) -> Any:
    if matrix is None or not is_periodic(atoms):
        return NO_STRESS.copy()
    return full_3x3_to_voigt_6_stress(matrix)
