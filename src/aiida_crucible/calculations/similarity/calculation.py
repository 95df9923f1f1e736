"""How alike the frames of trajectories are, in one job: the CalcJob and its parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, Data, TrajectoryData
from ase import Atoms

from aiida_crucible.calculations import resources, validation
from aiida_crucible.calculations.base import EngineCalculation, unfinished_input
from aiida_crucible.calculations.exit_codes import ARRAYS_MISMATCH
from aiida_crucible.calculations.output_files import Arrays, OutputError, bytes_of_map, read_arrays, require_arrays
from aiida_crucible.calculations.parser import EngineParser, Unfinished
from aiida_crucible.nodes.structures import trajectory_to_atoms
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.arrays import Layout
from crucible_engine.wire.devices import require_precision
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import Check, tile_check
from crucible_engine.wire.schema import ARRAYS_FILE, frame_of_sampler

REMEDY = "give frames of one composition, or set the parameter mixed_compositions to true"


class SimilarityCalculation(EngineCalculation):
    """Compare the frames of samplers (SOAP, REMatch), map them (kernel PCA) and say how much samplers overlap.

    It needs no potential; its code is an environment of the tools, `aiida-crucible env create analysis`.
    """

    TASK = "similarity"
    TREATED = ("trajectories",)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to compare and what comes of it."""
        super().define(spec)
        spec.inputs_by_label(
            TrajectoryData,
            validation.check_trajectories,
            trajectories="The frames of each sampler, by a name of its own.",
        )
        unfinished_input(spec)
        spec.output_nodes(
            ArrayData,
            map="`kernel` [n, n] (normalised), `self_similarities` [n], `coordinates` [n, n_components], `variances` "
            "[n_components], `sampler` [n] (place in `results`' samplers), `frame` [n] (place in the sampler's "
            "trajectory), `n_atoms` [n].",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there are frames to compare, and an environment that can."""
        super().check_inputs(inputs, ports)
        if "trajectories" in ports:
            check_comparable(inputs.get("trajectories") or {}, inputs.get("parameters"))
        check_memory(inputs.get("parameters"), inputs.get("metadata", {}).get("options", {}))
        require_precision(inputs.get("metadata", {}).get("options", {}).get("device", "auto"), "float64")
        if inputs.get("code") is not None:
            validation.check_tools(inputs["code"], cls.TASK)
            resources.check_placement(inputs["code"], inputs.get("metadata", {}).get("options", {}))

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each trajectory."""
        trajectories = inputs.get("trajectories") or {}
        return {f"trajectory {name!r}": set(node.symbols) for name, node in trajectories.items()}

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the frames of all samplers, in the order of their sorted names."""
        for name, trajectory in sorted(self.inputs.trajectories.items()):
            for index, atoms in enumerate(trajectory_to_atoms(trajectory)):
                yield frame_of_sampler(name, index), atoms


def check_comparable(trajectories: Mapping[str, TrajectoryData], parameters: Any) -> None:
    """Refuse less than two frames, and samplers of different compositions where that is not wanted.

    :raises ValueError: one line.
    """
    if sum(node.numsteps for node in trajectories.values()) < 2:
        raise ValueError("there are not two frames to compare: give trajectories with more")
    values = validate_parameters("similarity", {} if parameters is None else parameters.get_dict())
    shares = {name: _shares(node) for name, node in sorted(trajectories.items())}
    first, *others = shares
    for name in others if not values["mixed_compositions"] else ():
        if shares[name] != shares[first]:
            raise ValueError(f"trajectories {first!r} and {name!r} are of different compositions: {REMEDY}")
    if _are_one_frame(list(trajectories.values())):
        n_frames = sum(node.numsteps for node in trajectories.values())
        raise ValueError(f"all {n_frames} frames are the same: there is no map of them; give frames that differ")


def check_memory(parameters: Any, options: Mapping[str, Any]) -> None:
    """Refuse arrays that take more memory than is asked of the scheduler.

    :param options: ``metadata.options`` of the job.
    :raises ValueError: one line.
    """
    asked = options.get("max_memory_kb")
    if asked is None:
        return
    memory = validate_parameters("similarity", {} if parameters is None else parameters.get_dict())["memory"]
    if memory > asked // 1024:
        raise ValueError(
            f"memory is {memory} MiB, but metadata.options.max_memory_kb is {asked} ({asked // 1024} MiB): give less, "
            "or ask the scheduler for more"
        )


def _are_one_frame(trajectories: list[TrajectoryData]) -> bool:
    """Return whether all frames are the same, number by number."""
    first = trajectories[0]
    for node in trajectories:
        if node.symbols != first.symbols:
            return False
        for name in ("positions", "cells"):
            values = [one.get_array(name) if name in one.get_arraynames() else np.zeros(1) for one in (first, node)]
            if values[0].shape[1:] != values[1].shape[1:] or not (values[1] == values[0][:1]).all():
                return False
    return True


def _shares(trajectory: TrajectoryData) -> dict[str, float]:
    """Return the share of each chemical symbol, rounded."""
    symbols = list(trajectory.symbols)
    return {symbol: round(symbols.count(symbol) / len(symbols), 9) for symbol in sorted(set(symbols))}


NAMES = ("kernel", "self_similarities", "coordinates", "variances", "sampler", "frame", "n_atoms")


class SimilarityParser(EngineParser):
    """The kernel and the map of all frames."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return ``map``."""
        n_given = sum(node.numsteps for node in self.node.inputs.trajectories.values())
        arrays = read_arrays(temporary / ARRAYS_FILE, bytes_of_map(n_given))
        check_map(arrays, n_given)
        return {"map": ArrayData({name: np.asarray(arrays[name]) for name in NAMES})}

    def record_check(self) -> Check:
        """Return the check of the tiles, of which the parser counts those that there are."""
        return tile_check(None)

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Say in the summary how many tiles of the kernel were done; they are in the journal, which is continued."""
        del temporary
        return {}, {"tiles_done": len(records)}


def check_map(arrays: Arrays, n_given: int) -> None:
    """Check that the arrays of a map belong to each other and to the job.

    :param arrays: what the engine wrote.
    :param n_given: frames that it was given.
    :raises OutputError: one line that names the array.
    """
    require_arrays(arrays, {"self_similarities": Layout("f", (None,)), "variances": Layout("f", (None,))})
    n, n_components = len(arrays["self_similarities"]), len(arrays["variances"])
    if n > n_given:
        raise OutputError(ARRAYS_MISMATCH, f"there are {n} frames where {n_given} were given")
    layouts = {
        "kernel": Layout("f", (n, n)),
        "coordinates": Layout("f", (n, n_components)),
        **dict.fromkeys(("sampler", "frame", "n_atoms"), Layout("i", (n,))),
    }
    require_arrays(arrays, layouts)
