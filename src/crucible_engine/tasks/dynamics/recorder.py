"""What of a trajectory goes to the disk: rows of the time series and frames, in the orientation that was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from crucible_engine.families.base import is_periodic
from crucible_engine.families.calculators import stress_given
from crucible_engine.tasks.dynamics.orientation import Orientation
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.dynamics.stream import Stream, frame_dtype, series_dtype
from crucible_engine.wire.schema import SERIES_COLUMNS


def series_path(folder: Path, replica: int) -> Path:
    """Return where the time series of a replica is."""
    return folder / f"series-{replica}.npy"


def frames_path(folder: Path, replica: int) -> Path:
    """Return where the frames of a replica are."""
    return folder / f"frames-{replica}.npy"


class Recorder:
    """Writes one replica's time series and frames.

    :param settings: which steps are recorded, and what of them.
    :param degrees_of_freedom: that the kinetic temperature counts.
    :param rows: rows of the series and frames that are complete, as a checkpoint says.
    """

    def __init__(
        self,
        folder: Path,
        replica: int,
        atoms: Atoms,
        *,
        settings: Settings,
        orientation: Orientation,
        degrees_of_freedom: int,
        rows: tuple[int, int],
    ) -> None:
        self._atoms, self._settings, self._orientation = atoms, settings, orientation
        self._degrees_of_freedom = degrees_of_freedom
        self._periodic = is_periodic(atoms)
        self._frame_dtype = frame_dtype(len(atoms), settings.frame_forces, settings.frame_velocities)
        self._series = Stream(series_path(folder, replica), series_dtype(SERIES_COLUMNS), rows[0])
        self._frames = Stream(frames_path(folder, replica), self._frame_dtype, rows[1])

    @property
    def rows(self) -> tuple[int, int]:
        """How many rows and frames there are."""
        return self._series.rows, self._frames.rows

    def temperature(self) -> float:
        """Return the kinetic temperature, K."""
        return float(2 * self._atoms.get_kinetic_energy() / (units.kB * self._degrees_of_freedom))

    def record(self, step: int, conserved: float, last: bool = False) -> None:
        """Write what is due at a step.

        :param conserved: the conserved quantity, eV; NaN where there is none.
        :param last: whether it is the last step, which is always recorded.
        """
        if last or step % self._settings.series_interval == 0:
            self._series.append(np.array(self._row(step, conserved), dtype=np.float64))
        interval = self._settings.frame_interval
        if interval and (last or step % interval == 0):
            self._frames.append(self._frame(step))

    def describe_start(self) -> dict[str, Any]:
        """Return what acts on the atoms and the cell as they are, without their motion, in the given orientation.

        :return: ``largest_force`` (eV/Å, of one atom), ``stress`` (GPa, ASE's sign: negative under compression; Voigt
            xx yy zz yz xz xy) and ``pressure`` (GPa); ``None`` for both where there is no cell or the model has none.
        """
        forces = self._atoms.get_forces(apply_constraint=False)
        stress = self._orientation.stress_back(stress_given(self._atoms)) / units.GPa
        known = bool(np.isfinite(stress).all())
        return {
            "largest_force": float(np.linalg.norm(forces, axis=1).max()),
            "pressure": float(-stress[:3].mean()) if known else None,
            "stress": stress.tolist() if known else None,
        }

    def seal(self) -> None:
        """Bring both to the disk."""
        self._series.seal()
        self._frames.seal()

    def close(self) -> None:
        """Close both."""
        self._series.close()
        self._frames.close()

    def _row(self, step: int, conserved: float) -> list[float]:
        atoms = self._atoms
        kinetic = float(atoms.get_kinetic_energy())
        stress = stress_given(atoms)
        volume = float(atoms.get_volume()) if self._periodic else float("nan")
        ideal = 2 * kinetic / (3 * volume)
        pressure = (ideal - stress[:3].mean()) / units.GPa
        return [
            float(step),
            step * self._settings.time_step,
            self.temperature(),
            float(atoms.get_potential_energy()),
            kinetic,
            conserved,
            volume,
            float(pressure),
            *self._orientation.back(atoms.cell.array).ravel().tolist(),
            *self._orientation.stress_back(stress).tolist(),
        ]

    def _frame(self, step: int) -> NDArray[Any]:
        atoms, back = self._atoms, self._orientation.back
        frame = np.zeros((), dtype=self._frame_dtype)
        frame["step"] = step
        frame["cell"] = back(atoms.cell.array)
        frame["positions"] = back(atoms.positions)
        if self._settings.frame_forces:
            frame["forces"] = back(atoms.get_forces(apply_constraint=False))
        if self._settings.frame_velocities:
            frame["velocities"] = back(atoms.get_velocities()) * units.fs
        return frame
