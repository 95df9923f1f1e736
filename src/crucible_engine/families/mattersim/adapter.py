"""MatterSim: batches of graphs with neighbours of our own, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from torch_geometric.data import Data

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, is_periodic, numbers_of
from crucible_engine.families.facts import MATERIALS_PROJECT
from crucible_engine.families.load import silence
from crucible_engine.families.mattersim import compat
from crucible_engine.families.registry import find_named
from crucible_engine.families.torch_checkpoint import CheckpointLoader, placed, read_content
from crucible_engine.families.torch_support import DTYPES, TorchModel, evaluations


class MattersimModel(TorchModel):
    """MatterSim with loaded weights."""

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        inputs = compat.inputs([self._graph(atoms) for atoms in batch], DTYPES[self.dtype], self.device)
        inputs["atom_pos"].requires_grad_(True)
        variables = [inputs["atom_pos"]]
        if stress:
            variables.append(torch.zeros_like(inputs["cell"], requires_grad=True))
            inputs = _strained(inputs, variables[1])
        energies = self.network(inputs)
        # An atom without neighbours has no gradient.
        gradients = torch.autograd.grad(energies.sum(), variables, allow_unused=True, materialize_grads=True)
        stresses = gradients[1] / self._volumes(batch)[:, None, None] if stress else None
        return evaluations(batch, energies, -gradients[0], stresses)

    def _graph(self, atoms: Atoms) -> Data:
        # The package's own conversion wraps a slab into its cell across its surfaces too.
        cell = atoms.cell.complete()
        return compat.graph(Atoms(atoms.numbers, positions=atoms.positions, cell=cell, pbc=atoms.pbc), self.network)

    def _volumes(self, batch: Sequence[Atoms]) -> torch.Tensor:
        # The package divides by the determinant of the cell, which turns the sign of a left-handed one's stress.
        volumes = [atoms.get_volume() if is_periodic(atoms) else np.nan for atoms in batch]
        return torch.tensor(volumes, dtype=DTYPES[self.dtype], device=self.device)


def _strained(inputs: dict[str, Any], strain: torch.Tensor) -> dict[str, Any]:
    """Return a network's input with cells and positions strained, by zeros that the energy is differentiated by."""
    deformation = torch.eye(3, dtype=strain.dtype, device=strain.device) + strain
    positions = torch.einsum("bi, bij -> bj", inputs["atom_pos"], deformation[inputs["batch"]])
    return {**inputs, "cell": inputs["cell"] @ deformation, "atom_pos": positions}


def read(path: Path, identity: Identity, trusted: bool) -> MattersimModel:
    """Return MatterSim with the weights of a file."""
    content = read_content(path, "mattersim", trusted)
    if not _is_checkpoint(content):
        raise weights.another_family(path, "mattersim")
    with silence():
        network = weights.read_checkpoint(
            path, "mattersim", lambda: compat.build(content["model_args"], content["model"])
        )
    return MattersimModel(placed(network, identity), identity, _elements(network, identity.name))


def _is_checkpoint(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and content.get("model_name") == "m3gnet"
        and all(isinstance(content.get(part), dict) for part in ("model", "model_args"))
    )


def _elements(network: torch.nn.Module, name: str | None) -> frozenset[int]:
    if name is not None:
        return numbers_of(find_named("mattersim", name).elements)
    # A reference energy of nought is that of an element which no training datum contained.
    references = compat.reference_energies(network)
    known = numbers_of(MATERIALS_PROJECT) & set(range(1, len(references)))
    return frozenset(number for number in known if references[number] or not references.any())


load = CheckpointLoader(compat.weights_path, read)
