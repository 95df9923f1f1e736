"""CHGNet: batches of crystal graphs, in single or double precision."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import chgnet
import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress
from chgnet.graph import CrystalGraph
from chgnet.graph import converter as chgnet_converter
from chgnet.model import model as chgnet_model
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from crucible_engine.families import weights
from crucible_engine.families.base import NO_STRESS, Evaluation, Identity, Model, is_periodic
from crucible_engine.families.data_sets import MATERIALS_PROJECT
from crucible_engine.families.registry import find_named
from crucible_engine.families.silence import silence
from crucible_engine.families.torch_checkpoint import read_content
from crucible_engine.families.torch_support import DTYPES, default_dtype, resolve_device, to_numpy
from crucible_engine.wire.schema import ModelReference

_FILES = {
    "0.3.0": "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
    "0.2.0": "0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar",
    "r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
}


class ChgnetModel(Model):
    """CHGNet with loaded weights.

    :param network: the network, on its device and in its precision.
    :param identity: which potential it is.
    :param elements: atomic numbers that it was trained on.
    """

    def __init__(self, network: chgnet_model.CHGNet, identity: Identity, elements: frozenset[int]) -> None:
        super().__init__(identity, elements)
        self.network = network
        self._references = reference_energies(network)
        # The network's own energy is wanted, not that of an atom: forces are its gradient without another rounding.
        network.is_intensive = False

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with precision(self.dtype):
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
        # Where a direction is not periodic its cell vector may be absent; any will do, since no image is looked for.
        lattice = Lattice(atoms.cell.complete().array, pbc=tuple(map(bool, atoms.pbc)))
        structure = Structure(lattice, atoms.numbers, atoms.positions, coords_are_cartesian=True)
        return self.network.graph_converter(structure).to(self.device)

    def _differentiate(self, graphs: list[CrystalGraph], stress: bool) -> tuple[Any, Any, Any]:
        # CHGNet's own forward pass goes back through the network once for forces and once more for stresses, which
        # nearly doubles the time; here it is once for both. Like there, the backward pass is itself made
        # differentiable (create_graph): its formulas round otherwise, and the forces are to be the package's.
        network = self.network
        batched = chgnet_model.BatchedGraph.from_graphs(
            graphs, network.bond_basis_expansion, network.angle_basis_expansion, compute_stress=stress
        )
        energies = network._compute(batched)["e"]
        inputs = [*batched.atom_positions, *(batched.strains if stress else ())]
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


def reference_energies(network: chgnet_model.CHGNet) -> NDArray[np.float64]:
    """Return CHGNet's energies of the elements, eV, by atomic number less one; zeros where a network has none.

    They are added here, in double precision: CHGNet rounds the composition to single precision, whatever its own is.
    """
    if network.composition_model is None:
        return np.zeros(94)
    return to_numpy(network.composition_model.fc.weight).flatten()


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let CHGNet build its inputs in ``dtype``: two of its modules hold the type as a constant of their own."""
    modules = (chgnet_converter, chgnet_model)
    before = [module.TORCH_DTYPE for module in modules]
    for module in modules:
        module.TORCH_DTYPE = DTYPES[dtype]
    try:
        with default_dtype(dtype):
            yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.TORCH_DTYPE = value


def load(reference: ModelReference, device: str) -> ChgnetModel:
    """Return CHGNet with the weights of a reference.

    :raises EngineError: if the device is not there, or the weights are not what the reference says.
    """
    # CHGNet takes volumes out of its graph on purpose, but torch cannot know.
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad", category=UserWarning)
    device = resolve_device(device, reference.dtype)
    path = weights_path(reference)
    weights.require_whole(path)
    digest = weights.digest(path)
    weights.require_digest(digest, reference.sha256, f"chgnet {reference.name or path}")
    network = _network(path, reference)
    network.to(device=device, dtype=DTYPES[reference.dtype]).eval().requires_grad_(False)
    network.graph_converter.set_isolated_atom_response("ignore")
    identity = Identity("chgnet", digest, reference.dtype, device, reference.name)
    return ChgnetModel(network, identity, _elements(network, reference.name))


def weights_path(reference: ModelReference) -> Path:
    """Return the file that holds the weights of a reference."""
    if reference.checkpoint is not None:
        return Path(reference.checkpoint)
    return Path(chgnet.__file__).parent / "pretrained" / _FILES[str(reference.name)]


def _network(path: Path, reference: ModelReference) -> chgnet_model.CHGNet:
    content = read_content(path, "chgnet", weights.is_trusted(reference))
    description = content.get("model") if isinstance(content, dict) else None
    if not isinstance(description, dict) or not {"model_args", "state_dict"} <= set(description):
        raise weights.another_family(path, "chgnet")
    details: dict[str, Any] = {}
    if reference.name is not None:
        # The bias is how the package itself rebuilds 0.2.0.
        details = {"version": reference.name, "mlp_out_bias": reference.name == "0.2.0"}
    with silence():
        return weights.read_checkpoint(path, "chgnet", lambda: chgnet_model.CHGNet.from_dict(description, **details))


def _elements(network: chgnet_model.CHGNet, name: str | None) -> frozenset[int]:
    symbols = find_named("chgnet", name).elements if name is not None else MATERIALS_PROJECT
    # A reference energy of nought is that of an element which no training datum contained.
    references = reference_energies(network)
    unknown = {number for number in range(1, 95) if references.any() and abs(references[number - 1]) < 1e-10}
    return frozenset(atomic_numbers[symbol] for symbol in symbols) - unknown


def _stress(atoms: Atoms, virial: Any) -> Any:
    if virial is None or not is_periodic(atoms):
        return NO_STRESS.copy()
    return full_3x3_to_voigt_6_stress(virial / atoms.get_volume())
