"""MACE: batches of atomic graphs through its own torch_geometric, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from mace.data import AtomicData
from mace.tools import AtomicNumberTable

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, Model, stress_of
from crucible_engine.families.mace import compat
from crucible_engine.families.torch_checkpoint import CheckpointLoader, placed, unpickle
from crucible_engine.families.torch_support import default_dtype, to_numpy
from crucible_engine.wire.schema import Condition, EngineError


class MaceModel(Model):
    """MACE with loaded weights.

    :param network: the network, on its device and in its precision.
    :param identity: which potential it is.
    """

    def __init__(self, network: torch.nn.Module, identity: Identity) -> None:
        # In the network's own order, which need not be sorted.
        species = compat.atomic_numbers(network)
        super().__init__(identity, frozenset(species))
        self.network = network
        self._species = AtomicNumberTable(species)
        self._cutoff = compat.cutoff(network)

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with default_dtype(self.dtype):
            data = compat.batch([self._graph(atoms) for atoms in batch]).to(self.device)
            output = self.network(data.to_dict(), compute_stress=stress)
        energies = to_numpy(output["energy"])
        forces = np.split(to_numpy(output["forces"]), np.cumsum([len(atoms) for atoms in batch])[:-1])
        stresses = to_numpy(output["stress"]) if stress else [None] * len(batch)
        return [
            Evaluation(float(energy), force, stress_of(atoms, matrix))
            for atoms, energy, force, matrix in zip(batch, energies, forces, stresses, strict=True)
        ]

    def _graph(self, atoms: Atoms) -> AtomicData:
        # Without the structure's info and arrays: MACE would read weights and labels from them.
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        return compat.graph(bare, self._species, self._cutoff, compat.heads(self.network), self.settings.get("head"))


def read(path: Path, identity: Identity, trusted: bool) -> MaceModel:
    """Return MACE with the weights of a file."""
    if not any(name.startswith("mace.") for name in weights.pickled_globals(path)):
        raise weights.another_family(path, "mace")
    # MACE saves whole modules, which only unpickling reads.
    if not trusted:
        raise weights.untrusted(path, "mace")
    network = unpickle(path, "mace", identity.device)
    if not compat.is_potential(network):
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"checkpoint {path.name} holds a {type(network).__name__}, not a MACE potential: give the '.model' file",
        )
    _require_head(compat.heads(network), identity, path)
    return MaceModel(placed(network, identity), identity)


def _require_head(heads: list[str], identity: Identity, path: Path) -> None:
    wanted = identity.settings.get("head")
    if wanted not in heads and not (wanted is None and len(heads) == 1):
        raise EngineError(
            Condition.INVALID_JOB,
            f"setting 'head' of {identity.name or path.name} is {wanted!r}: choose one of {', '.join(heads)}",
        )


load = CheckpointLoader(compat.weights_path, read)
