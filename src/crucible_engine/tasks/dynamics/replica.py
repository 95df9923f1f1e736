"""One trajectory at one temperature: from its start, or from a checkpoint, to its last step."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.averages import Averages
from crucible_engine.tasks.dynamics.checkpoint import not_of_this_job, require_arrays
from crucible_engine.tasks.dynamics.crystal.guard import LostError, volume_of
from crucible_engine.tasks.dynamics.crystal.watch import Finding, Watch
from crucible_engine.tasks.dynamics.integrators import (
    degrees_of_freedom,
    fix_centre_of_mass,
    integrator_of,
    read_state,
    write_state,
)
from crucible_engine.tasks.dynamics.multiple_steps.calculators import guarded
from crucible_engine.tasks.dynamics.orientation import Orientation, oriented
from crucible_engine.tasks.dynamics.recorder import Recorder
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.dynamics.starts import moved_near, plain_copy
from crucible_engine.wire.schema import LOST_OUTCOMES

Arrays = dict[str, NDArray[Any]]
_AVERAGES, _WATCH, _INTEGRATOR = "averages.", "watch.", "integrator."


class Replica:
    """A run at one temperature; :meth:`advance` does one step of it.

    :ivar step: the last step that was done.
    :ivar finding: the worst that was found of the physics; ``None`` while the crystal is stable.
    :ivar lost: whether nothing sensible can follow.
    :param start: the structure at step 0, as it was given.
    :param sites: the structure whose sites the atoms are to keep.
    :param state: what :meth:`state` gave, to go on from it.
    """

    def __init__(
        self,
        index: int,
        start: Atoms,
        calculator: Calculator,
        *,
        sites: Atoms,
        settings: Settings,
        folder: Path,
        state: tuple[dict[str, Any], Arrays] | None = None,
    ) -> None:
        self.index, self._settings = index, settings
        self.step, self.lost = 0, False
        self.finding: Finding | None = None
        self.found_at: int | None = None
        self._start: dict[str, Any] | None = None
        self._integrator = integrator_of(settings)
        self._orientation, settings = oriented(start, settings)
        self._rng = np.random.default_rng([settings.seed, settings.stream(index)])
        self.atoms = plain_copy(start)
        self._orientation.turn(self.atoms)
        reference = moved_near(plain_copy(sites), start)
        Orientation.of(reference, self._integrator.triangular).turn(reference)
        self._watch = Watch(reference, asdict(settings), settings.target(index, 0))
        self._averages = Averages(self.atoms.get_masses())
        self._draw_velocities()
        fix_centre_of_mass(self.atoms, settings)
        self._volume_at_start = volume_of(self.atoms)
        self.use(calculator)
        self._dynamics = self._integrator.make(self.atoms, settings, settings.target(index, 0), self._rng)
        dof = degrees_of_freedom(len(self.atoms), settings)
        rows = (0, 0) if state is None else tuple(state[0]["rows"])
        self._recorder = Recorder(
            folder,
            index,
            self.atoms,
            settings=settings,
            orientation=self._orientation,
            degrees_of_freedom=dof,
            rows=rows,
        )
        if state is not None:
            self._restore(*state)
        self._keep_geometry()

    @property
    def done(self) -> bool:
        """Whether no step is left to do."""
        return self.lost or self.step >= self._settings.steps

    @property
    def temperature(self) -> float:
        """The kinetic temperature, K."""
        return self._recorder.temperature()

    def use(self, calculator: Calculator) -> None:
        """Go on with a calculator of the model, which other replicas may share."""
        self.atoms.calc = guarded(calculator, self._volume_at_start)

    def begin(self) -> None:
        """Evaluate and record step 0, where that was not done yet."""
        if self.step == 0 and self._recorder.rows == (0, 0):
            try:
                self._initialise()
                self._start = self._recorder.describe_start()
                self._recorder.record(0, self._conserved())
            except LostError as lost:
                self._lose(lost.finding)

    def advance(self) -> None:
        """Do one step, and all that is due after it."""
        settings = self._settings
        if settings.final_temperature is not None and self._integrator.heat is not None:
            self._integrator.heat(self._dynamics, settings.target(self.index, self.step))
        try:
            self._dynamics.step()
        except LostError as lost:
            self._lose(lost.finding)
            return
        except (np.linalg.LinAlgError, ZeroDivisionError, OverflowError) as error:
            self._lose(Finding("non-finite", f"the integrator failed ({error})", {"what": "integrator"}))
            return
        except Exception:
            # Packages answer an absurd geometry with whatever their neighbour search raises.
            if (finding := self._look(self.step + 1)) is None or finding.outcome not in LOST_OUTCOMES:
                raise
            self._lose(finding)
            return
        before, self.step = self.step, self._integrator.next_step(settings, self.step)
        self._dynamics.nsteps = self.step
        self._keep_geometry()
        if self.step >= settings.first_averaged_step():
            self._averages.add(self.atoms.positions, self.atoms.cell.array)
        is_due = self.step // settings.watch_interval > before // settings.watch_interval
        if is_due or self.step == settings.steps:
            self._judge(self._look(self.step))
        self._record(last=self.done)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Return all that a run keeps, scalars and arrays; series and frames are on the disk by then.

        :raises OSError: if the disk is full.
        """
        self._recorder.seal()
        scalars = {
            "replica": self.index,
            "step": self.step,
            "lost": self.lost,
            "rows": list(self._recorder.rows),
            "finding": self.finding and asdict(self.finding),
            "found_at": self.found_at,
            "start": self._start,
            "random": self._rng.bit_generator.state,
        }
        return scalars, {**self._arrays(), **self._integrator_arrays()}

    def _arrays(self) -> Arrays:
        atoms = self.atoms
        return {
            "positions": atoms.positions,
            "momenta": atoms.arrays["momenta"],
            "cell": atoms.cell.array,
            **{_AVERAGES + name: value for name, value in self._averages.state().items()},
            **{_WATCH + name: np.asarray(value) for name, value in self._watch.state().items()},
        }

    def _integrator_arrays(self) -> Arrays:
        return {_INTEGRATOR + name: value for name, value in read_state(self._dynamics, self._integrator).items()}

    def result(self) -> Arrays:
        """Return the arrays of a run that is done: averages and the last geometry, in the given orientation."""
        back = self._orientation.back
        averages = self._averages.result() or {}
        squares = averages.pop("mean_square_displacements", None)
        arrays = {name: back(value) for name, value in averages.items()}
        if squares is not None:
            rotation = self._orientation.rotation
            # Squares along other axes: exact for atoms whose motion along the axes is not correlated.
            arrays["mean_square_displacements"] = squares if rotation is None else squares @ rotation**2
        positions, cell, momenta = self._last
        velocities = momenta / self.atoms.get_masses()[:, None] * units.fs
        geometry = {"final_positions": positions, "final_cell": cell, "final_velocities": velocities}
        return {**arrays, **{name: back(value) for name, value in geometry.items()}}

    def describe(self) -> dict[str, Any]:
        """Return what a summary says of the run besides the averages of its series."""
        finding = self.finding
        return {
            "temperature": self._settings.temperatures[self.index],
            "final_temperature": self._settings.final_temperature,
            "outcome": finding.outcome if finding else "stable",
            "step": self.step,
            "steps": self._settings.steps,
            "found_at_step": self.found_at,
            "start": self._start,
            "evidence": {
                **self._watch.evidence(),
                **(finding.evidence if finding else {}),
                "reason": finding.reason if finding else "every species kept its sites to the last step",
            },
        }

    def close(self) -> None:
        """Close the files, and end what computes beside this process."""
        self._recorder.close()
        self._dynamics.close()

    def _draw_velocities(self) -> None:
        settings = self._settings
        temperature = settings.target(self.index, 0)
        if settings.initial_temperature is not None:
            temperature = settings.initial_temperature
        MaxwellBoltzmannDistribution(self.atoms, temperature_K=temperature, rng=self._rng)
        if settings.remove_drift and len(self.atoms) > 1:
            Stationary(self.atoms, preserve_temperature=False)

    def _initialise(self) -> None:
        self.atoms.get_forces()
        if hasattr(self._dynamics, "initialize"):
            self._dynamics.initialize()

    def _restore(self, scalars: dict[str, Any], arrays: Arrays) -> None:
        self._require_own(arrays)
        self.step, self.lost, self.found_at = scalars["step"], scalars["lost"], scalars["found_at"]
        self.finding = scalars["finding"] and Finding(**scalars["finding"])
        self._start = scalars["start"]
        try:
            self._rng.bit_generator.state = scalars["random"]
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise not_of_this_job(f"random is no state of {type(self._rng.bit_generator).__name__}") from error
        self.atoms.set_cell(arrays["cell"])
        self.atoms.positions[:] = arrays["positions"]
        self.atoms.arrays["momenta"][:] = arrays["momenta"]
        write_state(self._dynamics, _part(arrays, _INTEGRATOR))
        self._dynamics.nsteps = self.step
        self._averages.restore(_part(arrays, _AVERAGES))
        self._watch.restore(_part(arrays, _WATCH))

    def _require_own(self, arrays: Arrays) -> None:
        """Refuse the arrays of a checkpoint that are not what this replica, as it begins, would write itself.

        :raises EngineError: ``INVALID_JOB``.
        """
        of_integrator = {_INTEGRATOR + name for name in self._integrator.state}
        require_arrays(arrays, self._arrays(), self._integrator_arrays(), of_integrator)
        try:
            self._watch.require_own(_part(arrays, _WATCH))
        except ValueError as error:
            raise not_of_this_job(str(error)) from error

    def _keep_geometry(self) -> None:
        """Keep the geometry of a whole step: a step that fails leaves none."""
        atoms = self.atoms
        self._last = (atoms.positions.copy(), atoms.cell.array.copy(), atoms.arrays["momenta"].copy())

    def _conserved(self) -> float:
        integrator = self._integrator
        if integrator.conserved is None or self._settings.final_temperature is not None:
            return float("nan")
        return float(integrator.conserved(self._dynamics))

    def _record(self, last: bool) -> None:
        interval, step = self._settings.series_interval, self.step
        self._recorder.record(step, self._conserved() if last or step % interval == 0 else float("nan"), last)

    def _look(self, step: int) -> Finding | None:
        atoms = self.atoms
        with np.errstate(all="ignore"):
            energy = float(self.atoms.calc.results.get("energy", 0.0))
            return self._watch.look(step, atoms.positions, self.temperature, energy, atoms.cell.array)

    def _judge(self, finding: Finding | None) -> None:
        if finding is None:
            return
        self.finding, self.found_at = finding, self.step
        if finding.outcome in LOST_OUTCOMES and (
            self._settings.on_failure == "stop" or finding.outcome == "non-finite"
        ):
            self.lost = True

    def _lose(self, finding: Finding) -> None:
        """End the run in the middle of a step: the last whole step stays the last one."""
        self.finding, self.found_at, self.lost = finding, self.step + 1, True


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
