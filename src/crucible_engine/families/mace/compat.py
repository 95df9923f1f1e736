"""What of MACE has no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ase import Atoms
from mace.calculators.foundations_models import download_mace_mp_checkpoint
from mace.data import AtomicData, config_from_atoms
from mace.tools import AtomicNumberTable
from mace.tools.torch_geometric import Batch


def weights_path(name: str) -> str:
    """Return the file of released weights; the package downloads and keeps them."""
    return str(download_mace_mp_checkpoint(name))


def is_potential(network: Any) -> bool:
    """Tell whether something that was unpickled is a potential."""
    return hasattr(network, "atomic_numbers") and hasattr(network, "r_max")


def atomic_numbers(network: torch.nn.Module) -> list[int]:
    """Return the atomic numbers that a network knows, in its own order."""
    return [int(number) for number in network.atomic_numbers]


def heads(network: torch.nn.Module) -> list[str]:
    """Return the names of the levels of theory that a network has an output for."""
    return list(getattr(network, "heads", None) or ["Default"])


def cutoff(network: torch.nn.Module) -> float:
    """Return the distance up to which a network sees neighbours, Å."""
    return float(network.r_max)


def graph(atoms: Atoms, species: AtomicNumberTable, cutoff: float, heads: list[str], head: str | None) -> AtomicData:
    """Return a network's input for one structure; without a head it is the first."""
    config = config_from_atoms(atoms, head_name=heads[0] if head is None else head)
    return AtomicData.from_config(config, z_table=species, cutoff=cutoff, heads=heads)


def batch(graphs: Sequence[AtomicData]) -> Batch:
    """Return graphs as one input."""
    return Batch.from_data_list(list(graphs))
