"""The anharmonicity score σ: how much of the forces on the atoms of a crystal its harmonic force constants leave out.

Knoop, Purcell, Scheffler and Carbogno, Phys. Rev. Mater. 2020, 4, 083809; Yang et al., Phys. Chem. Chem. Phys. 2026,
28, 4459, Eq. 1: σ² = Σ ⟨(F - F²)²⟩ / Σ ⟨F²⟩, where F² are the harmonic forces. The sums run over atoms and directions,
over all of them or over a part (an element, a site, a direction), in numerator and denominator alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit  # scipy.stats takes half a second to import

from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL, stability_class
from aiida_crucible.analysis.statistics.averages import Average, average

ALL = "all"
"""The group of all atoms and directions."""

NO_FORCE = 1e-6
"""Of the root-mean-square force of all frames: forces of a frame below it are rounding errors, and have no score."""


@dataclass(frozen=True)
class Groups:
    """Parts of a crystal's coordinates, each of which gets a score of its own.

    :param names: kind and name of each, such as ``("species", "Br")``; the first is all coordinates.
    :param members: 1 where a coordinate belongs to a group, shape [3 n_atoms, n_groups].
    """

    names: tuple[tuple[str, str], ...]
    members: NDArray[np.float64]


@dataclass(frozen=True)
class ForceSums:
    """What a run's frames add to a score: squared forces (eV²/Å²) by frame and group, shape [n_frames, n_groups] each.

    :param anharmonic: of F - F².
    :param total: of F.
    :param anharmonic_sum: F - F² itself, summed over all coordinates and frames, eV/Å.
    :param total_sum: F itself, the same way.
    :param n_coordinates: of a frame.
    """

    anharmonic: NDArray[np.float64]
    total: NDArray[np.float64]
    anharmonic_sum: float
    total_sum: float
    n_coordinates: int

    @property
    def per_frame(self) -> NDArray[np.float64]:
        """σ(t) of all atoms, shape [n_frames]."""
        return np.asarray(_ratio(self.anharmonic[:, 0], self.total[:, 0]) ** 0.5)


@dataclass(frozen=True)
class Score:
    """An anharmonicity score.

    :param value: without unit.
    :param standard_error: from the autocorrelation and block averages of the frames; not a number where there is none.
    :param warning: why the error should not be trusted, or that there is none; empty if it can be.
    :param freedom: degrees of freedom of the error: independent values less one for each run.
    """

    value: float
    standard_error: float
    warning: str = ""
    freedom: float = math.inf

    def as_dict(self) -> dict[str, Any]:
        """Return it with ``None`` for what is no number."""
        return {
            "value": finite_or_none(self.value),
            "standard_error": finite_or_none(self.standard_error),
            "warning": self.warning,
        }


def finite_or_none(value: float) -> float | None:
    """Return a number as a node takes it: ``None`` where it is not finite."""
    return value if math.isfinite(value) else None


def crystal_groups(symbols: Sequence[str], sites: Sequence[str]) -> Groups:
    """Return all coordinates, those of each element, each symmetry-distinct site and each Cartesian direction.

    :param symbols: chemical symbol of each atom, shape [n_atoms].
    :param sites: name of each atom's site, shape [n_atoms].
    """
    names: list[tuple[str, str]] = [(ALL, ALL)]
    columns = [np.ones(3 * len(symbols))]
    for kind, labels in (("species", symbols), ("site", sites)):
        for label in sorted(set(labels)):
            names.append((kind, label))
            columns.append(np.repeat([float(one == label) for one in labels], 3))
    for axis, direction in enumerate("xyz"):
        names.append(("direction", direction))
        columns.append(np.tile(np.eye(3)[axis], len(symbols)))
    return Groups(tuple(names), np.array(columns).T)


def sum_forces(parts: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]], groups: Groups) -> ForceSums:
    """Return the sums of a run.

    :param parts: forces and anharmonic forces F - F² of some frames after the other, eV/Å, shape [n, 3 n_atoms] each.
    """
    anharmonic, total, sums = [], [], np.zeros(2)
    for forces, anharmonic_forces in parts:
        anharmonic.append(anharmonic_forces**2 @ groups.members)
        total.append(forces**2 @ groups.members)
        sums += anharmonic_forces.sum(), forces.sum()
    return ForceSums(
        np.concatenate(anharmonic), np.concatenate(total), float(sums[0]), float(sums[1]), len(groups.members)
    )


def time_averaged(runs: Sequence[ForceSums]) -> Score:
    """Return ⟨σ(t)⟩ over the frames of all runs on which forces act: the paper's score."""
    series = score_series(runs)
    left_out = sum(len(run.total) for run in runs) - sum(len(values) for values in series)
    if not series:
        return Score(math.nan, math.nan, "no forces act here")
    score = _over_runs(series)
    if left_out and not score.warning:
        return replace(score, warning=f"{left_out} frames without any force are left out")
    return score


