"""Relaxation of several structures in one job: the CalcJob and its parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, Data, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.crystal.finite import require_no_vacuum
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation, unfinished_input
from aiida_crucible.calculations.exit_codes import ARRAYS_MISMATCH
from aiida_crucible.calculations.output_files import (
    Arrays,
    OutputError,
    bytes_of_geometries,
    bytes_of_trajectories,
    check_properties,
    properties_of,
    read_arrays,
    require_arrays,
)
from aiida_crucible.calculations.parser import EngineParser, Unfinished
from aiida_crucible.nodes.structures import new_trajectory, require_crystal, to_atoms, with_geometry
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.arrays import Layout
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import Check, relaxation_check
from crucible_engine.wire.schema import ARRAYS_FILE, RELAXED, TRAJECTORIES_FILE

PURPOSE = "a relaxation with a moving cell"


class RelaxCalculation(EngineCalculation):
    """Relax the structures of a namespace, each to its own convergence."""

    TASK = "relax"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to relax and what comes of it."""
        super().define(spec)
        spec.inputs_by_label(StructureData, validation.check_structures, structures="What to relax.")
        unfinished_input(
            spec,
            "The `retrieved` output of a job with the same inputs that was interrupted, or that did not converge in "
            "fewer `max_steps`: it is continued to the last bit.",
        )
        spec.outputs_by_label(
            StructureData,
            relaxed="The last geometry of each structure, converged or not; keys are those of the inputs.",
        )
        spec.outputs_by_label(
            TrajectoryData,
            trajectories="The geometries on the way, where `trajectory_interval` asks for them; keys are those of the "
            "inputs.",
        )
        spec.output_nodes(
            ArrayData,
            properties="Of the last geometries, in the order of the sorted keys: `energies` [n] (eV), `forces` "
            "[n, n_atoms, 3] (eV/Å; [n_atoms_total, 3] where sizes differ), `stresses` [n, 6] (eV/Å³, ASE's sign, "
            "Voigt xx yy zz yz xz xy), `n_atoms` [n].",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there is something to relax, and that a moving cell is asked of crystals alone."""
        if "structures" in ports and not inputs.get("structures"):
            raise ValueError("there is nothing to relax: give structures")
        super().check_inputs(inputs, ports)
        if "parameters" in inputs:
            require_relaxable(inputs.get("structures") or {}, inputs["parameters"])


def require_relaxable(structures: Mapping[str, StructureData], parameters: Dict) -> None:
    """Refuse what is no crystal, or holds vacuum, where the cell is to move.

    :raises ValueError: one line.
    """
    if parameters.get("cell", None) == "fixed":
        return
    for key, structure in structures.items():
        try:
            require_crystal(structure, PURPOSE)
            require_no_vacuum(to_atoms(structure), PURPOSE)
        except ValueError as error:
            raise ValueError(f"structure {key!r}: {error}; or set the parameter cell to 'fixed'") from None


class RelaxParser(EngineParser):
    """Last geometries with their energies, forces and stresses; trajectories where they were asked for."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return the geometries and properties of all structures."""
        sizes = [len(structure.sites) for structure in self._structures.values()]
        outputs = self._geometries(
            list(self._structures), read_arrays(temporary / ARRAYS_FILE, bytes_of_geometries(sizes))
        )
        parameters = validate_parameters("relax", self.node.inputs.parameters.get_dict())
        if parameters["trajectory_interval"]:
            promised = bytes_of_trajectories(sizes, self._structures, parameters)
            outputs.update(self._trajectories(read_arrays(temporary / TRAJECTORIES_FILE, promised)))
        return outputs

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Return the geometries and properties of the structures that were done."""
        last = {record.fields["index"]: record for record in records if record.kind == RELAXED}
        done = [last[index] for index in sorted(last)]
        keys = [list(self._structures)[record.fields["index"]] for record in done]
        summaries = {
            key: {name: value for name, value in record.fields.items() if name != "index"}
            for key, record in zip(keys, done, strict=True)
        }
        summary = {"n_structures": len(self._structures), "n_completed": len(done), "structures": summaries}
        if not done:
            return {}, summary
        arrays = {name: np.concatenate([record.arrays[name] for record in done]) for name in done[0].arrays}
        arrays["n_atoms"] = np.array([len(record.arrays["positions"]) for record in done])
        return self._geometries(keys, arrays), summary

    def record_check(self) -> Check:
        """Return the check of the records of the structures, one after the other."""
        return relaxation_check([len(structure.sites) for structure in self._structures.values()])

    @property
    def _structures(self) -> dict[str, StructureData]:
        return dict(sorted(self.node.inputs.structures.items()))

    def _geometries(self, keys: Sequence[str], arrays: Arrays) -> dict[str, Data]:
        sizes = [len(self._structures[key].sites) for key in keys]
        check_properties(arrays, sizes, stress=True)
        require_arrays(arrays, {"positions": Layout("f", (sum(sizes), 3)), "cells": Layout("f", (len(sizes), 3, 3))})
        outputs: dict[str, Data] = {"properties": ArrayData(properties_of(arrays))}
        ends = np.cumsum(sizes)
        for key, cell, positions in zip(keys, arrays["cells"], np.split(arrays["positions"], ends[:-1]), strict=True):
            # A model may have left no geometry; the structure's outcome tells.
            if (geometry := with_geometry(self._structures[key], cell, positions)) is not None:
                outputs[f"relaxed.{key}"] = geometry
        return outputs

    def _trajectories(self, arrays: Arrays) -> dict[str, Data]:
        _check_frames(arrays, {key: len(structure.sites) for key, structure in self._structures.items()})
        outputs: dict[str, Data] = {}
        first_frame = first_atom = 0
        for key, group in groupby(arrays["labels"].tolist()):
            frames = slice(first_frame, first_frame + len(list(group)))
            atoms = slice(first_atom, first_atom + int(arrays["n_atoms"][frames].sum()))
            outputs[f"trajectories.{key}"] = _trajectory(self._structures[key], arrays, frames, atoms)
            first_frame, first_atom = frames.stop, atoms.stop
        return outputs


def _trajectory(structure: StructureData, arrays: Arrays, frames: slice, atoms: slice) -> TrajectoryData:
    """Return the frames of one structure, with ``energies``, ``forces`` and ``stresses`` as further arrays."""
    count, n_atoms = frames.stop - frames.start, len(structure.sites)
    forces = arrays["forces"][atoms].reshape(count, n_atoms, 3)
    return new_trajectory(
        structure,
        {"energies": arrays["energies"][frames], "forces": forces, "stresses": arrays["stresses"][frames]},
        positions=arrays["positions"][atoms].reshape(count, n_atoms, 3),
        cells=arrays["cells"][frames],
        stepids=arrays["steps"][frames],
    )


def _check_frames(arrays: Arrays, sizes: Mapping[str, int]) -> None:
    """Check that the frames of trajectories are of the structures of the job, whole and one structure after the other.

    :param sizes: atoms of each structure.
    :raises OutputError: one line that names the array.
    """
    require_arrays(arrays, {"labels": Layout("U", (None,))})
    labels = arrays["labels"].tolist()
    order = [key for key, _ in groupby(labels)]
    if len(set(order)) < len(order) or not set(order) <= set(sizes):
        raise OutputError(ARRAYS_MISMATCH, f"labels of {TRAJECTORIES_FILE} are not those of the structures")
    check_properties(arrays, [sizes[label] for label in labels], stress=True)
    frames, atoms = len(labels), len(arrays["forces"])
    layouts = {"steps": ("i", (frames,)), "positions": ("f", (atoms, 3)), "cells": ("f", (frames, 3, 3))}
    require_arrays(arrays, {name: Layout(*layout) for name, layout in layouts.items()})
