"""What of SevenNet has an underscore or no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sevenn._keys as key
import sevenn.util
import torch
from ase import Atoms
from sevenn.atom_graph_data import AtomGraphData
from sevenn.checkpoint import SevenNetCheckpoint
from sevenn.nn.node_embedding import OnehotEmbedding
from sevenn.nn.sequential import AtomGraphSequential
from sevenn.train.dataload import unlabeled_atoms_to_graph

ENERGY, FORCES, STRESS = key.PRED_TOTAL_ENERGY, key.PRED_FORCE, key.PRED_STRESS
"""Names in a network's output."""


def weights_path(name: str) -> str:
    """Return the file of released weights; the package downloads what it does not ship."""
    return str(sevenn.util.pretrained_name_to_path(name))


def graph(network: AtomGraphSequential, atoms: Atoms, dtype: torch.dtype, modal: str | None) -> AtomGraphData:
    """Return a network's input for one structure, in a precision and at a level of theory, where it has several."""
    arrays = unlabeled_atoms_to_graph(atoms, network.cutoff)
    made = AtomGraphData(**{name: sevenn.util.dtype_correct(value, dtype) for name, value in arrays.items()})
    if modal is not None:
        made[key.DATA_MODALITY] = modal
    return made


def known_species(content: Any) -> frozenset[int] | None:
    """Return the atomic numbers in the content of a checkpoint; ``None`` if it is none of SevenNet's."""
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict) or key.TYPE_MAP not in config:
        return None
    return frozenset(config[key.TYPE_MAP])


def build(path: Path) -> AtomGraphSequential:
    """Return the network of a checkpoint."""
    return SevenNetCheckpoint(str(path)).build_model()


def keep_precision(network: AtomGraphSequential, dtype: torch.dtype) -> None:
    """Undo what SevenNet's encoding of the species does: it returns single precision whatever the network's is."""

    def convert(module: OnehotEmbedding, _: Any, data: Any) -> Any:
        for name in (module.key_output, module.key_additional_output):
            if name is not None:
                data[name] = data[name].to(dtype)
        return data

    for module in network.modules():
        if isinstance(module, OnehotEmbedding):
            module.register_forward_hook(convert)
