"""SevenNet: batches of atom graphs through torch_geometric, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from sevenn.atom_graph_data import AtomGraphData
from torch_geometric.data import Batch

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, numbers_of
from crucible_engine.families.load import silence
from crucible_engine.families.registry import find_named
from crucible_engine.families.sevennet import compat
from crucible_engine.families.torch_checkpoint import (
    CheckpointLoader,
    placed,
    plain_copy,
    read_content,
    require_setting,
)
from crucible_engine.families.torch_support import DTYPES, TorchModel, evaluations

# SevenNet's order xx yy zz xy yz zx, of minus the stress, in ASE's.
_VOIGT = [0, 1, 2, 4, 5, 3]
TO_SEVENNET = [0, 1, 2, 5, 3, 4]
"""Components of ASE's order in SevenNet's."""


class SevennetModel(TorchModel):
    """SevenNet with loaded weights.

    :ivar config: what the network is built from, as the checkpoint says it.
    """

    config: dict[str, Any]

    def graph(self, atoms: Atoms) -> AtomGraphData:
        """Return the network's input for one structure, in the model's precision."""
        return compat.graph(self.network, atoms, DTYPES[self.dtype], self.settings.get("modal"))

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        data = Batch.from_data_list([self.graph(atoms) for atoms in batch]).to(self.device)
        # The network is shared with the calculator, which takes one structure at a time.
        self.network.set_is_batch_data(True)
        output = self.network(data)
        stresses = -output[compat.STRESS][:, _VOIGT] if stress else None
        return evaluations(batch, output[compat.ENERGY], output[compat.FORCES], stresses)


def read(path: Path, identity: Identity, trusted: bool) -> SevennetModel:
    """Return SevenNet with the weights of a file."""
    content = read_content(path, "sevennet", trusted)
    known = compat.known_species(content)
    if known is None:
        raise weights.another_family(path, "sevennet")
    with silence(), plain_copy(content) as copy:
        network, config = weights.read_checkpoint(path, "sevennet", lambda: compat.build(copy))
    placed(network, identity)
    compat.keep_precision(network, DTYPES[identity.dtype])
    modals = list(network.modal_map or ())
    require_setting("modal", modals, identity, path, needed=bool(modals))
    model = SevennetModel(network, identity, _elements(known, identity.name))
    model.config = config
    return model


def _elements(known: frozenset[int], name: str | None) -> frozenset[int]:
    # A universal table of types starts with a placeholder of number 0.
    trained = numbers_of(find_named("sevennet", name).elements) if name else known
    return (known & trained) - {0}


load = CheckpointLoader(compat.weights_path, read)
