"""What is used of matgl without being documented; imported once the backend of the weights is chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import matgl
import numpy as np
import torch
from ase import Atoms
from matgl import models
from matgl.apps.pes import Potential
from matgl.config import BACKEND
from matgl.graph.converters import GraphConverter
from numpy.typing import NDArray

__all__ = ["BACKEND", "Potential", "classes", "evaluate", "graph_of", "precision"]


class _Converter(GraphConverter):
    """matgl's own construction of a graph from neighbours that were found elsewhere."""

    def get_graph(self, structure: Any) -> Any:
        """Return nothing: the neighbours are not found here."""
        raise NotImplementedError


def classes() -> dict[str, type[torch.nn.Module]]:
    """Return the networks that this backend has, by name."""
    found = {name: getattr(models, name) for name in dir(models)}
    return {name: value for name, value in found.items() if isinstance(value, type)}


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Make matgl build its tensors in a precision for a while; networks take their constants from it."""
    before = torch.finfo(matgl.float_th).bits
    matgl.set_default_dtype("float", {"float32": 32, "float64": 64}[dtype])
    try:
        yield
    finally:
        matgl.set_default_dtype("float", before)


def graph_of(
    atoms: Atoms,
    neighbours: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    cell: NDArray[Any],
    symbols: tuple[str, ...],
) -> tuple[Any, torch.Tensor]:
    """Return the graph of a structure, and its cell [1, 3, 3].

    :param neighbours: indices of the first and the second atom of each pair, and the cell of the second one [n, 3].
    :param cell: Å, [3, 3].
    """
    fractional = atoms.positions @ np.linalg.inv(cell)
    graph, lattice, _ = _Converter().get_graph_from_processed_structure(
        atoms, *neighbours, cell[None], symbols, fractional, is_atoms=True
    )
    return graph, lattice.reshape(1, 3, 3)


def evaluate(network: Potential, graphs: Sequence[Any], cells: torch.Tensor, stress: bool, device: str) -> Any:
    """Return energies (eV), forces (eV/Å) and stresses (GPa) of graphs."""
    if BACKEND == "DGL":
        import dgl

        together = dgl.batch(list(graphs))
    else:
        from torch_geometric.data import Batch

        together = Batch.from_data_list(list(graphs))
    network.calc_stresses = stress
    return network(together.to(device), cells.to(device))[:3]
