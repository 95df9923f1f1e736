"""The plan of a run, and what it takes, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.shared.options import say
from aiida_crucible.cli.shared.tables import print_table

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

    from aiida_crucible.launch.estimate import Estimate
    from aiida_crucible.launch.plan import Part


def show_plans(builders: Mapping[str, ProcessBuilder], given: Mapping[str, Any], is_timed: bool) -> list[Estimate]:
    """Show what each run will do; return what it takes, where the model is timed.

    :param builders: by model's title.
    :param given: ``options``, ``device``, and ``as_json`` where the answer on the standard output is JSON.
    """
    from aiida_crucible.calculations.verifications import find_verification
    from aiida_crucible.launch.estimate import estimate
    from aiida_crucible.launch.plan import plan_of

    found = []
    for title, builder in builders.items():
        is_verified = find_verification(builder.code, builder.model, device=given["device"]) is not None
        plan = plan_of(builder, is_verified)
        place = f"{title} in {builder.code.full_label}"
        if not is_timed:
            _show(place, _rows(plan), given["as_json"])
            continue
        say(f"timing {place}")
        found.append(estimate(builder.code, builder.model, plan, {**given["options"], "device": given["device"]}))
        rows = [(*row, *times) for row, times in zip(_rows(plan), _times(found[-1]), strict=True)]
        _show(f"{place} ({found[-1].device})", rows, given["as_json"])
        click.echo(_total(found[-1]), err=given["as_json"])
    return found


def _rows(plan: Sequence[Part]) -> list[tuple[object, ...]]:
    return [
        (
            part.name,
            f"{part.n_jobs} ({part.at_once} at once)" if part.n_jobs > 1 else 1,
            len(part.atoms),
            part.evaluations or "found",
        )
        for part in plan
    ]


def _times(estimate: Estimate) -> list[tuple[object, ...]]:
    from aiida_crucible.monitoring.words import duration

    return [
        (
            "does not fit into memory" if each.evaluation is None else f"{1000 * each.evaluation:.3g} ms",
            None if each.seconds is None else duration(each.seconds),
        )
        for each in estimate.parts
    ]


def _show(title: str, rows: Sequence[Sequence[object]], as_json: bool) -> None:
    if not as_json:
        click.echo(title)
        print_table(("part", "jobs", "atoms", "evaluations each", "one takes", "about")[: len(rows[0])], rows)


def _total(estimate: Estimate) -> str:
    from aiida_crucible.calculations.dynamics.size import in_words
    from aiida_crucible.monitoring.words import duration

    time = "it does not fit into memory" if estimate.seconds is None else f"about {duration(estimate.seconds)}"
    return f"together {time}, {estimate.memory:.0f} MiB of memory a job, {in_words(estimate.bytes)} on disk\n"
