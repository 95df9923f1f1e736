"""One row of a benchmark: what one model says of one material, and why what is missing is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_crucible.analysis.anharmonicity.combinations import (
    OWN,
    REFERENCE,
    Combination,
    compare_combinations,
    why_no_score,
)
from aiida_crucible.analysis.benchmark.settings import ANHARMONICITY, DYNAMICS, FORCES, PHONON, RELAX

COMPLETE, PARTIAL, FAILED = "complete", "partial", "failed"
HARMONIC, PHONONS = "harmonic", "phonons"

NOTHING = "all"
"""What is missing of a row of which nothing was computed."""

WITHOUT_CONSTANTS = ("not-relaxed", "non-finite")
"""Outcomes of phonons that have no force constants."""

IDENTITY = ("material", "formula", "group", "model", "protocol", "digest")
"""What tells one row from another; the digest is of all that its numbers follow from."""


def row_of(
    identity: Mapping[str, Any],
    settings: Mapping[str, Any],
    given: Sequence[str],
    *,
    phonons: Mapping[str, Any] | None,
    harmonic: Mapping[str, Any] | None,
    scores: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a row.

    :param identity: :data:`IDENTITY`, with ``failures`` (by section of the settings, why its job failed), ``runs``
        (by label, ``outcome`` and ``reason`` of each own run), and where it was to be made and was not
        ``reference_missing`` (why) and ``reference_unfinished`` (whether another try may do better).
    :param settings: complete, see :mod:`aiida_crucible.analysis.benchmark.settings`.
    :param given: what there is of the reference: any of ``force_constants`` and ``trajectory``.
    :param phonons: ``outcome`` and ``reason`` of the model's own; ``None`` where there are none.
    :param harmonic: the comparison with the reference's; ``None`` where there is none.
    :param scores: by label of a combination, see :func:`compare_combinations`.
    :return: ``state`` (complete; partial; failed, where nothing of the model was measured), ``missing`` (by part, why),
        ``unfinished`` (the steps whose jobs failed, so that another try may do better), ``harmonic``, ``phonons``,
        ``scores``, ``runs``, and the identity.
    """
    failures = identity["failures"]
    why = _Reasons(settings, failures, phonons, identity["runs"])
    brief = compare_combinations(scores)
    missing = {}
    expected = expected_combinations(settings, given)
    if not expected and settings[PHONON] is None:
        missing[NOTHING] = "there is nothing to measure: neither the model nor the reference has force constants"
    # The reference's own score is what the others are held against.
    truth = [Combination(REFERENCE, REFERENCE, REFERENCE)] if {"force_constants", "trajectory"} <= set(given) else []
    for combination in [*truth, *expected]:
        entry = brief.get(combination.label)
        if entry is None:
            missing[combination.label] = why.combination(combination)
        elif entry["sigma"] is None:
            missing[combination.label] = "; ".join(entry["warnings"])
    if identity.get("reference_missing"):
        missing[REFERENCE] = identity["reference_missing"]
    has_constants = phonons is not None and phonons["outcome"] not in WITHOUT_CONSTANTS
    if settings[PHONON] is not None and not has_constants:
        missing[PHONONS] = why.own_constants()
    if "force_constants" in given and settings[PHONON] is not None:
        if harmonic is None:
            missing[HARMONIC] = why.own_constants()
        elif harmonic["outcome"] != "compared":
            missing[HARMONIC] = harmonic["reason"]
    is_measured = has_constants
    is_measured |= any(entry["forces"] == OWN and entry["sigma"] is not None for entry in brief.values())
    unfinished = [*sorted(failures), *([REFERENCE] if identity.get("reference_unfinished") else [])]
    return {
        **{name: identity[name] for name in IDENTITY},
        "state": COMPLETE if not missing else PARTIAL if is_measured else FAILED,
        "missing": missing,
        "unfinished": unfinished,
        "harmonic": None if harmonic is None else dict(harmonic),
        "phonons": None if phonons is None else dict(phonons),
        "scores": brief,
        "runs": dict(identity["runs"]),
    }


def failed_row(identity: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the row of a material that nothing was computed of.

    :param identity: :data:`IDENTITY`.
    """
    return {
        **{name: identity[name] for name in IDENTITY},
        "state": FAILED,
        "missing": {NOTHING: reason},
        "unfinished": [NOTHING],
        "harmonic": None,
        "phonons": None,
        "scores": {},
        "runs": {},
    }


def expected_combinations(settings: Mapping[str, Any], given: Sequence[str]) -> list[Combination]:
    """Return what is to be measured of the model, with what there is of the reference."""
    own = [OWN] if settings[PHONON] is not None else []
    constants = [*([REFERENCE] if "force_constants" in given else []), *own]
    found = []
    if "trajectory" in given:
        found += [Combination(OWN, REFERENCE, name) for name in constants]
    if settings[DYNAMICS] is not None:
        temperatures = settings[ANHARMONICITY]["temperatures"]
        found += [Combination(OWN, OWN, name, temperature) for temperature in temperatures for name in constants]
    return found


class _Reasons:
    """Why a part of a row is missing."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        failures: Mapping[str, str],
        phonons: Mapping[str, Any] | None,
        runs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._settings, self._failures, self._phonons, self._runs = settings, failures, phonons, runs

    def own_constants(self) -> str:
        """Return why there are no force constants of the model."""
        for step in (RELAX, FORCES, PHONON):
            if step in self._failures:
                return self._failures[step]
        return self._phonons["reason"] if self._phonons else "the model has no force constants"

    def combination(self, combination: Combination) -> str:
        """Return why a combination has no score."""
        if combination.frames == REFERENCE and FORCES in self._failures:
            return self._failures[FORCES]
        if combination.frames == OWN:
            if DYNAMICS in self._failures:
                return self._failures[DYNAMICS]
            lost = why_no_score(self._runs, combination.temperature)
            if lost:
                return lost
            if not self._runs:
                return self._failures.get(RELAX) or "there is no crystal that own runs could begin with"
        if combination.constants == OWN:
            return self.own_constants()
        return "it could not be measured"
