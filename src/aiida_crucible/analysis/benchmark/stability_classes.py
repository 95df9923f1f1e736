"""Classes of dynamical stability, and how often a model puts a material into the class that a reference says.

A class follows from the anharmonicity score: below 0.5 weakly anharmonic, up to 1 strongly anharmonic, above 1
dynamically unstable (Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459). A score whose error bar reaches into another
class belongs to none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEAK, STRONG, UNSTABLE = "weak", "strong", "unstable"
CLASSES = (WEAK, STRONG, UNSTABLE)
"""From the most to the least stable."""
CANNOT_TELL = "cannot-tell"

BORDERS = (0.5, 1.0)
"""Scores between the classes; both of them belong to the strongly anharmonic one."""

REAL, IMAGINARY = "real", "imaginary"
HARMONIC_CLASSES = (REAL, IMAGINARY)
"""Whether the harmonic phonons have an imaginary mode; from the stable to the unstable one."""


def stability_class(score: float, error: float = 0.0) -> str:
    """Return the class of an anharmonicity score, or :data:`CANNOT_TELL` where its error bar crosses a border.

    :param score: without unit.
    :param error: half the error bar, as many standard errors as the caller wants.
    :raises ValueError: one line, if one of them is negative or not finite.
    """
    if not (math.isfinite(score) and score >= 0):
        raise ValueError(f"an anharmonicity score of {score}: it must be a finite number from zero")
    if not (math.isfinite(error) and error >= 0):
        raise ValueError(f"an anharmonicity score with an error of {error}: it must be a finite number from zero")
    lowest, highest = _class_of(score - error), _class_of(score + error)
    return lowest if lowest == highest else CANNOT_TELL


def _class_of(score: float) -> str:
    if score < BORDERS[0]:
        return WEAK
    return STRONG if score <= BORDERS[1] else UNSTABLE


@dataclass(frozen=True)
class Confusion:
    """How many materials of each class by a reference (rows) a model put into each class (columns).

    :param classes: names, from the most to the least stable.
    :param all_counts: with :data:`CANNOT_TELL` as the last class of both sides, shape [n_classes + 1, n_classes + 1].
    """

    classes: tuple[str, ...]
    all_counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        size, counts = len(self.classes), np.asarray(self.all_counts)
        is_whole = np.issubdtype(counts.dtype, np.integer)
        if counts.shape != (size + 1, size + 1) or not is_whole or (counts < 0).any():
            raise ValueError(
                f"a confusion matrix of {', '.join(self.classes)} holds whole numbers from zero in the shape "
                f"{(size, size)}"
            )

    @classmethod
    def decided(cls, classes: tuple[str, ...], counts: NDArray[np.int64]) -> Confusion:
        """Return the matrix of materials that both sides can class, shape [n_classes, n_classes]."""
        return cls(classes, np.pad(counts, (0, 1)))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Materials that both sides can class, shape [n_classes, n_classes]."""
        return self.all_counts[:-1, :-1]

    @property
    def undecided(self) -> int:
        """Materials that one side cannot class; no share counts them."""
        return int(self.all_counts.sum()) - self.total

    @property
    def total(self) -> int:
        """Materials that both sides have classed."""
        return int(self.counts.sum())

    @property
    def over_stabilised(self) -> int:
        """Materials that the model takes for more stable than the reference."""
        return int(np.tril(self.counts, -1).sum())

    @property
    def under_stabilised(self) -> int:
        """Materials that the model takes for less stable than the reference."""
        return int(np.triu(self.counts, 1).sum())

    def shares(self) -> dict[str, float | None]:
        """Return shares between 0 and 1; ``None`` where there is nothing to take a share of.

        Each is named by what it is a share of, because the same mistakes look large or small by that:

        - ``agreement``, ``over_stabilised`` and ``under_stabilised`` of all classed materials;
        - ``over_stabilised_of_low_stability``: of those that are not in the reference's most stable class, the only
          ones that can be taken for more stable;
        - ``under_stabilised_of_high_stability``: of those that are not in its least stable class, likewise;
        - ``over_stabilised_of_mistakes`` and ``under_stabilised_of_mistakes``: of those on which the two disagree.
        """
        over, under = self.over_stabilised, self.under_stabilised
        low, high = int(self.counts[1:].sum()), int(self.counts[:-1].sum())
        return {
            "agreement": _share(self.total - over - under, self.total),
            "over_stabilised": _share(over, self.total),
            "under_stabilised": _share(under, self.total),
            "over_stabilised_of_low_stability": _share(over, low),
            "under_stabilised_of_high_stability": _share(under, high),
            "over_stabilised_of_mistakes": _share(over, over + under),
            "under_stabilised_of_mistakes": _share(under, over + under),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: ``classes``, ``counts``, ``all_counts``, ``undecided`` and ``shares``.

        Rows are the reference's classes. ``all_counts`` have ``cannot-tell`` as the last class of both sides.
        """
        return {
            "classes": list(self.classes),
            "counts": self.counts.tolist(),
            "all_counts": self.all_counts.tolist(),
            "undecided": self.undecided,
            "shares": self.shares(),
        }


def confusion(reference: Sequence[str], model: Sequence[str], classes: tuple[str, ...] = CLASSES) -> Confusion:
    """Return how the classes by a model compare with those by a reference.

    :param reference: one class for each material, or :data:`CANNOT_TELL`.
    :param classes: :data:`CLASSES` or :data:`HARMONIC_CLASSES`.
    :raises ValueError: one line, if they are not of the same length or a class is unknown.
    """
    if len(reference) != len(model):
        raise ValueError(f"{len(reference)} classes by the reference and {len(model)} by the model: give one of each")
    names = (*classes, CANNOT_TELL)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    for index, pair in enumerate(zip(reference, model, strict=True)):
        for name in pair:
            if name not in names:
                raise ValueError(f"material {index} is of the class {name!r}: known are {', '.join(classes)}")
        counts[names.index(pair[0]), names.index(pair[1])] += 1
    return Confusion(classes, counts)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
