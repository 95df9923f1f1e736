"""What a benchmark says of each model, as the rows of tables on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ERRORS = ("model", "protocol", "complete", "partial", "failed", "RMSE ω² (THz²)", "RMSE v_g (Å THz)")
CLASSES = ("model", "protocol", "frames and force constants", "agree %", "over %", "under %", "undecided", "missing")


def error_rows(summary: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return by model its states and the medians of its errors, in the columns of :data:`ERRORS`.

    :param summary: see :func:`aiida_crucible.analysis.benchmark.summary.aggregate`.
    """
    return [
        (entry["model"], entry["protocol"], *entry["states"].values(), *map(_three_digits, _medians(entry)))
        for entry in summary["entries"]
    ]


def class_rows(summary: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return by model and choice how often the classes of stability agree, in the columns of :data:`CLASSES`."""
    return [
        (
            entry["model"],
            entry["protocol"],
            choice,
            *(_percent(matrix["shares"][name]) for name in ("agreement", "over_stabilised", "under_stabilised")),
            matrix["undecided"],
            matrix["missing"],
        )
        for entry in summary["entries"]
        for choice, matrix in entry["confusion"]["stability"].items()
    ]


def _medians(entry: Mapping[str, Any]) -> list[float | None]:
    errors = entry["errors"]["by_order"]
    return [errors[quantity]["all"]["median"] for quantity in ("squares", "velocities")]


def _three_digits(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f}"
