"""What of MACE has no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ase import Atoms
from mace.calculators.foundations_models import download_mace_mp_checkpoint
from mace.data import AtomicData, config_from_atoms
from mace.modules import WeightedEnergyForcesLoss, WeightedEnergyForcesStressLoss
from mace.tools import AtomicNumberTable
from mace.tools.scripts_utils import extract_config_mace_model
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


def graph(
    atoms: Atoms,
    species: AtomicNumberTable,
    cutoff: float,
    *,
    heads: list[str],
    head: str | None,
    labels: Mapping[str, Any],
) -> AtomicData:
    """Return a network's input for one structure; without a head it is the first.

    :param labels: by MACE's names; what is not there weighs nothing in a loss.
    """
    config = config_from_atoms(atoms, head_name=heads[0] if head is None else head)
    config.properties.update(labels)
    config.property_weights.update(dict.fromkeys(labels, 1.0))
    return AtomicData.from_config(config, z_table=species, cutoff=cutoff, heads=heads)


def anew(network: torch.nn.Module) -> torch.nn.Module:
    """Return a network like another with random weights.

    :raises ValueError: if it is of a kind that the package cannot tell how to build.
    """
    config = extract_config_mace_model(network)
    if "error" in config:
        raise ValueError(str(config["error"]))
    return type(network)(**config)


def last_weights(network: torch.nn.Module) -> set[str]:
    """Return the names of the weights of the last interaction, and of all that is read out."""
    last = len(network.interactions) - 1
    parts = ("readouts.", f"interactions.{last}.", f"products.{last}.")
    return {name for name, _ in network.named_parameters() if name.startswith(parts)}


def loss(energy: float, force: float, stress: float, has_stress: bool) -> torch.nn.Module:
    """Return the package's loss with weights of squared errors, (eV/atom)², (eV/Å)² and (eV/Å³)²."""
    if has_stress:
        return WeightedEnergyForcesStressLoss(energy, force, stress)
    return WeightedEnergyForcesLoss(energy, force)


def run_the_same_code_each_call() -> None:
    """Let torch not compile MACE's layers anew after their first calls, in this process.

    A training that goes on in another process has called them less often, and would round otherwise.
    """
    torch._C._jit_set_profiling_executor(False)
    torch._C._jit_set_profiling_mode(False)


def batch(graphs: Sequence[AtomicData]) -> Batch:
    """Return graphs as one input."""
    return Batch.from_data_list(list(graphs))
