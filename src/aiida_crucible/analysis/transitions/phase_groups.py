"""Space groups of the phases of a sweep: which belong to a transition, and which tell of one by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from aiida_crucible.analysis.transitions.records import Kind, SweepRun, Transition

LEAST_BLOCK = 2
"""Robust runs in a row that a space group needs to count as a phase."""


@dataclass(frozen=True)
class GroupChange:
    """Where robust space groups change, upward in temperature.

    :param below: space group of the last block.
    :param above: of the next one.
    :param last: highest temperature of the block below, K.
    :param first: lowest temperature of the block above, K.
    """

    below: int
    above: int
    last: float
    first: float


def group_between(runs: Sequence[SweepRun], low: float, high: float) -> int | None:
    """Return the commonest robust space group at low < T < high (K), or None where no run has one."""
    groups = Counter(run.space_group for run in runs if run.robust and run.space_group and low < run.temperature < high)
    return groups.most_common(1)[0][0] if groups else None


def add_group_changes(
    transitions: Sequence[Transition], runs: Sequence[SweepRun]
) -> tuple[list[Transition], list[GroupChange]]:
    """Return transitions with those that only the space groups show, and changes too short-lived to be one.

    A change belongs to a found transition where their intervals meet or both name the same phases.

    :param runs: crystalline ones, ascending in temperature.
    """
    complete = list(transitions)
    doubtful = []
    blocks = _blocks(runs)
    for one, two in pairwise(blocks):
        change = GroupChange(one[0].space_group or 0, two[0].space_group or 0, one[-1].temperature, two[0].temperature)
        if any(_explains(transition, change) for transition in transitions):
            continue
        if min(len(one), len(two)) < LEAST_BLOCK:
            doubtful.append(change)
        else:
            complete.append(_from_groups(change, len(one), len(two)))
    return sorted(complete, key=lambda transition: transition.temperature), doubtful


def _blocks(runs: Sequence[SweepRun]) -> list[list[SweepRun]]:
    blocks: list[list[SweepRun]] = []
    for run in runs:
        if not (run.robust and run.space_group):
            continue
        if blocks and blocks[-1][-1].space_group == run.space_group:
            blocks[-1].append(run)
        else:
            blocks.append([run])
    return blocks


def _explains(transition: Transition, change: GroupChange) -> bool:
    if (transition.space_group_below, transition.space_group_above) == (change.below, change.above):
        return True
    low, high = transition.interval
    return (low is None or low <= change.first) and (high is None or high >= change.last)


def _from_groups(change: GroupChange, below: int, above: int) -> Transition:
    return Transition(
        kind=Kind.UNDETERMINED_ORDER,
        temperature=0.5 * (change.last + change.first),
        interval=(change.last, change.first),
        confidence=0.95,
        space_group_below=change.below,
        space_group_above=change.above,
        evidence={"runs_below": below, "runs_above": above},
        reason=f"the robust space group changes from {change.below} to {change.above}; no observable tells the order",
    )
