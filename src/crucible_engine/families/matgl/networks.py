"""matgl's networks as models: batches of graphs with neighbours of our own, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.units import GPa
from pymatgen.optimization.neighbors import find_points_in_spheres

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, numbers_of
from crucible_engine.families.matgl import compat
from crucible_engine.families.torch_checkpoint import placed
from crucible_engine.families.torch_support import TorchModel, evaluations
from crucible_engine.wire.schema import Condition, EngineError


class MatglModel(TorchModel):
    """A potential of matgl with loaded weights."""

    def __init__(self, network: compat.Potential, identity: Identity) -> None:
        self._symbols = tuple(network.model.element_types)
        self._cutoff = float(network.model.cutoff)
        # With DGL the package counts the bonds within the three-body cutoff from the first bond on, and adds what it
        # finds to the bonds within the larger cutoff in their order: another structure in the batch moves the count.
        self._alone = compat.BACKEND == "DGL"
        super().__init__(network, identity, numbers_of(self._symbols))

    def atoms_per_batch(self) -> int:
        """Return 1 where the package does not batch right."""
        return 1 if self._alone else super().atoms_per_batch()

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        if self._alone:
            return [self._evaluate_together([atoms], stress)[0] for atoms in batch]
        return self._evaluate_together(batch, stress)

    def _evaluate_together(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with compat.precision(self.dtype):
            graphs, cells = zip(*(self._graph(atoms) for atoms in batch), strict=True)
            output = compat.evaluate(self.network, graphs, torch.cat(cells), stress, self.device)
        # The package gives its stresses in GPa.
        stresses = output[2].reshape(-1, 3, 3) * GPa if stress else None
        return evaluations(batch, output[0].reshape(-1), output[1], stresses)

    def _graph(self, atoms: Atoms) -> tuple[Any, torch.Tensor]:
        # The package's own converter takes what is periodic in one or two directions for a molecule.
        cell = atoms.cell.complete().array
        positions = np.ascontiguousarray(atoms.positions)
        centre, neighbour, image, distance = find_points_in_spheres(
            positions, positions, r=self._cutoff, pbc=atoms.pbc.astype(np.int64), lattice=cell, tol=1e-8
        )
        other = (centre != neighbour) | (distance > 1e-8)
        return compat.graph_of(atoms, (centre[other], neighbour[other], image[other]), cell, self._symbols)


def build(path: Path, description: dict[str, Any], state: dict[str, Any], identity: Identity) -> MatglModel:
    """Return the model that the parts of a file describe.

    :param description: arguments of the potential, those of its network among them.
    :param state: the weights.
    :raises EngineError: ``CHECKPOINT_UNREADABLE``, if they do not fit each other or this release.
    """
    arguments = dict(description)
    network = arguments.pop("model")
    kinds = compat.classes()
    if network["@class"] not in kinds:
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"checkpoint {path.name} holds a {network['@class']}, which this matgl with {compat.BACKEND} does not have",
        )

    def make() -> compat.Potential:
        with compat.precision(identity.dtype):
            potential = compat.Potential(kinds[network["@class"]](**network["init_args"]), **arguments)
            # The package would leave out in silence what does not fit.
            potential.load_state_dict(state, strict=True)
        return potential

    return MatglModel(placed(weights.read_checkpoint(path, "matgl", make), identity), identity)
