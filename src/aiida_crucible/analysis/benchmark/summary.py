"""The rows of a benchmark taken together, for each model and protocol.

The quantities are those of Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459: errors of the phonons by group,
confusion matrices of the classes of stability, and how the errors go with the anharmonicity of the reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from aiida_crucible.analysis.anharmonicity.combinations import REFERENCE
from aiida_crucible.analysis.benchmark.records import (
    MATCHINGS,
    STATES,
    UNITS,
    BenchmarkRow,
    Choice,
    by_model_and_protocol,
    choices_of,
    groups_of,
    read_rows,
)
from aiida_crucible.analysis.benchmark.stability_classes import CLASSES, HARMONIC_CLASSES, confusion

REACH = 1.5
"""Interquartile ranges that a whisker is long at most (Tukey), as matplotlib draws them."""
FEWEST = 3
"""Pairs below which a correlation is always 1 or -1."""
NO_VARIATION = 1e-12
"""Spread relative to the largest number that is rounding only."""

REFERENCE_SIGMA, ABSOLUTE_DIFFERENCE = "reference_sigma", "absolute_sigma_difference"

SQUARED = ("printed", "squares")
"""Both errors of squared frequencies: as the publication prints it, and the true root mean square."""

Numbers = Sequence[float | None]


def distribution(values: Sequence[float]) -> dict[str, Any]:
    """Return ``n``, ``mean``, ``median``, quartiles and whiskers; ``None`` where there is no value.

    Quartiles are interpolated linearly. Whiskers end at the outermost values within 1.5 interquartile ranges of them.

    :param values: finite numbers, in any order.
    """
    names = ("mean", "median", "lower_quartile", "upper_quartile", "lower_whisker", "upper_whisker")
    if not len(values):
        return {"n": 0, **dict.fromkeys(names)}
    numbers = np.array(values, dtype=float)
    lower, median, upper = np.percentile(numbers, [25, 50, 75])
    reach = REACH * (upper - lower)
    # Interpolated quartiles may have no value between them and the end of their reach.
    lowest = min(numbers[numbers >= lower - reach].min(), lower)
    highest = max(numbers[numbers <= upper + reach].max(), upper)
    found = (numbers.mean(), median, lower, upper, lowest, highest)
    return {"n": len(numbers), **{name: float(value) for name, value in zip(names, found, strict=True)}}


def correlation(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """Return Spearman's and Pearson's coefficients of the pairs in which no number is missing.

    :param first: numbers, or ``None`` where there is none.
    :param second: likewise, in the same order.
    :return: ``n`` (pairs), ``spearman``, ``pearson``, ``reason`` (why they are ``None``; empty if they are not).
    """
    pairs = [pair for pair in zip(first, second, strict=True) if None not in pair]
    reason = ""
    if len(pairs) < FEWEST:
        reason = f"{len(pairs)} materials have both numbers, at least {FEWEST} are needed"
    elif any(_is_constant(np.array(values, dtype=float)) for values in zip(*pairs, strict=True)):
        reason = "one of the numbers is the same for all materials"
    if reason:
        return {"n": len(pairs), "spearman": None, "pearson": None, "reason": reason}
    x, y = np.array(pairs, dtype=float).T
    found = {"spearman": float(spearmanr(x, y).statistic), "pearson": float(pearsonr(x, y).statistic)}
    return {"n": len(pairs), **found, "reason": ""}


def _is_constant(values: np.ndarray) -> bool:
    return math.isclose(values.min(), values.max(), rel_tol=NO_VARIATION)


def aggregate(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the rows of a benchmark say together, as plain values.

    :param rows: see :func:`aiida_crucible.analysis.benchmark.records.read_rows`.
    :return: ``n_rows`` and ``entries``, one for each protocol and model:

        - ``model``, ``protocol``, ``n_rows``, ``states`` (counts), ``missing`` (``part``, ``reason``, ``materials``);
        - ``errors`` of the phonons by matching and quantity, each a distribution ``all`` and ``by_group``;
        - ``sigma_differences`` to the reference by choice, ``signed`` and ``absolute``, likewise;
        - ``confusion``: ``stability`` by choice, and ``harmonic``, see
          :meth:`aiida_crucible.analysis.benchmark.stability_classes.Confusion.as_dict`; ``undecided`` are those of
          which a side cannot tell, ``missing`` those that one side was not measured for;
        - ``correlations``: see :func:`aiida_crucible.analysis.benchmark.summary.correlation`, of the quantities
          ``first`` and ``second``, errors by order; ``choice`` where one of them is of one.
    :raises ValueError: one line that names the material of a row that is not valid.
    """
    read = read_rows(rows)
    entries = [_entry(model, protocol, own) for (model, protocol), own in by_model_and_protocol(read).items()]
    return {"n_rows": len(read), "entries": entries}


