"""Where several models agree about a crystal, which of them stand apart, and which agree best with a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer
from aiida_crucible.analysis.verdict.reliability import MAIN
from aiida_crucible.analysis.verdict.spread import in_words

Rows = Mapping[str, Mapping[str, Any]]
"""What each model found, by its label, see :func:`row_of`."""

FEWEST_MODELS = 3
"""Models below which their agreement is no consensus: of two, nobody knows which stands apart."""
FEWEST_FOR_OUTLIERS = 4
"""Models below which none of them can be named as standing apart: the median of three is always one of them."""
OUTLYING = 3.5
"""Of the modified z-score 0.6745 |x - median| / MAD (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993)."""
NORMAL = 0.6745
"""Median absolute deviation of a normal distribution, in its standard deviations."""

LENGTHS = ("a", "b", "c", "c_over_a", "volume")
POWERS = {"volume": 3}
"""Of a length that a quantity is, where it is more than one: a tolerance is of lengths."""
LATTICE_FLOOR = 0.005
"""Relative difference of lattice parameters that nobody calls one: two density functionals differ by more."""
ENERGY_FLOOR = 0.01
"""eV a formula unit: the same for differences of phases' energies."""


@dataclass(frozen=True)
class Consensus:
    """What several models say of one quantity.

    :param median: of all models.
    :param spread: standard deviation of a normal distribution with the models' median absolute deviation.
    :param low: the least of them.
    :param high: the greatest.
    :param outliers: labels of those that stand apart; empty where there are too few models to tell.
    """

    median: float
    spread: float
    low: float
    high: float
    outliers: tuple[str, ...]


def consensus_of(values: Mapping[str, float], floor: float) -> Consensus:
    """Return what models say of a quantity together.

    :param values: by the models' labels, at least one.
    :param floor: deviation from the median below which none stands apart, in the values' unit.
    """
    numbers = np.array(list(values.values()), dtype=float)
    median = float(np.median(numbers))
    deviations = np.abs(numbers - median)
    spread = float(np.median(deviations)) / NORMAL
    apart = (deviations > OUTLYING * spread) & (deviations > floor)
    labels = [label for label, is_apart in zip(values, apart, strict=True) if is_apart]
    named = tuple(labels) if len(values) >= FEWEST_FOR_OUTLIERS else ()
    return Consensus(median, spread, float(numbers.min()), float(numbers.max()), named)


