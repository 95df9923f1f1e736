"""CHGNet: batches of crystal graphs, in single or double precision."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from chgnet.graph import CrystalGraph
from chgnet.model import CHGNet

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, is_periodic, numbers_of, stress_of
from crucible_engine.families.chgnet import compat
from crucible_engine.families.facts import MATERIALS_PROJECT
from crucible_engine.families.load import silence
from crucible_engine.families.registry import find_named
from crucible_engine.families.torch_checkpoint import CheckpointLoader, placed, read_content
from crucible_engine.families.torch_support import TorchModel, to_numpy


class ChgnetModel(TorchModel):
    """CHGNet with loaded weights."""

    def __init__(self, network: CHGNet, identity: Identity, elements: frozenset[int]) -> None:
        super().__init__(network, identity, elements)
        self._references = compat.reference_energies(network)
        # The network's own energy is wanted, not that of an atom: forces are its gradient without another rounding.
        network.is_intensive = False

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with compat.precision(self.dtype):
            graphs = [self._graph(atoms) for atoms in batch]
            answers: dict[int, tuple[Any, Any, Any]] = {}
            for group in _alike(graphs):
                parts = self._differentiate([graphs[index] for index in group], stress)
                answers.update(zip(group, zip(*parts, strict=True), strict=True))
        return [
            Evaluation(float(energy + self._references[atoms.numbers - 1].sum()), -gradient, _stress(atoms, virial))
            for atoms, (energy, gradient, virial) in ((atoms, answers[index]) for index, atoms in enumerate(batch))
        ]

    def _graph(self, atoms: Atoms) -> CrystalGraph:
        return compat.graph_of(self.network, atoms).to(self.device)

    def _differentiate(self, graphs: list[CrystalGraph], stress: bool) -> tuple[Any, Any, Any]:
        # CHGNet's own forward pass goes back through the network once for forces and once more for stresses, which
        # nearly doubles the time; here it is once for both. Like there, the backward pass is itself made
        # differentiable (create_graph): its formulas round otherwise, and the forces are to be the package's.
        energies, inputs = compat.energies_and_inputs(self.network, graphs, stress)
        gradients = torch.autograd.grad(energies.sum(), inputs, create_graph=True, allow_unused=True)
        # An atom without neighbours has no gradient.
        arrays = [
            np.zeros(tuple(value.shape)) if gradient is None else to_numpy(gradient)
            for value, gradient in zip(inputs, gradients, strict=True)
        ]
        virials = arrays[len(graphs) :] if stress else [None] * len(graphs)
        return to_numpy(energies), arrays[: len(graphs)], virials


def _alike(graphs: Sequence[CrystalGraph]) -> list[list[int]]:
    """Return the indices of graphs with and without bond angles, as groups that are not empty.

    CHGNet leaves out whole layers where no graph of a batch has an angle. In the company of one that has, a graph
    without would go through them, and their bias (0.2.0 has one) changes its energy by 0.05 eV/atom.
    """
    groups: dict[bool, list[int]] = {}
    for index, graph in enumerate(graphs):
        groups.setdefault(len(graph.bond_graph) > 0, []).append(index)
    return list(groups.values())


def read(path: Path, identity: Identity, trusted: bool) -> ChgnetModel:
    """Return CHGNet with the weights of a file."""
    # CHGNet takes volumes out of its graph on purpose, but torch cannot know.
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad", category=UserWarning)
    content = read_content(path, "chgnet", trusted)
    description = content.get("model") if isinstance(content, dict) else None
    if not isinstance(description, dict) or not {"model_args", "state_dict"} <= set(description):
        raise weights.another_family(path, "chgnet")
    details: dict[str, Any] = {}
    if identity.name is not None:
        # The bias is how the package itself rebuilds 0.2.0.
        details = {"version": identity.name, "mlp_out_bias": identity.name == "0.2.0"}
    with silence():
        network = weights.read_checkpoint(path, "chgnet", lambda: CHGNet.from_dict(description, **details))
    placed(network, identity).graph_converter.set_isolated_atom_response("ignore")
    return ChgnetModel(network, identity, _elements(network, identity.name))


def _elements(network: CHGNet, name: str | None) -> frozenset[int]:
    symbols = find_named("chgnet", name).elements if name is not None else MATERIALS_PROJECT
    # A reference energy of nought is that of an element which no training datum contained.
    references = compat.reference_energies(network)
    unknown = {number for number in range(1, 95) if references.any() and abs(references[number - 1]) < 1e-10}
    return numbers_of(symbols) - unknown


def _stress(atoms: Atoms, virial: Any) -> Any:
    return stress_of(atoms, virial / atoms.get_volume() if virial is not None and is_periodic(atoms) else None)


load = CheckpointLoader(compat.weights_path, read)