def score_series(runs: Sequence[ForceSums]) -> list[NDArray[np.float64]]:
    """Return σ(t) of each run over its frames on which forces act; a run without such frames is left out."""
    least = NO_FORCE**2 * float(np.mean(np.concatenate([run.total[:, 0] for run in runs])))
    series = [run.per_frame[run.total[:, 0] > least] for run in runs]
    return [values for values in series if len(values)]


def pooled(runs: Sequence[ForceSums], group: int = 0) -> Score:
    """Return σ with numerator and denominator of Eq. 1 each averaged over the frames of all runs.

    Its error is that of the linearised ratio: of the series (A - σ² B) / (2 σ ⟨B⟩), with A and B the squares of a
    frame (the delta method).
    """
    anharmonic = np.concatenate([run.anharmonic[:, group] for run in runs])
    total = np.concatenate([run.total[:, group] for run in runs])
    if total.mean() == 0:
        return Score(math.nan, math.nan, "no forces act here")
    value = float(np.sqrt(_ratio(anharmonic.mean(), total.mean())))
    if not value > 0:
        return Score(value, 0.0 if value == 0 else math.nan, "" if value == 0 else "no forces act here")
    scale = 2 * value * total.mean()
    deviations = [(run.anharmonic[:, group] - value**2 * run.total[:, group]) / scale for run in runs]
    error = _over_runs(deviations)
    return Score(value, error.standard_error, error.warning)


def fhi_vibes(runs: Sequence[ForceSums]) -> float:
    """Return the standard deviation of F - F² over that of F, over frames, atoms and directions, means subtracted.

    As FHI-vibes defines it (``vibes/anharmonicity_score.py``, ddof 0). Where no net force acts it is the pooled score.
    """
    count = sum(len(run.total) * run.n_coordinates for run in runs)
    variances = [
        sum(squares) / count - (sum(sums) / count) ** 2
        for squares, sums in (
            ([float(run.anharmonic[:, 0].sum()) for run in runs], [run.anharmonic_sum for run in runs]),
            ([float(run.total[:, 0].sum()) for run in runs], [run.total_sum for run in runs]),
        )
    ]
    return math.sqrt(max(0.0, variances[0]) / variances[1]) if variances[1] > 0 else math.nan


def scores_by_group(runs: Sequence[ForceSums], groups: Groups) -> dict[str, dict[str, Score]]:
    """Return the pooled scores of all groups but the first, by kind and name."""
    found: dict[str, dict[str, Score]] = {}
    for index, (kind, name) in enumerate(groups.names):
        if kind != ALL:
            found.setdefault(kind, {})[name] = pooled(runs, index)
    return found


def classify(score: Score, coverage_factor: float) -> str:
    """Return the class of stability that a score says: below 0.5, up to 1, or above 1.

    :param coverage_factor: standard errors on either side that make the error bar, where these are well known; of few
        independent values it is as much longer as Student's distribution is wider than the normal one.
    :return: a class of :mod:`stability_classes`, or ``cannot-tell`` where the error bar crosses a border of classes, or
        where there is none.
    """
    if not (math.isfinite(score.value) and math.isfinite(score.standard_error)):
        return CANNOT_TELL
    factor = float(-stdtrit(max(score.freedom, 1.0), ndtr(-coverage_factor)))
    return stability_class(score.value, factor * score.standard_error)


def as_dicts(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, dict[str, Any]]:
    """Return scores by kind and name as plain values."""
    return {kind: {name: score.as_dict() for name, score in named.items()} for kind, named in scores.items()}


def _over_runs(series: Sequence[NDArray[np.float64]]) -> Score:
    """Return the mean over the values of independent runs, each of which counts with its length."""
    lengths = np.array([len(values) for values in series])
    averages = [average(values, cut=0) for values in series]
    weights = lengths / lengths.sum()
    mean = float(weights @ [one.mean for one in averages])
    error = float(np.sqrt(np.sum((weights * [one.standard_error for one in averages]) ** 2)))
    if (lengths == 1).any():
        return Score(mean, math.nan, "a single frame has no error bar")
    warnings = [one.warning for one in averages if one.warning]
    return Score(mean, error, warnings[0] if warnings else "", _freedom(weights, averages))


def _freedom(weights: NDArray[np.float64], averages: Sequence[Average]) -> float:
    """Return the degrees of freedom of a weighted mean's error (Welch, Biometrika 1947, 34, 28)."""
    squares = (weights * [one.standard_error for one in averages]) ** 2
    freedom = np.maximum([one.n_effective - 1 for one in averages], 0.1)
    return float(squares.sum() ** 2 / np.sum(squares**2 / freedom)) if squares.any() else math.inf


def _ratio(numerator: Any, denominator: Any) -> Any:
    """Divide; 0 / 0 is NaN, without a warning."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(numerator) / np.asarray(denominator)
