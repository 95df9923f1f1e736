"""What of ORB has no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import torch
from ase import Atoms
from cached_path import cached_path
from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
from orb_models.forcefield.base import AtomGraphs, batch_graphs
from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

# "highest" keeps single precision single on a GPU; the package's default rounds its products to TensorFloat-32.
_PRECISION = {"float32": "float32-highest", "float64": "float64"}


def weights_path(name: str) -> Path:
    """Return the file of released weights; the package downloads and keeps them."""
    address = inspect.signature(ORB_PRETRAINED_MODELS[name]).parameters["weights_path"].default
    return Path(cached_path(address))


def build(architecture: str, path: Path, device: str, dtype: str) -> torch.nn.Module:
    """Return the network of a file of weights.

    :param architecture: name of the released model that the file has the weights for.
    """
    make = ORB_PRETRAINED_MODELS[architecture]
    return make(weights_path=str(path), device=device, precision=_PRECISION[dtype], compile=False)


def graph(network: torch.nn.Module, atoms: Atoms, device: str) -> AtomGraphs:
    """Return a network's input for one structure."""
    return ase_atoms_to_atom_graphs(atoms, network.system_config, device=torch.device(device))


def batch(graphs: Sequence[AtomGraphs]) -> AtomGraphs:
    """Return graphs as one input."""
    return batch_graphs(list(graphs))
