"""SevenNet: batches of atom graphs through torch_geometric, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from sevenn.atom_graph_data import AtomGraphData
from sevenn.nn.sequential import AtomGraphSequential
from torch_geometric.data import Batch

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, Model, stress_of
from crucible_engine.families.registry import find_named
from crucible_engine.families.sevennet import compat
from crucible_engine.families.silence import silence
from crucible_engine.families.torch_checkpoint import CheckpointLoader, placed, plain_copy, read_content
from crucible_engine.families.torch_support import DTYPES, to_numpy
from crucible_engine.wire.schema import Condition, EngineError

# SevenNet's order xx yy zz xy yz zx, of minus the stress, in ASE's.
_VOIGT = [0, 1, 2, 4, 5, 3]


class SevennetModel(Model):
    """SevenNet with loaded weights.

    :param network: the network, on its device and in its precision.
    :param identity: which potential it is.
    :param elements: atomic numbers that it was trained on.
    """

    def __init__(self, network: AtomGraphSequential, identity: Identity, elements: frozenset[int]) -> None:
        super().__init__(identity, elements)
        self.network = network

    def graph(self, atoms: Atoms) -> AtomGraphData:
        """Return the network's input for one structure, in the model's precision."""
        return compat.graph(self.network, atoms, DTYPES[self.dtype], self.settings.get("modal"))

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        data = Batch.from_data_list([self.graph(atoms) for atoms in batch]).to(self.device)
        # The network is shared with the calculator, which takes one structure at a time.
        self.network.set_is_batch_data(True)
        output = self.network(data)
        energies = to_numpy(output[compat.ENERGY])
        forces = np.split(to_numpy(output[compat.FORCES]), np.cumsum([len(atoms) for atoms in batch])[:-1])
        stresses = -to_numpy(output[compat.STRESS])[:, _VOIGT]
        return [
            Evaluation(float(energy), force, stress_of(atoms, voigt if stress else None))
            for atoms, energy, force, voigt in zip(batch, energies, forces, stresses, strict=True)
        ]


def read(path: Path, identity: Identity, trusted: bool) -> SevennetModel:
    """Return SevenNet with the weights of a file."""
    content = read_content(path, "sevennet", trusted)
    known = compat.known_species(content)
    if known is None:
        raise weights.another_family(path, "sevennet")
    with silence(), plain_copy(content) as copy:
        network = weights.read_checkpoint(path, "sevennet", lambda: compat.build(copy))
    placed(network, identity)
    compat.keep_precision(network, DTYPES[identity.dtype])
    _require_modal(network, identity, path)
    return SevennetModel(network, identity, _elements(known, identity.name))


def _require_modal(network: AtomGraphSequential, identity: Identity, path: Path) -> None:
    known, wanted = list(network.modal_map or ()), identity.settings.get("modal")
    if (wanted is None and not known) or wanted in known:
        return
    has = f"choose one of {', '.join(known)}" if known else "it has none"
    raise EngineError(Condition.INVALID_JOB, f"setting 'modal' of {identity.name or path.name} is {wanted!r}: {has}")


def _elements(known: frozenset[int], name: str | None) -> frozenset[int]:
    # A universal table of types starts with a placeholder of number 0.
    trained = frozenset(atomic_numbers[symbol] for symbol in find_named("sevennet", name).elements) if name else known
    return (known & trained) - {0}


load = CheckpointLoader(compat.weights_path, read)
