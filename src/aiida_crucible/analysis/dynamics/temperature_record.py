"""What became of one temperature of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES, FAILED_OUTCOMES

DONE, FAILED, NOT_RUN = "done", "failed", "not-run"


@dataclass(frozen=True)
class TemperatureRecord:
    """What became of one temperature.

    :param label: of the run.
    :param temperature: K.
    :param state: ``done`` (whatever the physics said), ``failed`` (a job did) or ``not-run``.
    :param reason: one line: of the failure, of not being run, or what the watch saw.
    :param outcome: a word of :data:`crucible_engine.wire.schema.OUTCOMES_OF_DYNAMICS`, of what is done.
    :param values: see :func:`aiida_crucible.analysis.dynamics.temperature_run.analyse_run`, with ``steps`` (to be done)
        and ``time_step`` (fs); without averages where nothing was averaged.
    """

    label: str
    temperature: float
    state: str
    reason: str
    outcome: str | None
    values: Mapping[str, Any]

    @property
    def is_crystal(self) -> bool:
        """Whether it was run and the crystal survived."""
        return self.state == DONE and self.outcome in CRYSTAL_OUTCOMES

    @property
    def is_lost(self) -> bool:
        """Whether it was run and the crystal was lost, to a melt or to a failure."""
        return self.state == DONE and not self.is_crystal

    @property
    def is_broken(self) -> bool:
        """Whether it was run and what it ended in is no state of matter."""
        return self.state == DONE and self.outcome in FAILED_OUTCOMES

    @property
    def space_group(self) -> str | None:
        """The mean structure's, as ``P4mm (99)``; ``None`` where there is none."""
        group: str | None = self.values.get("mean_structure", {}).get("space_group")
        return group

    @property
    def is_robust(self) -> bool:
        """Whether that space group holds over a range of tolerances."""
        return bool(self.values.get("mean_structure", {}).get("robust"))

    @property
    def duration(self) -> float | None:
        """How long it was to run, ps; ``None`` where that is not known."""
        if not {"steps", "time_step"} <= self.values.keys():
            return None
        return float(self.values["steps"] * self.values["time_step"] / 1000)

    def average(self, name: str) -> Mapping[str, Any]:
        """Return the average of that name; empty where there is none."""
        found: Mapping[str, Any] = self.values.get("averages", {}).get(name, {})
        return found


def ascending(records: Sequence[TemperatureRecord]) -> list[TemperatureRecord]:
    """Return the records by temperature."""
    return sorted(records, key=lambda record: record.temperature)
