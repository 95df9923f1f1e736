"""What the spread of an ensemble leaves open of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.crystal.ensemble import difference_interval
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES

Doubts = Mapping[str, float | None]
"""By how much each quantity may be otherwise; ``None`` where nobody knows."""


def doubts_of(ensemble: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, float | None]:
    """Return by how much another member's lattice may differ from the mean of the members, relative to values.

    :param ensemble: see :func:`aiida_crucible.analysis.crystal.ensemble.describe_ensemble`.
    :param values: of a reference, by the names of lattice parameters.
    :return: by the same names; ``None`` where a member has not come to a minimum.
    """
    intervals = ensemble["intervals"] if ensemble["n_converged"] == ensemble["n_members"] else {}
    halves = {name: intervals.get(name) for name in values}
    return {name: None if half is None else half / abs(values[name]) for name, half in halves.items()}


def within(deviations: Mapping[str, float], tolerance: float, doubts: Doubts, reason: str) -> tuple[str, str]:
    """Return whether all deviations are within a tolerance, as far as the doubts leave it known, and why.

    No where one is beyond it by more than its doubt, yes where all are within by more than theirs.

    :param reason: of the answer without doubts.
    """
    widths = {name: math.inf if doubt is None else doubt for name, doubt in doubts.items()}
    if any(abs(found) - widths[name] > tolerance for name, found in deviations.items()):
        return NO, reason
    unsure = {name: widths[name] for name, found in deviations.items() if abs(found) + widths[name] > tolerance}
    if not unsure:
        return YES, f"{reason}, and the members of the ensemble agree on it"
    worst = max(unsure, key=lambda name: unsure[name])
    if math.isinf(unsure[worst]):
        return CANNOT_TELL, f"members of the ensemble did not relax, so that their spread is not known: {reason}"
    spread = f"the members of the ensemble leave {in_words(worst)} open by {100 * unsure[worst]:.1f} %"
    return CANNOT_TELL, f"{spread}: {in_words(worst)} deviates by {100 * deviations[worst]:+.1f} %"


class Resolution:
    """How near two phases' energies are that nobody can tell apart.

    :param least: eV a formula unit, of what no spread says.
    :param phases: the relaxation of each, with ``ensemble`` where the model has one.
    """

    def __init__(self, least: float, phases: Mapping[str, Mapping[str, Any]]) -> None:
        self._least, self._phases = least, phases
        self.has_members = all("ensemble" in phase for phase in phases.values())

    def doubt(self, one: str, other: str) -> float | None:
        """Return what the members leave open of two phases' difference, eV a formula unit; ``None`` if unknown."""
        return difference_interval(self._phases[one]["ensemble"], self._phases[other]["ensemble"])

    def of(self, one: str, other: str) -> float:
        """Return the resolution of two phases, eV a formula unit; infinite where too few members relaxed both."""
        if not self.has_members:
            return self._least
        doubt = self.doubt(one, other)
        return math.inf if doubt is None else max(self._least, doubt)

    def in_words(self, one: str, other: str) -> str:
        """Return it for a reason."""
        resolution = self.of(one, other)
        if math.isinf(resolution):
            return "what the members of the ensemble, of which some did not relax, leave open"
        whose = " that the members of the ensemble leave open" if resolution > self._least else " of each other"
        return f"{resolution:.3g} eV{whose}"


def in_words(name: str) -> str:
    """Return the name of a lattice parameter as people write it."""
    return name.replace("_over_", "/")
