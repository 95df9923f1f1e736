"""The parameters of ``dynamics`` as one value."""

from __future__ import annotations

from dataclasses import make_dataclass

from crucible_engine.tasks.dynamics.parameters import DYNAMICS


class Settings(make_dataclass("Values", DYNAMICS, frozen=True)):  # type: ignore[misc]
    """How to run: the parameters of :data:`crucible_engine.tasks.dynamics.parameters.DYNAMICS` by their names."""

    def target(self, replica: int, step: int) -> float:
        """Return the target temperature, K, of a replica at a step; a ramp is linear in the steps."""
        begin: float = self.temperatures[replica]
        if self.final_temperature is None:
            return begin
        return float(begin + (self.final_temperature - begin) * step / self.steps)

    def stream(self, replica: int) -> int:
        """Return the number of a replica's random numbers."""
        return int(self.first_replica + replica if self.streams is None else self.streams[replica])

    def first_averaged_step(self) -> int:
        """Return the first step that enters the averages."""
        return int(self.average_from * self.steps) + 1

    def count_recorded(self, interval: int) -> int:
        """Return at how many steps something is recorded: at step 0, every so many steps, and at the last.

        :param interval: steps; 0 records nothing.
        """
        return -(-self.steps // interval) + 1 if interval else 0
