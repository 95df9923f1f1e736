"""What of CHGNet has an underscore or no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import chgnet
import numpy as np
import torch
from ase import Atoms
from chgnet.graph import CrystalGraph
from chgnet.graph import converter as chgnet_converter
from chgnet.model import model as chgnet_model
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from crucible_engine.families.torch_support import DTYPES, default_dtype, to_numpy

_FILES = {
    "0.3.0": "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
    "0.2.0": "0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar",
    "r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
}


def weights_path(name: str) -> Path:
    """Return the file of released weights, all of which the package ships."""
    return Path(chgnet.__file__).parent / "pretrained" / _FILES[name]


def energies_and_inputs(
    network: chgnet_model.CHGNet, graphs: list[CrystalGraph], stress: bool
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the energies of a batch, [n], and what to differentiate them by.

    :param stress: whether the strains of the cells come after the positions of the atoms.
    """
    batched = chgnet_model.BatchedGraph.from_graphs(
        graphs, network.bond_basis_expansion, network.angle_basis_expansion, compute_stress=stress
    )
    energies = network._compute(batched)["e"]
    return energies, [*batched.atom_positions, *(batched.strains if stress else ())]


def reference_energies(network: chgnet_model.CHGNet) -> NDArray[np.float64]:
    """Return CHGNet's energies of the elements, eV, by atomic number less one; zeros where a network has none.

    They are added here, in double precision: CHGNet rounds the composition to single precision, whatever its own is.
    """
    if network.composition_model is None:
        return np.zeros(94)
    return to_numpy(network.composition_model.fc.weight).flatten()


def graph_of(network: chgnet_model.CHGNet, atoms: Atoms) -> CrystalGraph:
    """Return the graph of a structure, on the CPU."""
    # Where a direction is not periodic its cell vector may be absent; any will do, since no image is looked for.
    lattice = Lattice(atoms.cell.complete().array, pbc=tuple(map(bool, atoms.pbc)))
    structure = Structure(lattice, atoms.numbers, atoms.positions, coords_are_cartesian=True)
    return network.graph_converter(structure)


def early_layers(network: chgnet_model.CHGNet) -> list[torch.nn.Module]:
    """Return all but the last convolution and what follows, which the package's example of fine-tuning leaves."""
    return [
        network.atom_embedding,
        network.bond_embedding,
        network.angle_embedding,
        network.bond_basis_expansion,
        network.angle_basis_expansion,
        network.atom_conv_layers[:-1],
        network.bond_conv_layers,
        network.angle_layers,
    ]


def element_energies(network: chgnet_model.CHGNet) -> torch.nn.Module:
    """Return the part of a network that adds energies of the elements."""
    return network.composition_model


def element_state(network: chgnet_model.CHGNet) -> dict[str, torch.Tensor]:
    """Return the state of that part, by the names that it has in the network's."""
    state = element_energies(network).state_dict()
    return {f"composition_model.{name}": tensor.detach().cpu() for name, tensor in state.items()}


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
