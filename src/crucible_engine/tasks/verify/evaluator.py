"""Evaluates the many variants of the probes through one of a model's two ways: its batches, or one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms

from crucible_engine.families.base import Evaluation, Model, is_periodic
from crucible_engine.families.batching import evaluate_structures


class Evaluator:
    """Evaluates structures and counts them.

    :param pause: called between calls of the model, so that a job can adapt its threads or be stopped.
    """

    def __init__(self, model: Model, pause: Callable[[], None] = lambda: None) -> None:
        self.model = model
        self.one_at_a_time = False
        self.count = 0
        self._broken = self._with_stress = self._without_stress = 0
        self._pause = pause

    @property
    def broken(self) -> int:
        """How many structures had no numbers, or no stress although others have one."""
        return self._broken + (self._without_stress if self._with_stress else 0)

    def __call__(self, structures: Sequence[Atoms], stress: bool = True, extreme: bool = False) -> list[Evaluation]:
        """Return what the model says of each structure, in order.

        :param structures: what to evaluate; they are handed over as copies.
        :param stress: whether stresses are wanted.
        :param extreme: whether they are such that no numbers may be right, and the caller judges.
        """
        copies = (("", atoms.copy()) for atoms in structures)
        evaluations: list[Evaluation] = []
        for batch in evaluate_structures(self.model, copies, 1 if self.one_at_a_time else None, stress):
            evaluations.extend(batch)
            self._pause()
        self.count += len(evaluations)
        if not extreme:
            self._inspect(structures, evaluations, stress)
        return evaluations

    def alone(self, atoms: Atoms, stress: bool = True) -> Evaluation:
        """Return what the model says of a structure that is evaluated by itself."""
        evaluations = self.model.evaluate_batch([atoms.copy()], stress)
        self.count += 1
        self._inspect([atoms], evaluations, stress)
        return evaluations[0]

    def _inspect(self, structures: Sequence[Atoms], evaluations: Sequence[Evaluation], stress: bool) -> None:
        for atoms, evaluation in zip(structures, evaluations, strict=True):
            missing = np.isnan(evaluation.stress) if stress and is_periodic(atoms) else np.zeros(6, dtype=bool)
            if not is_finite(evaluation) or (missing.any() and not missing.all()):
                self._broken += 1
            elif missing.all():
                self._without_stress += 1
            elif stress and is_periodic(atoms):
                self._with_stress += 1


def is_finite(evaluation: Evaluation, stress: bool = False) -> bool:
    """Tell whether a model gave numbers.

    :param stress: whether the stress counts.
    """
    finite = bool(np.isfinite(evaluation.energy) and np.isfinite(evaluation.forces).all())
    return finite and not (stress and not np.isfinite(evaluation.stress).all())