def _entry(model: str, protocol: str, rows: Sequence[BenchmarkRow]) -> dict[str, Any]:
    choices = choices_of(rows)
    differences = {choice.name: [row.difference(choice.label) for row in rows] for choice in choices}
    return {
        "model": model,
        "protocol": protocol,
        "n_rows": len(rows),
        "states": {state: sum(row.state == state for row in rows) for state in STATES},
        "missing": _missing(rows),
        "errors": {
            matching: {
                quantity: _distributions(rows, [row.error(matching, quantity) for row in rows]) for quantity in UNITS
            }
            for matching in MATCHINGS
        },
        "sigma_differences": {
            name: {"signed": _distributions(rows, values), "absolute": _distributions(rows, _absolute(values))}
            for name, values in differences.items()
        },
        "confusion": {
            "stability": {choice.name: _stability(rows, choice) for choice in choices},
            "harmonic": _harmonic(rows),
        },
        "correlations": _correlations(rows, choices),
    }


def _missing(rows: Sequence[BenchmarkRow]) -> list[dict[str, Any]]:
    """Return what was not measured and why, the most frequent first."""
    materials: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        for part, reason in row.missing.items():
            materials.setdefault((row.state, part, reason), []).append(row.material)
    found = [
        {"state": state, "part": part, "reason": reason, "n": len(names), "materials": names}
        for (state, part, reason), names in materials.items()
    ]
    return sorted(found, key=lambda entry: -len(entry["materials"]))


def _distributions(rows: Sequence[BenchmarkRow], values: Numbers) -> dict[str, Any]:
    """Return the distribution of what rows have of a quantity, over all and by group."""

    def among(group: str | None = None) -> dict[str, Any]:
        pairs = zip(rows, values, strict=True)
        return distribution([value for row, value in pairs if value is not None and group in (None, row.group)])

    return {"all": among(), "by_group": {group: among(group) for group in groups_of(rows)}}


def _absolute(values: Numbers) -> Numbers:
    return [None if value is None else abs(value) for value in values]


def _stability(rows: Sequence[BenchmarkRow], choice: Choice) -> dict[str, Any]:
    both = [row for row in rows if row.difference(choice.label) is not None]
    reference, model = ([row.scores[label]["class"] for row in both] for label in (REFERENCE, choice.label))
    return {
        **choice.combination.as_dict(),
        "missing": len(rows) - len(both),
        **confusion(reference, model, CLASSES).as_dict(),
    }


def _harmonic(rows: Sequence[BenchmarkRow]) -> dict[str, Any]:
    both = [row.harmonic["imaginary"] for row in rows if row.is_compared]
    reference, model = ([one[whose] for one in both] for whose in ("reference", "model"))
    return {"missing": len(rows) - len(both), **confusion(reference, model, HARMONIC_CLASSES).as_dict()}


def _correlations(rows: Sequence[BenchmarkRow], choices: Sequence[Choice]) -> list[dict[str, Any]]:
    errors: dict[str, Numbers] = {
        name: [row.error(MATCHINGS[0], name) for row in rows] for name in (*SQUARED, "velocities")
    }
    sigma: Numbers = [row.sigma(REFERENCE) for row in rows]
    found = [_pair(name, values, REFERENCE_SIGMA, sigma) for name, values in errors.items()]
    found += [_pair(name, errors[name], "velocities", errors["velocities"]) for name in SQUARED]
    for choice in choices:
        differences = _absolute([row.difference(choice.label) for row in rows])
        found.append(_pair(ABSOLUTE_DIFFERENCE, differences, REFERENCE_SIGMA, sigma, choice.name))
        found += [_pair(name, errors[name], ABSOLUTE_DIFFERENCE, differences, choice.name) for name in SQUARED]
    return found


def _pair(first: str, x: Numbers, second: str, y: Numbers, choice: str | None = None) -> dict[str, Any]:
    return {"first": first, "second": second, "choice": choice, **correlation(x, y)}
