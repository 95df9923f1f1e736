"""MACE: batches of atomic graphs through its own torch_geometric, in single or double precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from mace.data import AtomicData
from mace.tools import AtomicNumberTable

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity
from crucible_engine.families.mace import compat
from crucible_engine.families.torch_checkpoint import CheckpointLoader, placed, require_setting, unpickle
from crucible_engine.families.torch_support import TorchModel, default_dtype, evaluations
from crucible_engine.wire.schema import Condition, EngineError


class MaceModel(TorchModel):
    """MACE with loaded weights."""

    def __init__(self, network: torch.nn.Module, identity: Identity) -> None:
        # In the network's own order, which need not be sorted.
        species = compat.atomic_numbers(network)
        super().__init__(network, identity, frozenset(species))
        self._species = AtomicNumberTable(species)
        self._cutoff = compat.cutoff(network)

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with default_dtype(self.dtype):
            data = compat.batch([self.graph(atoms) for atoms in batch]).to(self.device)
            output = self.network(data.to_dict(), compute_stress=stress)
        return evaluations(batch, output["energy"], output["forces"], output["stress"] if stress else None)

    def graph(self, atoms: Atoms, labels: Mapping[str, Any] | None = None) -> AtomicData:
        """Return the network's input for one structure, in torch's default precision.

        :param labels: ``energy`` (eV), ``forces`` (eV/Å) and perhaps ``stress`` (eV/Å³, [3, 3]) to train on.
        """
        # Without the structure's info and arrays: MACE would read weights and labels from them.
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        heads, head = compat.heads(self.network), self.settings.get("head")
        return compat.graph(bare, self._species, self._cutoff, heads=heads, head=head, labels=labels or {})


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
    heads = compat.heads(network)
    require_setting("head", heads, identity, path, needed=len(heads) > 1)
    return MaceModel(placed(network, identity), identity)


load = CheckpointLoader(compat.weights_path, read)
