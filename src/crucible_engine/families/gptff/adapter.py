"""GPTFF: batches of the package's graphs, in single or double precision.

What is wrong with the potential itself stays: the energy is a network's answer to the sum of all atoms, and each atom
attends to all others of its cell, so that it is not extensive; bonds and angles end abruptly at their cutoffs. What is
wrong with its calculator is put right: its stress is in GPa and over a volume with a sign, it takes everything for
periodic, and its embeddings change while it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, in_a_cell
from crucible_engine.families.file_loader import by_hand
from crucible_engine.families.gptff import FAMILY, compat
from crucible_engine.families.torch_checkpoint import CheckpointLoader, placed, read_content
from crucible_engine.families.torch_support import TorchModel, evaluations, to_numpy
from crucible_engine.wire.schema import Condition, EngineError

SETTINGS = {"transformer_activate", "n_layers", "node_feature_len", "edge_feature_len"}
"""What a checkpoint has to say of its network."""


class GptffModel(TorchModel):
    """GPTFF with loaded weights."""

    def __init__(self, network: torch.nn.Module, identity: Identity, elements: frozenset[int]) -> None:
        super().__init__(network, identity, elements)
        self._references = compat.reference_energies()

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        # The package takes every structure for periodic, and where it is told otherwise finds bonds twice.
        cells = [atoms if atoms.pbc.all() else in_a_cell(atoms, compat.CUTOFF) for atoms in batch]
        with compat.precision(self.dtype):
            graph = compat.collated(cells, self.dtype, self.device)
            energies, inputs = compat.energies_and_inputs(self.network, graph)
            gradients, virials = torch.autograd.grad(energies.sum(), inputs)
        references = [self._references[atoms.numbers].sum() for atoms in batch]
        # ASE's volume has no sign, unlike the determinant that the package divides by.
        volumes = np.array([atoms.get_volume() for atoms in cells])[:, None, None]
        stresses = torch.from_numpy(to_numpy(virials) / volumes) if stress else None
        totals = torch.from_numpy(to_numpy(energies) + references)
        return evaluations(batch, totals, -gradients, stresses)


def read(path: Path, identity: Identity, trusted: bool) -> GptffModel:
    """Return GPTFF with the weights of a file.

    :raises EngineError: ``PACKAGE_VERSION``, if this release leaves out the images of an atom among its neighbours;
        ``CHECKPOINT_OF_ANOTHER_FAMILY``, ``CHECKPOINT_UNREADABLE``.
    """
    if not compat.finds_self_images():
        raise EngineError(
            Condition.PACKAGE_VERSION,
            "this gptff finds no neighbour of an atom among its own periodic images, and is wrong in small "
            "cells: make the environment from a source of June 2026 or later (`env create gptff --source`)",
        )
    content = read_content(path, "gptff", trusted)
    settings = content.get("cfg") if isinstance(content, dict) else None
    if not isinstance(settings, dict) or not set(settings) >= SETTINGS or "state_dict" not in content:
        raise weights.another_family(path, "gptff")

    def make() -> torch.nn.Module:
        network = compat.network_of({key: settings[key] for key in SETTINGS}, identity.device)
        network.load_state_dict(content["state_dict"], strict=True)
        return network

    # For evaluation, which the package's calculator of early 2025 forgot: its dropout stayed on.
    network: Any = placed(weights.read_checkpoint(path, "gptff", make), identity)
    return GptffModel(network, identity, frozenset(map(int, np.flatnonzero(compat.settle(network)))))


load = CheckpointLoader(by_hand(FAMILY), read)
