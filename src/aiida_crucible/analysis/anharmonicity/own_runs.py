"""Which runs have an anharmonicity score: those of a temperature at which none has lost its crystal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.anharmonicity.settings import temperature_of
from crucible_engine.wire.schema import LOST_OUTCOMES


def why_no_score(runs: Mapping[str, Mapping[str, Any]], temperature: float | None) -> str | None:
    """Return why runs at a temperature have no score together; ``None`` if they have one.

    A run that has lost its crystal has none: there are no sites that displacements could be counted from. The average
    of those that have kept it would be of the most stable runs only, so that they have none either.

    :param runs: by label, which begins with the temperature: ``outcome`` and ``reason``.
    :param temperature: K; ``None`` for all.
    """
    lost = sorted(
        label
        for label, run in runs.items()
        if run["outcome"] in LOST_OUTCOMES and temperature in (None, temperature_of(label))
    )
    return f"{lost[0]} is {runs[lost[0]]['outcome']}: {runs[lost[0]]['reason']}" if lost else None
