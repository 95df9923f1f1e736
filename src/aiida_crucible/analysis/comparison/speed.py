"""What force calls of models cost against the number of atoms, and how the cost grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FEWEST_SIZES = 2
"""Sizes below which nobody knows how the cost grows."""


def speed_table(
    results: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str], failed: Mapping[str, str]
) -> dict[str, Any]:
    """Return what models cost, as plain data.

    :param results: by the models' labels, of the task ``speed``; of one that did not end, what it had done.
    :param titles: of all models.
    :param failed: why a model was not timed to the end.
    :return: ``models``, by label: ``title``, ``device``, ``threads`` (the most of any size), ``load`` (seconds that
        packages and weights took), ``sizes`` (see :mod:`crucible_engine.tasks.speed.run`), ``exponent`` (p of time ~
        atoms^p between the two largest sizes that were measured; None where there are none) and ``quickest`` (label
        of the size, one at a time or in batches: ``n_atoms``, ``microseconds_per_atom``, ``batch``); ``failed``.
    """
    models = {}
    for label, content in sorted(results.items()):
        sizes = content.get("summary", {}).get("sizes", {})
        entries = [entry for own in sizes.values() for entry in own]
        measured = [entry for entry in entries if entry["outcome"] == "measured"]
        timings = content.get("timings", {})
        models[label] = {
            "title": titles[label],
            "device": content.get("model", {}).get("device"),
            "threads": max((entry["threads"] for entry in measured), default=None),
            "load": sum(timings.get(name, 0.0) for name in ("import", "load")),
            "sizes": entries,
            "exponent": _exponent(measured),
            "quickest": _quickest(measured),
        }
    return {"models": models, "failed": dict(failed)}


def _exponent(measured: Sequence[Mapping[str, Any]]) -> float | None:
    largest = sorted(measured, key=lambda entry: entry["n_atoms"])[-FEWEST_SIZES:]
    if len(largest) < FEWEST_SIZES or largest[0]["n_atoms"] == largest[1]["n_atoms"]:
        return None
    times, atoms = ([entry[name] for entry in largest] for name in ("milliseconds_per_step", "n_atoms"))
    return float(np.log(times[1] / times[0]) / np.log(atoms[1] / atoms[0]))


def _quickest(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the cheapest way to a force on an atom that was measured."""
    ways = [
        {"n_atoms": entry["n_atoms"], "batch": batch, "microseconds_per_atom": 1000 * milliseconds / entry["n_atoms"]}
        for entry in measured
        for batch, milliseconds in (
            (None, entry["milliseconds_per_step"]),
            *((each["size"], each["milliseconds_per_structure"]) for each in entry["batches"]),
        )
    ]
    return min(ways, key=lambda way: way["microseconds_per_atom"]) if ways else None
