"""Labels and a model have different zeros of energy: what lies between them, an element at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.datasets.frames import Array, LabelledFrames

PER_ELEMENT, DISTRIBUTED, NONE = "per-element", "distributed", "none"
WAYS = (PER_ELEMENT, DISTRIBUTED, NONE)
"""How energies are shifted: by what least squares give each element; where compositions leave that open, by what they
do determine, spread as evenly over the atoms as may be; not at all."""

LARGEST_WITHOUT = 0.5
"""eV/atom on average from which a shift is missing: levels of theory differ by some 0.03 to 0.12 beside one."""

TOLERANCE = 1e-8
"""Of singular values, relative to the largest: compositions that differ by less are the same."""


@dataclass(frozen=True)
class Shift:
    """What is taken from the labels' energies to have the model's zero.

    :param energies: eV a frame, shape [n].
    :param report: ``way``, ``by_element`` (eV an atom, ``None`` without a shift), ``rank`` (numbers that the
        compositions determine), ``n_elements``, ``n_fitted`` (frames), ``before`` and ``after`` (root mean square
        differences of labels and model on them, eV/atom), ``how`` (one line).
    """

    energies: Array
    report: dict[str, Any]


def fit_shift(frames: LabelledFrames, predicted: Array, chosen: NDArray[np.bool_], way: str) -> Shift:
    """Return the shift of labels against a model, fitted to the energies an atom.

    :param frames: with their labels.
    :param predicted: the model's energies, eV, shape [n].
    :param chosen: frames to fit to, those of training: shape [n].
    :param way: one of :data:`WAYS`.
    :raises ValueError: one line: the compositions do not determine a shift for each element, or none is wanted where
        one is needed.
    """
    counts, sizes = frames.counts, frames.n_atoms
    differences = (frames.energies - predicted) / sizes
    basis, target = (counts / sizes[:, None])[chosen], differences[chosen]
    rank = require_determined(frames, chosen, way)
    shift = _shift_by_element(frames, basis, target, way)
    residual = target - basis @ shift
    report = {
        "way": way,
        "by_element": dict(zip(frames.elements, shift.tolist(), strict=True)) if way != NONE else None,
        "rank": rank,
        "n_elements": len(frames.elements),
        "n_fitted": int(chosen.sum()),
        "before": _root_mean_square(target),
        "after": _root_mean_square(residual),
        "how": _how(frames, rank, way),
    }
    return Shift(counts @ shift, report)


def require_determined(frames: LabelledFrames, chosen: NDArray[np.bool_], way: str) -> int:
    """Return how many shifts of elements the compositions of frames determine.

    :param chosen: see :func:`fit_shift`, like ``way``.
    :raises ValueError: one line, if a shift for each element is wanted, and they do not determine it.
    """
    shares = (frames.counts / frames.n_atoms[:, None])[chosen]
    rank = int(np.linalg.matrix_rank(shares, tol=TOLERANCE * np.sqrt(len(shares)))) if len(shares) else 0
    if way == PER_ELEMENT and rank < len(frames.elements):
        raise ValueError(
            f"the energies determine {rank} of the shifts of {len(frames.elements)} elements "
            f"({', '.join(frames.elements)}): where compositions are fixed only the sum over a formula is; set "
            f"energy_shift to {DISTRIBUTED!r} to take that out, spread evenly over the atoms, or add frames of other "
            "compositions"
        )
    return rank


def _shift_by_element(frames: LabelledFrames, basis: Array, target: Array, way: str) -> Array:
    if way == NONE:
        missing = abs(float(target.mean())) if len(target) else 0.0
        if missing > LARGEST_WITHOUT:
            raise ValueError(
                f"the energies of labels and model differ by {target.mean():.6g} eV/atom on average: they have "
                f"different zeros, set energy_shift to {PER_ELEMENT!r} or {DISTRIBUTED!r}"
            )
        return np.zeros(len(frames.elements))
    even = float(target.mean())
    rest, *_ = np.linalg.lstsq(basis, target - even, rcond=TOLERANCE)
    return np.asarray(even + rest)


def _how(frames: LabelledFrames, rank: int, way: str) -> str:
    if way == NONE:
        return "energies are as they were"
    if rank == len(frames.elements):
        return "least squares of the energies an atom, a number for each element"
    return (
        f"the compositions determine {rank} number{'s' if rank > 1 else ''} for {len(frames.elements)} elements: the "
        "mean difference an atom goes to all elements alike, and what is left to them by the smallest numbers that "
        "take it out"
    )


def _root_mean_square(values: Array) -> float | None:
    return float(np.sqrt((values**2).mean())) if len(values) else None
