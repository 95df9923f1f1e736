"""What of SevenNet has an underscore or no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sevenn
import sevenn._keys as key
import sevenn.util
import torch
from ase import Atoms
from sevenn.atom_graph_data import AtomGraphData
from sevenn.checkpoint import SevenNetCheckpoint
from sevenn.model_build import build_E3_equivariant_model
from sevenn.nn.node_embedding import OnehotEmbedding
from sevenn.nn.sequential import AtomGraphSequential
from sevenn.train.dataload import unlabeled_atoms_to_graph

ENERGY_LABEL, FORCES_LABEL, STRESS_LABEL = key.ENERGY, key.FORCE, key.STRESS
"""Names of labels in a network's input."""
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


def build(path: Path) -> tuple[AtomGraphSequential, dict[str, Any]]:
    """Return the network of a checkpoint, and what it is built from, in the words of this release."""
    checkpoint = SevenNetCheckpoint(str(path))
    return checkpoint.build_model(), checkpoint.config


def anew(config: dict[str, Any], parent: AtomGraphSequential) -> AtomGraphSequential:
    """Return a network like another with random weights, but for what SevenNet does not train."""
    network = build_E3_equivariant_model(dict(config))
    random, trained = network.state_dict(), all_weights(parent)
    kept = {name: tensor for name, tensor in parent.state_dict().items() if name not in trained}
    network.load_state_dict({**random, **kept})
    return network


def current(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a network is built from as this release would write it: its weights have the names of today."""
    return {**config, "version": sevenn.__version__}


def all_weights(network: AtomGraphSequential) -> set[str]:
    """Return the names of the weights that SevenNet trains: neither energies nor scales of elements, nor divisors."""
    fixed = ("rescale_atomic_energy.", ".denominator")
    return {name for name, _ in network.named_parameters() if not any(part in name for part in fixed)}


def last_weights(network: AtomGraphSequential) -> set[str]:
    """Return the names of those of the last interaction and of what reads it out."""
    numbers = [int(name.partition("_")[0]) for name, _ in network.named_children() if name.partition("_")[0].isdigit()]
    return {name for name in all_weights(network) if name.startswith((f"{max(numbers)}_", "reduce_"))}


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
