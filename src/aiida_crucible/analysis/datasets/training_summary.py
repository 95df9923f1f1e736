"""What a training has brought: errors before and after, and whether it is better where it was not trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.model_tests.theories import are_same_theory
from crucible_engine.tasks.train.errors import ERROR

SHOWN = {"energy": (1000.0, "meV/atom"), "force": (1000.0, "meV/Å"), "stress": (160.21766208, "GPa")}
"""What has errors, and in which unit people read them: that of the arrays times a factor."""


def summarise(results: Mapping[str, Any], before: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training has brought.

    :param results: of ``crucible.train``.
    :param before: errors of the parent, see :mod:`crucible_engine.tasks.train.errors`.
    :param report: of the labels: ``energy_shift``, ``theory``, ``model_theory``, ``elements``.
    :return: ``outcome``, ``reason``, ``method``, ``settings``, ``epochs_done``, ``best_epoch``, ``steps``, ``seconds``,
        ``weights`` (sha256), ``errors`` with ``before`` and ``after`` by side, ``ratios`` (after to before) of the mean
        absolute errors by side, ``labels`` (the report), ``warnings``.
    """
    told = results["summary"]
    after = told.get("errors") or {}
    ratios = {
        side: {
            name: after[side][name][ERROR] / before[side][name][ERROR]
            for name in SHOWN
            if _known(before, side, name) and _known(after, side, name)
        }
        for side in before
        if side in after
    }
    kept = ("method", "settings", "n_weights", "frames", "epochs_done", "best_epoch", "steps", "seconds", "weights")
    return {
        "outcome": results["outcome"],
        "reason": _reason(results["outcome"], told, before, after),
        **{name: told.get(name) for name in kept},
        "diverged": told.get("diverged"),
        "errors": {"before": dict(before), "after": after},
        "ratios": ratios,
        "labels": dict(report),
        "warnings": [*told.get("warnings", ()), *_warnings(ratios, report)],
    }


def _known(errors: Mapping[str, Any], side: str, name: str) -> bool:
    return bool(errors[side].get(name, {}).get(ERROR))


def _reason(outcome: str, told: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if outcome == "diverged":
        place = told["diverged"]
        kept = f"; the weights of epoch {told['best_epoch']} are kept" if told.get("best_epoch") else ""
        return (
            f"the loss was no finite number at step {place['step']}, in epoch {place['epoch']}: give a smaller "
            f"learning_rate{kept}"
        )
    side = "test" if "test" in after else "validation"
    parts = []
    for name, (factor, unit) in SHOWN.items():
        if _known(before, side, name) and _known(after, side, name):
            values = [errors[side][name][ERROR] * factor for errors in (before, after)]
            parts.append(f"{name} {values[0]:.3g} → {values[1]:.3g} {unit}")
    ending = "the validation stopped to improve" if outcome == "stopped-early" else "all epochs were done"
    count = (told.get("frames") or {}).get(side)
    known = "" if count is None else f" ({count} frame{'s' * (count != 1)})"
    return f"{ending}; mean absolute errors of the {side}{known}: {', '.join(parts)}"


def _warnings(ratios: Mapping[str, Mapping[str, float]], report: Mapping[str, Any]) -> list[str]:
    said = []
    worse = [name for name, ratio in ratios.get("validation", {}).items() if ratio > 1]
    if worse:
        said.append(f"the validation is worse than before in {' and '.join(worse)}: more epochs, another learning_rate")
    parent, labels = report.get("model_theory"), report.get("theory")
    if parent and labels and not are_same_theory(parent, labels, report.get("elements", ())):
        said.append(
            f"the labels are of {labels} and the parent of {parent}: what it knew of other materials stays {parent} as "
            "far as it is not forgotten"
        )
    return said
