"""The parameters of ``dynamics`` as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """How to run; fields, units, defaults are those of :data:`crucible_engine.tasks.dynamics.parameters.DYNAMICS`."""

    ensemble: str
    temperatures: list[float]
    final_temperature: float | None
    steps: int
    time_step: float
    seed: int
    start: str
    first_replica: int
    streams: list[int] | None
    initial_temperature: float | None
    friction: float | None
    collision_probability: float | None
    thermostat_time: float | None
    barostat_time: float | None
    chain_length: int | None
    bulk_modulus: float | None
    pfactor: float | None
    pressure: float | None
    mask: list[Any] | None
    remove_drift: bool
    series_interval: int
    frame_interval: int
    retrieved_frames: int
    frame_forces: bool
    frame_velocities: bool
    checkpoint_interval: int
    checkpoint_seconds: float
    average_from: float
    on_failure: str
    watch_interval: int
    lindemann_limit: float
    temperature_limit: float
    length_limit: float

    def target(self, replica: int, step: int) -> float:
        """Return the target temperature, K, of a replica at a step; a ramp is linear in the steps."""
        begin = self.temperatures[replica]
        if self.final_temperature is None:
            return begin
        return begin + (self.final_temperature - begin) * step / self.steps

    def stream(self, replica: int) -> int:
        """Return the number of a replica's random numbers."""
        return self.first_replica + replica if self.streams is None else self.streams[replica]

    def first_averaged_step(self) -> int:
        """Return the first step that enters the averages."""
        return int(self.average_from * self.steps) + 1

    def count_recorded(self, interval: int) -> int:
        """Return at how many steps something is recorded: at step 0, every so many steps, and at the last.

        :param interval: steps; 0 records nothing.
        """
        return -(-self.steps // interval) + 1 if interval else 0
