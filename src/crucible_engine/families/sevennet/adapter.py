"""SevenNet: batches of atom graphs through torch_geometric, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sevenn._keys as key
import sevenn.util
import torch
from ase import Atoms
from ase.data import atomic_numbers
from sevenn.atom_graph_data import AtomGraphData
from sevenn.checkpoint import SevenNetCheckpoint
from sevenn.nn.node_embedding import OnehotEmbedding
from sevenn.nn.sequential import AtomGraphSequential
from sevenn.train.dataload import unlabeled_atoms_to_graph
from torch_geometric.data import Batch

from crucible_engine.families import weights
from crucible_engine.families.base import NO_STRESS, Evaluation, Identity, Model, is_periodic
from crucible_engine.families.registry import find_named
from crucible_engine.families.silence import silence
from crucible_engine.families.torch_checkpoint import plain_copy, read_content
from crucible_engine.families.torch_support import DTYPES, resolve_device, to_numpy
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

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
        arrays = unlabeled_atoms_to_graph(atoms, self.network.cutoff)
        graph = AtomGraphData(
            **{name: sevenn.util.dtype_correct(value, DTYPES[self.dtype]) for name, value in arrays.items()}
        )
        if "modal" in self.settings:
            graph[key.DATA_MODALITY] = self.settings["modal"]
        return graph

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        data = Batch.from_data_list([self.graph(atoms) for atoms in batch]).to(self.device)
        # The network is shared with the calculator, which takes one structure at a time.
        self.network.set_is_batch_data(True)
        output = self.network(data)
        energies = to_numpy(output[key.PRED_TOTAL_ENERGY])
        forces = np.split(to_numpy(output[key.PRED_FORCE]), np.cumsum([len(atoms) for atoms in batch])[:-1])
        stresses = -to_numpy(output[key.PRED_STRESS])[:, _VOIGT]
        return [
            Evaluation(float(energy), force, voigt if stress and is_periodic(atoms) else NO_STRESS.copy())
            for atoms, energy, force, voigt in zip(batch, energies, forces, stresses, strict=True)
        ]


def load(reference: ModelReference, device: str) -> SevennetModel:
    """Return SevenNet with the weights of a reference.

    :raises EngineError: if the device is not there, or the weights are not what the reference says.
    """
    device = resolve_device(device, reference.dtype)
    path = weights_path(reference)
    weights.require_whole(path)
    digest = weights.digest(path)
    weights.require_digest(digest, reference.sha256, f"sevennet {reference.name or path}")
    network, known = _network(path, reference)
    network.to(device=device, dtype=DTYPES[reference.dtype]).eval().requires_grad_(False)
    _keep_precision(network, DTYPES[reference.dtype])
    _require_modal(network, reference, path)
    identity = Identity("sevennet", digest, reference.dtype, device, reference.name, reference.settings)
    return SevennetModel(network, identity, _elements(known, reference.name))


def weights_path(reference: ModelReference) -> Path:
    """Return the file that holds the weights of a reference; the package downloads what it does not ship.

    :raises EngineError: ``CHECKPOINT_MISSING``, if the download fails.
    """
    if reference.checkpoint is not None:
        return Path(reference.checkpoint)
    return weights.downloaded(str(reference.name), lambda: sevenn.util.pretrained_name_to_path(str(reference.name)))


def _network(path: Path, reference: ModelReference) -> tuple[AtomGraphSequential, frozenset[int]]:
    content = read_content(path, "sevennet", weights.is_trusted(reference))
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict) or key.TYPE_MAP not in config:
        raise weights.another_family(path, "sevennet")
    with silence(), plain_copy(content) as copy:
        network = weights.read_checkpoint(path, "sevennet", SevenNetCheckpoint(str(copy)).build_model)
    return network, frozenset(config[key.TYPE_MAP])


def _keep_precision(network: AtomGraphSequential, dtype: torch.dtype) -> None:
    """Undo what SevenNet's encoding of the species does: it returns single precision whatever the network's is."""

    def convert(module: OnehotEmbedding, _: Any, data: Any) -> Any:
        for name in (module.key_output, module.key_additional_output):
            if name is not None:
                data[name] = data[name].to(dtype)
        return data

    for module in network.modules():
        if isinstance(module, OnehotEmbedding):
            module.register_forward_hook(convert)


def _require_modal(network: AtomGraphSequential, reference: ModelReference, path: Path) -> None:
    known, wanted = list(network.modal_map or ()), reference.settings.get("modal")
    if (wanted is None and not known) or wanted in known:
        return
    has = f"choose one of {', '.join(known)}" if known else "it has none"
    raise EngineError(Condition.INVALID_JOB, f"setting 'modal' of {reference.name or path} is {wanted!r}: {has}")


def _elements(known: frozenset[int], name: str | None) -> frozenset[int]:
    # A universal table of types starts with a placeholder of number 0.
    trained = frozenset(atomic_numbers[symbol] for symbol in find_named("sevennet", name).elements) if name else known
    return (known & trained) - {0}
