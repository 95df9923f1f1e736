"""Rows of benchmarks that were never run, of the form that ``BenchmarkWorkChain`` gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination
from aiida_crucible.analysis.benchmark.stability_classes import CLASSES, stability_class

TRUTH = Combination(REFERENCE, REFERENCE, REFERENCE)
GIVEN = Combination(OWN, REFERENCE, REFERENCE)
OWN_CONSTANTS = Combination(OWN, REFERENCE, OWN)
TYPICAL = dict(zip(CLASSES, (0.25, 0.75, 1.25), strict=True))
"""A score of each class."""


def score(
    combination: Combination, sigma: float | None, error: float = 0.01, name: str | None = None
) -> dict[str, Any]:
    """Return the score of a combination; its class follows from twice the error where no ``name`` says it."""
    if sigma is None:
        return {**combination.as_dict(), "sigma": None, "class": "cannot-tell", "warnings": ["an atom left its site"]}
    found = name or stability_class(sigma, 2 * error)
    return {**combination.as_dict(), "sigma": sigma, "standard_error": error, "class": found, "warnings": []}


def own_run(constants: str, temperature: float | None = 300.0) -> Combination:
    """Return the combination of own runs."""
    return Combination(OWN, OWN, constants, temperature)


def scored(truth: float | None, scores: dict[Combination, float | None]) -> dict[str, Any]:
    """Return the scores of a row, the reference's among them."""
    found = {one.label: score(one, sigma) for one, sigma in scores.items()}
    return {**({} if truth is None else {"reference": score(TRUTH, truth)}), **found}


def compared(squares: float, velocities: float, imaginary: tuple[str, str] = ("real", "real")) -> dict[str, Any]:
    """Return a harmonic comparison; what is printed is the root of ``squares``, errors by overlap are half as large."""
    errors = {"printed": squares**0.5, "squares": squares, "frequencies": squares / 10, "velocities": velocities}
    return {
        "outcome": "compared",
        "errors": {"by_order": errors, "by_overlap": {name: value / 2 for name, value in errors.items()}},
        "imaginary": dict(zip(("reference", "model"), imaginary, strict=True)),
        "volume_ratio": 1.02,
        "smallest_overlap": 0.9,
        "reordered": 0.0,
        "frequencies": {"maximum": {"reference": 10.0, "model": 9.0, "error": -1.0}},
        "thermal": {
            "temperatures": [300.0],
            **{name: {"error": [0.001]} for name in ("free_energy", "entropy", "heat_capacity")},
        },
    }


def row(material: str = "Cs2AgBiBr6", **changes: Any) -> dict[str, Any]:
    """Return a row in which nothing was measured and nothing wanted, changed."""
    return {
        "material": material,
        "formula": material,
        "group": "Br",
        "model": "chgnet",
        "protocol": "double-perovskites",
        "state": "complete",
        "missing": {},
        "harmonic": None,
        "phonons": None,
        "scores": {},
        "runs": {},
        **changes,
    }


def rows_of_matrix(counts: Any, combination: Combination, **changes: Any) -> list[dict[str, Any]]:
    """Return as many rows of each pair of classes as a confusion matrix says."""
    rows = []
    for place in np.ndindex(3, 3):
        by_reference, by_model = (CLASSES[index] for index in place)
        scores = {
            "reference": score(TRUTH, TYPICAL[by_reference]),
            combination.label: score(combination, TYPICAL[by_model]),
        }
        rows += [
            row(f"{by_reference}-{by_model}-{number}", scores=scores, **changes)
            for number in range(int(np.asarray(counts)[place]))
        ]
    return rows
