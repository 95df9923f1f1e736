"""NEP: GPUMD's potentials through calorine, on the CPU and in double precision, one structure after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from calorine.calculators import CPUNEP
from calorine.nep import read_model

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, Model, in_a_cell, is_periodic, numbers_of, stress_of
from crucible_engine.families.file_loader import FileLoader, by_hand
from crucible_engine.families.nep import FAMILY, WEIGHTS_FILE
from crucible_engine.wire.schema import Condition, EngineError

POTENTIALS = ("potential", "potential_with_charges")

KEPT = 4
"""Calculators that are kept: one holds a number of atoms, and another number has the file of weights read again."""


class NepModel(Model):
    """A NEP potential with loaded parameters."""

    def __init__(self, path: Path, identity: Identity, elements: frozenset[int], cutoff: float) -> None:
        super().__init__(identity, elements)
        self._path = path
        self._cutoff = cutoff
        self._calculators: OrderedDict[int, CPUNEP] = OrderedDict()

    def atoms_per_batch(self) -> int:
        """Return 1: the package takes one structure at a time."""
        return 1

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        return [self._evaluate_one(atoms, stress) for atoms in batch]

    def _evaluate_one(self, atoms: Atoms, stress: bool) -> Evaluation:
        # The package takes every structure for one that is periodic in three directions.
        structure = in_a_cell(atoms, self._cutoff)
        calculator = self._calculator(len(structure))
        calculator.calculate(structure, ["energy", "forces", "stress"])
        results = calculator.results
        wanted = results["stress"] if stress and is_periodic(atoms) else None
        return Evaluation(float(results["energy"]), np.array(results["forces"], dtype=float), stress_of(atoms, wanted))

    def _calculator(self, size: int) -> CPUNEP:
        if size not in self._calculators:
            self._calculators[size] = CPUNEP(str(self._path))
            if len(self._calculators) > KEPT:
                self._calculators.popitem(last=False)
        self._calculators.move_to_end(size)
        return self._calculators[size]


def read(path: Path, identity: Identity, trusted: bool) -> NepModel:
    """Return NEP with the parameters of a file; nothing in one is code."""
    if not WEIGHTS_FILE.begins(weights.start_of(path)):
        raise weights.another_family(path, "nep")
    # Each of the two sees faults that the other does not: too few numbers, a kind that only GPUMD's program computes.
    header = weights.read_checkpoint(path, "nep", lambda: read_model(str(path)))
    weights.read_checkpoint(path, "nep", lambda: CPUNEP(str(path)))
    if header.model_type not in POTENTIALS:
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"checkpoint {path.name} holds a NEP of {header.model_type}, not a potential: give the file of a potential",
        )
    cutoff = float(np.max(np.append(header.radial_cutoff, header.angular_cutoff)))
    return NepModel(path, identity, numbers_of(header.types), cutoff)


load = FileLoader(by_hand(FAMILY), read)
