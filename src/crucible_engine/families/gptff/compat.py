"""What of GPTFF has no documentation, and the precision that it computes in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from gptff.model import mpredict
from gptff.model.model import tModLodaer, tModLodaer_t
from gptff.utils_.compute_nb import find_neighbors
from gptff.utils_.data import collate_fn
from numpy.typing import NDArray

from crucible_engine.families.torch_support import DTYPES

CUTOFF = float(mpredict.custom_graph().r_cut)
"""Å; the package has it as a constant."""


def finds_self_images() -> bool:
    """Tell whether this release sees the periodic images of an atom as its neighbours; before June 2026 none did."""
    centres, *_ = find_neighbors(np.zeros((1, 3)), 3.0 * np.eye(3), 5.0, np.ones(3, dtype=np.int32))
    return len(centres) > 0


def network_of(settings: dict[str, Any], device: str) -> torch.nn.Module:
    """Return a network without weights.

    :param settings: ``transformer_activate``, ``n_layers``, ``node_feature_len``, ``edge_feature_len``.
    """
    kind = tModLodaer_t if settings["transformer_activate"] else tModLodaer
    network: torch.nn.Module = kind(mpredict.CFG({**settings, "device": device}))
    return network


def settle(network: Any) -> NDArray[np.bool_]:
    """Shorten the embeddings for good, and return which atomic numbers were trained, [95].

    torch shortens a row that is longer than one whenever it is looked up (``max_norm``), and changes the weights by
    that: an answer would depend on the elements asked for before. Here all trained rows are shortened once, in the
    precision of the network. A row that no training has looked up has the length that it was drawn with, about eight.
    """
    embedding = network.atom_embedding
    trained = (embedding.weight.norm(dim=1) < UNTRAINED).cpu().numpy()
    embedding(torch.as_tensor(np.flatnonzero(trained), device=embedding.weight.device))
    embedding.max_norm = None
    return np.asarray(trained, dtype=bool)


UNTRAINED = 1.5
"""Length of an embedding above which nothing has ever looked it up: a training's last step exceeds one a little."""


def reference_energies() -> NDArray[np.float64]:
    """Return the energies of the elements, eV, by atomic number, [95]; the package has them beside the weights."""
    return np.asarray(mpredict.atom_refs, dtype=np.float64)


def collated(batch: Sequence[Atoms], dtype: str, device: str) -> tuple[torch.Tensor, ...]:
    """Return a batch as the package puts it together, with positions and cells in the wanted precision.

    :param batch: structures that are periodic in three directions, whatever they say.
    :return: atomic numbers, positions, offsets, cells, numbers of atoms, numbers of bonds, bonds, pairs of bonds,
        pairs of each bond.
    """
    graph = mpredict.custom_graph()
    rows = []
    for atoms in batch:
        *row, reference = graph.transform(atoms)
        # What only training needs stays empty: energy, forces, stress.
        rows.append((*row, 0.0, np.zeros((len(atoms), 3)), np.zeros((3, 3)), reference))
    numbers, _, offsets, _, *integers = collate_fn(rows)[:9]
    # The package rounds these two to single precision.
    positions = torch.tensor(np.concatenate([atoms.positions for atoms in batch]), dtype=DTYPES[dtype])
    cells = torch.tensor(np.stack([atoms.cell.array for atoms in batch]), dtype=DTYPES[dtype])
    tensors = (numbers, positions, offsets.to(DTYPES[dtype]), cells, *integers)
    return tuple(tensor.to(device) for tensor in tensors)


def energies_and_inputs(network: Any, graph: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the energies of a batch without those of the elements, eV, [n], and what to differentiate them by.

    :param graph: from :func:`collated`.
    :return: energies; positions and strains [n, 3, 3].
    """
    numbers, positions, offsets, cells, n_atoms, n_bonds, bonds, pairs, pairs_of_bonds = graph
    positions = positions.requires_grad_(True)
    strains = torch.zeros_like(cells).requires_grad_(True)
    _, _, lengths, first, second, cosines = mpredict._pair_and_triple_features(
        positions, offsets, cells, n_atoms, n_bonds, bonds, pairs, positions.device, strains
    )
    energies = network(numbers, lengths, n_atoms, first, second, cosines, bonds, pairs_of_bonds, pairs)
    return energies.view(-1), [positions, strains]


class _Double(torch.overrides.TorchFunctionMode):
    """Has ``Tensor.float`` keep double precision."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call what was called."""
        if func is torch.Tensor.float:
            return args[0].double()
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let the network compute in a precision: its convolution says ``float()`` on the way."""
    with _Double() if dtype == "float64" else contextlib.nullcontext():
        yield