def row_of(
    title: str,
    relaxation: Mapping[str, Any],
    verdict: Mapping[str, Any],
    answers: Mapping[str, Any],
    cost: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what one model found, as plain data.

    :param title: of the model.
    :param relaxation: ``summary`` of ``crucible.relax`` for all phases.
    :param verdict: of ``crucible.reliability``.
    :param answers: its ``summary``.
    :param cost: ``milliseconds_per_step`` and ``n_atoms`` of the hot runs; ``None`` where nothing ran.
    """
    phases = relaxation["structures"]
    main = phases[MAIN]
    base = main["energy_per_formula_unit"] if main["outcome"] == "converged" else None
    energies = {
        name: phase["energy_per_formula_unit"] - base
        for name, phase in phases.items()
        if name != MAIN and base is not None and phase["outcome"] == "converged"
    }
    stability = answers["stability"]
    return {
        "title": title,
        "reason": "",
        "trusted": verdict["trusted"],
        "headline": verdict["headline"],
        "outcome": main["outcome"],
        "lattice": main["lattice"] if main["outcome"] == "converged" else None,
        "space_group": (main.get("space_group_after") or {}).get("symbol"),
        "energy_differences": energies,
        "stable": stability["answer"],
        "lowest_frequency": stability.get("evidence", {}).get("lowest_mesh_frequency"),
        "transitions": answers["transitions"]["reason"] if "transitions" in answers else None,
        "finite_temperature": answers["finite_temperature"]["answer"] if "finite_temperature" in answers else None,
        "cost": None if cost is None else dict(cost),
    }


def failed_row(title: str, reason: str) -> dict[str, Any]:
    """Return the row of a model that found nothing."""
    return {"title": title, "reason": reason, "outcome": "failed"}


def compare(rows: Rows, reference: Mapping[str, Any], thresholds: Mapping[str, Any]) -> dict[str, Any]:
    """Return what models say together, as plain data.

    :param rows: of all models.
    :param reference: see :func:`aiida_crucible.analysis.verdict.reliability.check_reference`; may be empty.
    :param thresholds: see :data:`aiida_crucible.analysis.verdict.reliability.THRESHOLDS`.
    :return: ``consensus`` (by quantity, see :class:`Consensus`), ``agreement`` (question, answer, reason, evidence),
        ``outliers`` (labels with the quantities in which they stand apart), ``ranking`` (labels, best first, with
        ``deviations`` from the reference; without one by ``trusted`` alone), ``failed`` (reasons by label).
    """
    found = {label: row for label, row in rows.items() if row["outcome"] == "converged"}
    failed = {
        label: row["reason"] or f"the crystal did not relax: {row['outcome']}"
        for label, row in rows.items()
        if label not in found
    }
    quantities = {name: consensus_of(values, floor) for name, (values, floor) in _quantities(found).items()}
    outliers: dict[str, list[str]] = {}
    for name, each in quantities.items():
        for label in each.outliers:
            outliers.setdefault(label, []).append(name)
    return {
        "consensus": {name: {**asdict(each), "outliers": list(each.outliers)} for name, each in quantities.items()},
        "agreement": asdict(_agreement(found, quantities, thresholds)),
        "outliers": outliers,
        "ranking": _ranking(found, reference, thresholds),
        "failed": failed,
    }


def _quantities(rows: Rows) -> dict[str, tuple[dict[str, float], float]]:
    """Return numbers that several models have, by the models' labels, with what counts as no difference."""
    found: dict[str, tuple[dict[str, float], float]] = {}
    for name in LENGTHS:
        values = {label: float(row["lattice"][name]) for label, row in rows.items()}
        if values:
            found[name] = values, LATTICE_FLOOR * float(np.median(list(values.values())))
    for phase in sorted({phase for row in rows.values() for phase in row["energy_differences"]}):
        energies = {
            label: row["energy_differences"][phase] for label, row in rows.items() if phase in row["energy_differences"]
        }
        found[f"energy of {phase}"] = energies, ENERGY_FLOOR
    return found


def _agreement(rows: Rows, quantities: Mapping[str, Consensus], thresholds: Mapping[str, Any]) -> Answer:
    tolerance = thresholds["lattice_tolerance"]
    question = f"Do the models agree about the crystal (lattice within {100 * tolerance:g} %, phases, stability)?"
    if len(rows) < FEWEST_MODELS:
        reason = f"{len(rows)} of them relaxed it, and it takes {FEWEST_MODELS} to speak of agreement: add models"
        return Answer(question, CANNOT_TELL, reason)
    widths = {
        name: (quantities[name].high - quantities[name].low) / quantities[name].median / POWERS.get(name, 1)
        for name in LENGTHS
    }
    worst = max(widths, key=lambda name: widths[name])
    differ = []
    if widths[worst] > tolerance:
        low, high = quantities[worst].low, quantities[worst].high
        differ.append(f"{in_words(worst)} is {low:.4g} to {high:.4g}")
    for name, each in quantities.items():
        if name not in LENGTHS and each.low < 0 < each.high:
            differ.append(f"{name} is {each.low:+.3f} to {each.high:+.3f} eV a formula unit")
    stable = {answer: [label for label, row in rows.items() if row["stable"] == answer] for answer in (YES, NO)}
    if stable[YES] and stable[NO]:
        differ.append(f"it is unstable for {', '.join(stable[NO])} only")
    evidence = {"widths": widths, "stable": stable}
    if differ:
        return Answer(question, NO, "; ".join(differ), evidence)
    return Answer(question, YES, f"{in_words(worst)} differs most, by {100 * widths[worst]:.1f} %", evidence)


def _ranking(rows: Rows, reference: Mapping[str, Any], thresholds: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return models, those first that agree best with the reference.

    The deviation of each quantity counts in units of what is allowed of it; what is not known of a model leaves its
    place to those of which it is.
    """
    ranked = []
    for label, row in rows.items():
        deviations = {name: row["lattice"][name] / value - 1 for name, value in reference.get("lattice", {}).items()}
        scaled = [abs(value) / thresholds["lattice_tolerance"] for value in deviations.values()]
        for phase, wanted in reference.get("energy_differences", {}).items():
            if phase in row["energy_differences"]:
                deviations[f"energy of {phase}"] = row["energy_differences"][phase] - wanted
                scaled.append(abs(deviations[f"energy of {phase}"]) / max(ENERGY_FLOOR, 0.1 * abs(wanted)))
        score = float(np.mean(scaled)) if scaled else None
        ranked.append({"label": label, "trusted": row["trusted"], "score": score, "deviations": deviations})
    order = {YES: 0, CANNOT_TELL: 1, NO: 2}
    return sorted(ranked, key=lambda each: (each["score"] is None, each["score"] or 0.0, order[each["trusted"]]))
