"""What of MatterSim has no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from mattersim.datasets.utils.convertor import compute_threebody_indices, get_fixed_radius_bonding
from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
from mattersim.forcefield.potential import batch_to_dict
from mattersim.utils.download_utils import download_checkpoint
from numpy.typing import NDArray
from torch_geometric.data import Batch, Data

from crucible_engine.families.torch_support import to_numpy

FOLDER = Path("~/.local/mattersim/pretrained_models")
"""Where the package keeps weights that it downloads."""

CONSTANTS = ("sbf.coef",)
"""Numbers of the code, not of the training, that the package saves with the weights since 1.2.3: the released files of
2024 lack them."""


def weights_path(name: str) -> Path:
    """Return the file of released weights, which the package downloads once."""
    folder = FOLDER.expanduser()
    path = folder / f"{name}.pth"
    if not path.exists():
        download_checkpoint(path.name, save_folder=str(folder))
    return path


class _Offsets(torch.Tensor):
    """Numbers of cells that keep their precision when the network asks for single precision."""

    def float(self) -> torch.Tensor:
        """Return the numbers as they are."""
        return self.as_subclass(torch.Tensor)


class Network(M3Gnet):
    """The package's network in any precision: its own turns two of its inputs into single precision."""

    def forward(self, inputs: dict[str, Any]) -> torch.Tensor:
        """Return energies, eV, [n_structures]."""
        offsets = inputs["pbc_offsets"].to(self.normalizer.shift.dtype).as_subclass(_Offsets)
        energies: torch.Tensor = super().forward({**inputs, "pbc_offsets": offsets})
        return energies

    def one_hot_atoms(self, species: torch.Tensor) -> torch.Tensor:
        """Return the species [n_atoms] as rows of one and noughts [n_atoms, max_z + 1]."""
        return torch.nn.functional.one_hot(species, num_classes=self.max_z + 1).to(self.normalizer.shift.dtype)


def build(arguments: dict[str, Any], state: dict[str, torch.Tensor]) -> Network:
    """Return the network of a checkpoint's arguments with its weights.

    The package itself leaves out in silence what does not fit (``strict=False``), ignores arguments that it
    does not know, and downloads other weights first when its calculator is copied or unpickled.

    :raises ValueError: if there are arguments that no network has.
    :raises RuntimeError: if the weights are not those of such a network.
    """
    network = Network(device="cpu")
    unknown = set(arguments) - set(network.get_model_args())
    if unknown:
        raise ValueError(f"its network has arguments that are not known: {', '.join(sorted(map(str, unknown)))}")
    network = Network(**arguments, device="cpu")
    constants = {name: value for name, value in network.state_dict().items() if name in CONSTANTS}
    network.load_state_dict({**constants, **state}, strict=True)
    return network


def graph(atoms: Atoms, network: Network) -> Data:
    """Return the graph of a structure, in double precision.

    :param atoms: with three cell vectors, in whichever directions it is periodic.
    """
    arguments = network.get_model_args()
    centre, neighbour, cells, distances = get_fixed_radius_bonding(atoms, arguments["cutoff"])
    bonds = np.array([centre, neighbour])
    pairs, per_bond, *_ = compute_threebody_indices(
        bonds.T, distances, len(atoms), atoms.numbers, arguments["threebody_cutoff"]
    )
    return Data(
        num_nodes=len(atoms),
        num_atoms=len(atoms),
        num_bonds=len(centre),
        num_three_body=len(pairs),
        atom_attr=torch.from_numpy(atoms.numbers.astype(np.int64))[:, None],
        atom_pos=torch.from_numpy(atoms.positions.copy()),
        cell=torch.from_numpy(atoms.cell.array.copy())[None],
        pbc_offsets=torch.from_numpy(cells),
        edge_index=torch.from_numpy(bonds),
        three_body_indices=torch.from_numpy(pairs.astype(np.int64)),
        num_triple_ij=torch.from_numpy(per_bond.astype(np.int64))[:, None],
    )


def inputs(graphs: Sequence[Data], dtype: torch.dtype, device: str) -> dict[str, Any]:
    """Return graphs as one input of a network."""
    together = Batch.from_data_list(list(graphs))
    # Before they are moved: not every device has double precision.
    together.atom_pos, together.cell = together.atom_pos.to(dtype), together.cell.to(dtype)
    moved: dict[str, Any] = batch_to_dict(together, device=device)
    return moved


def reference_energies(network: Network) -> NDArray[np.float64]:
    """Return the energies of isolated elements that the network adds, eV, by atomic number: [max_z + 1]."""
    return to_numpy(network.normalizer.shift)
