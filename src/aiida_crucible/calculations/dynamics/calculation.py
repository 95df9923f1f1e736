"""Molecular dynamics of one structure at one temperature or several, or of several structures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, RemoteData, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation
from aiida_crucible.calculations.dynamics.forces import check_forces
from aiida_crucible.calculations.dynamics.lammps import FILES, check_lammps, check_launcher, is_lammps, launcher_of
from aiida_crucible.calculations.dynamics.restart import check_continuation
from aiida_crucible.calculations.dynamics.size import describe, size_of
from aiida_crucible.calculations.dynamics.structures import (
    LABEL,
    check_barostat,
    check_given,
    check_reference,
    of_replicas,
    structures_of,
    symbols_of,
    warning_of,
)
from aiida_crucible.calculations.run_folder import ContinuesRunFolder, restart_folder_check
from aiida_crucible.nodes.structures import to_atoms
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import suggestion
from crucible_engine.wire.schema import PREVIOUS_STATE_FILE, REFERENCE_FILE, RUN_FOLDER, STATE_FILE, Job
from crucible_engine.wire.structures import write_structures

SERIES_FILES = "series-*.npy"
RESULT_FILES = "result-*.npz"
LARGEST_RETRIEVED_STREAMS = 64 * 1000**2
"""Bytes of time series up to which those of an unfinished job come back: all that is seen of it if it is the last."""
ATTACHED = ("trajectories", "series", "averages", "final")
"""What a replica may leave as nodes."""


class DynamicsCalculation(ContinuesRunFolder, EngineCalculation):
    """Run molecular dynamics at one temperature after the other, in one job, of one structure or each of its own.

    A crystal that melts or explodes is a result and no failed job. What a run keeps on the computer (its checkpoint,
    time series and all frames, in the folder ``run``) is copied there into the job that continues it, and never comes
    back; `metadata.options.stash` keeps it for longer than the work directory lives.
    """

    TASK = "dynamics"
    TREATED = (LABEL, "structures", "reference")

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what moves and what comes of it."""
        super().define(spec)
        spec.inputs_by_label(
            StructureData,
            validation.check_structures,
            required=False,
            structures="What moves, instead of `structure`: one for each of the `temperatures`, of any sizes and "
            "compositions; `replica_i` begins with the i-th of the sorted keys. Needs `start` independent.",
        )
        spec.input_nodes(
            StructureData,
            validation.check_alone,
            required=False,
            structure="What moves: already the supercell.",
            reference="The crystal whose sites the atoms are to keep, with their number and order: that with which a "
            "chain of runs began, where this one begins with a snapshot of another; by default what is given to move.",
        )
        spec.input_nodes(
            RemoteData,
            restart_folder_check("dynamics"),
            required=False,
            restart_from="The `remote_folder` of an unfinished job with the same inputs, which is continued to the "
            "last bit.",
        )
        spec.input(
            "metadata.options.attach",
            valid_type=list,
            required=False,
            validator=validation.validator(check_attached),
            help=f"Which of {', '.join(ATTACHED)} become nodes; all of them where nobody says. Where runs are counted "
            "in thousands each node is felt.",
        )
        spec.outputs_by_label(
            TrajectoryData,
            trajectories="Thinned frames by replica: positions (Å, not wrapped into the cell), cells (Å), steps, times "
            "(ps), and where asked for `forces` (eV/Å) and `velocities` (Å/fs).",
        )
        spec.outputs_by_label(
            ArrayData,
            series="Time series by replica, one array for each of `crucible_engine.wire.schema.SERIES_COLUMNS`.",
            averages="By replica, over the steps after `average_from`: `mean_positions` [n_atoms, 3] (Å, in the mean "
            "cell), `mean_square_displacements` [n_atoms, 3] (Å², around the mean), `mean_cell` [3, 3] (Å); and "
            "`final_velocities` [n_atoms, 3] (Å/fs) of the last step.",
        )
        spec.outputs_by_label(StructureData, final="The last geometry by replica.")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that a barostat has a crystal and a continued run its own past; warn of a long time step."""
        check_given(inputs, ports)
        check_lammps(inputs)
        check_forces(inputs)
        super().check_inputs(inputs, ports)
        check_launcher(inputs)
        check_continuation(inputs)
        check_reference(inputs)
        structures, parameters = structures_of(inputs), inputs.get("parameters")
        if structures and parameters is not None:
            check_barostat(structures, parameters)
            if (warning := warning_of(structures, parameters)) is not None:
                warnings.warn(warning, stacklevel=2)

    @classmethod
    def starts_ranks(cls, inputs: Mapping[str, Any]) -> bool:
        """Return whether LAMMPS computes."""
        return is_lammps(inputs.get("parameters"))

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure."""
        return symbols_of(structures_of(inputs))

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the structure, or those of the replicas in their order."""
        for label, structure in structures_of(self.inputs).items():
            yield label, to_atoms(structure)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the job, report how much it will write itself, and warn of a time step that is too long."""
        info = super().prepare_for_submission(folder)
        if "reference" in self.inputs:
            with folder.open(REFERENCE_FILE, "wb") as stream:
                write_structures(stream, [to_atoms(self.inputs.reference)], ["reference"])
            info.provenance_exclude_list.append(REFERENCE_FILE)
        values, structures = self._values(), structures_of(self.inputs)
        replicas = of_replicas(structures, len(values["temperatures"]))
        size = size_of(values, [len(structure.sites) for structure in replicas])
        self.report(describe(size, self.node.computer.label))
        if (warning := warning_of(structures, self.inputs.parameters)) is not None:
            self.report(f"WARNING: {warning}")
        # Whether there is a checkpoint decides how an unfinished job is continued; its frames stay where they are.
        unfinished = [STATE_FILE, PREVIOUS_STATE_FILE, RESULT_FILES]
        if size.series <= LARGEST_RETRIEVED_STREAMS:
            unfinished.append(SERIES_FILES)
        info.retrieve_temporary_list += [f"{RUN_FOLDER}/{name}" for name in unfinished]
        if is_lammps(self.inputs.parameters):
            info.retrieve_list += FILES
        return info

    def job(self) -> Job:
        """Return the content of ``job.json``, for LAMMPS with how it is started on its ranks."""
        job = super().job()
        if not is_lammps(self.inputs.parameters):
            return job
        launcher, ranks = launcher_of(self.node.computer, self.options)
        return replace(job, launcher=launcher, ranks=ranks)

    def _values(self) -> dict[str, Any]:
        return validate_parameters(self.TASK, self.inputs.parameters.get_dict())


def check_attached(names: list[str]) -> None:
    """Refuse outputs that there are none of.

    :raises ValueError: one line.
    """
    for name in names:
        if name not in ATTACHED:
            raise ValueError(f"attach has {name!r}: {suggestion(str(name), list(ATTACHED))}")
