"""Parser of ``crucible.dynamics``, and what a job that was killed left in its run folder."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.engine import ExitCode
from aiida.orm import ArrayData, Data, StructureData, TrajectoryData
from numpy.typing import NDArray

from aiida_crucible.analysis.dynamics.thermostats import damping_rate
from aiida_crucible.calculations.dynamics.calculation import ATTACHED
from aiida_crucible.calculations.dynamics.monitor import STOPPED_KEY
from aiida_crucible.calculations.dynamics.structures import of_replicas, structures_of
from aiida_crucible.calculations.exit_codes import ARRAYS_MISMATCH, FIRST_CACHED_STATUS
from aiida_crucible.calculations.output_files import Arrays, OutputError, bytes_of_dynamics, read_arrays, require_arrays
from aiida_crucible.calculations.parser import EngineParser, Unfinished
from aiida_crucible.nodes.bounds import LARGEST_MARGIN, LARGEST_RESULTS
from aiida_crucible.nodes.force_data import DAMPING, FEMTOSECONDS
from aiida_crucible.nodes.structures import new_trajectory, with_geometry
from crucible_engine.tasks.dynamics.stream import series_dtype
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire import arrays as arrays_file
from crucible_engine.wire.arrays import Layout
from crucible_engine.wire.journal import Record
from crucible_engine.wire.schema import ARRAYS_FILE, PREVIOUS_STATE_FILE, SERIES_COLUMNS, STATE_FILE
from crucible_engine.wire.value_types import parse_json, require_type

AVERAGES = ("mean_positions", "mean_square_displacements", "mean_cell", "final_velocities")


class DynamicsParser(EngineParser):
    """Trajectories, time series, averages and last geometries by replica; of an unfinished job what there is."""

    def parse(self, **kwargs: Any) -> ExitCode:
        """Parse what was retrieved; the reason why a monitor has ended an unfinished job is its exit code."""
        code = super().parse(**kwargs)
        stopped: dict[str, Any] | None = self.node.base.extras.get(STOPPED_KEY, None)
        if code.status < FIRST_CACHED_STATUS or stopped is None:
            return code
        by_monitor: ExitCode = self.exit_codes.STOPPED_BY_MONITOR
        return by_monitor.format(message=stopped["message"])

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return the outputs of all replicas that were begun."""
        arrays = read_arrays(temporary / ARRAYS_FILE, self._promised)
        if "series_0" not in arrays:
            raise OutputError(ARRAYS_MISMATCH, f"series_0 is missing from {ARRAYS_FILE}")
        return self._nodes_of(arrays)

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Return what an unfinished job has of each replica, and in the summary how far its checkpoint is.

        A job that ended in an orderly way leaves arrays; one that was killed its streams, valid up to the checkpoint.
        Neither is needed to continue it, so that a damaged file loses nothing but what it held.
        """
        del records
        checkpoint, done = read_checkpoint(temporary, self._promised)
        outputs: Mapping[str, Data] = {}
        try:
            if (temporary / ARRAYS_FILE).exists():
                arrays: Arrays = read_arrays(temporary / ARRAYS_FILE, self._promised)
            else:
                arrays = read_streams(temporary, done, self._promised)
            outputs = self._nodes_of(arrays)
        except OutputError as error:
            self.logger.warning(f"the arrays of the unfinished job are left out: {error.detail}")
        sizes = [len(structure.sites) for structure in self._structures]
        return outputs, {
            "n_replicas": len(sizes),
            "n_atoms": max(sizes),
            **({"sizes": sizes} if len(structures_of(self.node.inputs)) > 1 else {}),
            "time_step": self._values["time_step"],
            "checkpoint": checkpoint,
            "replicas": done,
        }

    @property
    def _values(self) -> dict[str, Any]:
        return validate_parameters("dynamics", self.node.inputs.parameters.get_dict())

    @property
    def _structures(self) -> list[StructureData]:
        """The structure of each replica."""
        return of_replicas(structures_of(self.node.inputs), len(self._values["temperatures"]))

    @property
    def _promised(self) -> int:
        sizes = [len(structure.sites) for structure in self._structures]
        return bytes_of_dynamics(sizes, self._values)

    def _nodes_of(self, arrays: Arrays) -> dict[str, Data]:
        structures = self._structures
        _check_names(arrays, len(structures))
        attached = self.node.get_option("attach") or ATTACHED
        outputs: dict[str, Data] = {}
        for index, structure in enumerate(structures):
            own = {name.rpartition("_")[0]: array for name, array in arrays.items() if name.endswith(f"_{index}")}
            _check_shapes(own, index, len(structure.sites))
            nodes = {name: make(own, structure, self._values) for name, make in MADE_OF.items() if name in attached}
            outputs |= {f"{name}.replica_{index}": node for name, node in nodes.items() if node is not None}
        return outputs


def _check_names(arrays: Arrays, n_replicas: int) -> None:
    """Refuse arrays that belong to no replica of the job.

    :raises OutputError: one line that names the array.
    """
    for name in arrays:
        match = re.fullmatch(r"[a-z_]+_([0-9]{1,9})", name)
        if match is None or int(match[1]) >= n_replicas:
            raise OutputError(ARRAYS_MISMATCH, f"{name} belongs to none of the {n_replicas} replicas")


def _check_shapes(arrays: Arrays, index: int, n_atoms: int) -> None:
    """Check that the arrays of a replica belong to the structure, and its frames to each other.

    :raises OutputError: one line that names the array.
    """
    for first, second in (("frame_steps", "frame_cells"), ("frame_steps", "frame_positions"),
                          ("final_positions", "final_cell")):  # fmt: skip
        if (first in arrays) != (second in arrays):
            missing = second if first in arrays else first
            raise OutputError(ARRAYS_MISMATCH, f"{missing}_{index} is missing from {ARRAYS_FILE}")
    frames, vectors = (None,), Layout("f", (n_atoms, 3))
    if "frame_steps" in arrays:
        frames = arrays["frame_steps"].shape[:1] or frames
    layouts = {
        "series": Layout("f", (None, len(SERIES_COLUMNS))),
        "frame_steps": Layout("i", frames),
        "frame_cells": Layout("f", (*frames, 3, 3)),
        **{f"frame_{name}": Layout("f", (*frames, n_atoms, 3)) for name in ("positions", "forces", "velocities")},
        **dict.fromkeys(
            ("mean_positions", "mean_square_displacements", "final_positions", "final_velocities"), vectors
        ),
        **dict.fromkeys(("mean_cell", "final_cell"), Layout("f", (3, 3))),
    }
    named = {f"{name}_{index}": array for name, array in arrays.items()}
    require_arrays(named, {f"{name}_{index}": layout for name, layout in layouts.items() if name in arrays})


def _series(arrays: Arrays, *_: Any) -> ArrayData | None:
    if "series" not in arrays or not len(arrays["series"]):
        return None
    columns = np.asarray(arrays["series"], dtype=np.float64).T
    return ArrayData({name: column.copy() for name, column in zip(SERIES_COLUMNS, columns, strict=True)})


def _trajectory(arrays: Arrays, structure: StructureData, parameters: Mapping[str, Any]) -> TrajectoryData | None:
    """Return the frames as AiiDA takes them: double precision, but for the forces, of which it knows nothing."""
    if not len(arrays.get("frame_steps", ())):
        return None
    steps = arrays["frame_steps"].astype(int)
    velocities = arrays.get("frame_velocities")
    trajectory = new_trajectory(
        structure,
        {"forces": arrays["frame_forces"]} if "frame_forces" in arrays else None,
        positions=arrays["frame_positions"].astype(float),
        stepids=steps,
        cells=arrays["frame_cells"].astype(float) if any(structure.pbc) else None,
        times=steps * parameters["time_step"] / FEMTOSECONDS,
        velocities=None if velocities is None else velocities.astype(float),
    )
    trajectory.base.attributes.set(DAMPING, damping_rate(parameters))
    return trajectory


def _averages(arrays: Arrays, *_: Any) -> ArrayData | None:
    found = {name: arrays[name] for name in AVERAGES if name in arrays}
    return ArrayData(found) if found else None


def _final(arrays: Arrays, structure: StructureData, *_: Any) -> StructureData | None:
    """Return the last geometry; ``None`` where the model has left none."""
    if "final_positions" not in arrays:
        return None
    return with_geometry(structure, arrays["final_cell"], arrays["final_positions"])


MADE_OF: dict[str, Callable[..., Data | None]] = {
    "trajectories": _trajectory,
    "series": _series,
    "averages": _averages,
    "final": _final,
}


def read_checkpoint(folder: Path, promised: int) -> tuple[dict[str, int] | None, dict[str, Any]]:
    """Return how far the newest intact checkpoint in a folder is, and the summaries of the replicas that are done.

    The first is ``replica`` (those before it are done) and its ``step``; ``None`` where there is no checkpoint.

    :param promised: bytes of the arrays that the whole job was to write, at the most.
    """
    for name in (STATE_FILE, PREVIOUS_STATE_FILE):
        try:
            arrays = arrays_file.read_arrays(folder / name, promised + LARGEST_RESULTS)
            scalars = parse_json(str(arrays["scalars"]))
            require_type("scalars", scalars, dict[str, Any])
            done, step = scalars.get("done"), scalars.get("step", 0)
            require_type("done", done, dict[str, dict[str, Any]])
            require_type("step", step, int)
        except (OSError, ValueError, KeyError):
            continue
        return {"replica": len(done), "step": step}, done
    return None, {}


def read_streams(folder: Path, done: Collection[str], promised: int) -> dict[str, NDArray[Any]]:
    """Return the time series in a folder and the averages of what is done, as ``arrays.npz`` would hold them.

    A file that was cut in the middle of its rows is left out: it does not come from a checkpoint.

    :param done: labels of the replicas that are done.
    :param promised: bytes of the arrays that the whole job was to write, at the most; a larger file is left out, too.
    """
    arrays = {}
    for label in done:
        index = label.rpartition("_")[2]
        with contextlib.suppress(OSError, ValueError):
            result = arrays_file.read_arrays(folder / f"result-{index}.npz", promised + LARGEST_MARGIN)
            arrays.update({f"{name}_{index}": array for name, array in result.items()})
    for path in sorted(folder.glob("series-*.npy")):
        match = re.fullmatch(r"series-(\d+)", path.stem)
        if path.stat().st_size > promised + LARGEST_MARGIN:
            continue
        try:
            # Mapped, so that a file shorter than it announces is refused before memory is asked for.
            rows = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        except Exception:  # numpy parses a header as Python, which raises almost anything
            continue
        if match is not None and rows.dtype == series_dtype(SERIES_COLUMNS) and rows.ndim == 1:
            arrays[f"series_{match[1]}"] = rows.view(np.float64).reshape(len(rows), len(SERIES_COLUMNS))
    return arrays
