"""What every CalcJob of this package shares: the ports, the shipped engine, the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.common.links import LinkType
from aiida.engine import CalcJob, CalcJobProcessSpec, PortNamespace
from aiida.orm import CalcJobNode, Data, Dict, FolderData
from ase import Atoms

from aiida_crucible.calculations import resources, validation
from aiida_crucible.calculations.engine_archive import engine_archive
from aiida_crucible.calculations.exit_codes import FAILURES, OF_CONDITION, RESTARTABLE
from aiida_crucible.calculations.job_script import pass_signals_on
from aiida_crucible.calculations.ports import ENVIRONMENT_HELP, CalculationSpec, settings_input
from aiida_crucible.calculations.staging import stage_checkpoint
from aiida_crucible.calculations.verifications import digest_of, require_capability
from aiida_crucible.monitoring.foreground import EndsItsJobs
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import to_atoms
from crucible_engine.tasks.parameters import needs_stress, validate_parameters
from crucible_engine.tasks.registry import TASKS, toolset_of
from crucible_engine.wire.devices import require_device
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    CHECKPOINT_FILE,
    ENGINE_FILE,
    JOB_FILE,
    JOURNAL_FILE,
    PROGRESS_FILE,
    PROTOCOL,
    RESULTS_FILE,
    STRUCTURES_FILE,
    TRAJECTORIES_FILE,
    Condition,
    Job,
    ModelReference,
)
from crucible_engine.wire.structures import write_structures

NOT_CONVERGED = OF_CONDITION[Condition.NOT_CONVERGED]

UNFINISHED_HELP = "The `retrieved` output of an interrupted job with the same inputs, which is continued."

STDOUT_FILE = "stdout.txt"
STDERR_FILE = "stderr.txt"
STATUS_FILE = "exit_status.txt"
"""Exit status of the engine's process; missing if the job script itself was ended."""


class EngineCalculation(EndsItsJobs, CalcJob):
    """A task of the engine as a CalcJob.

    The engine travels with the job as one file, so that any Python with numpy, ase and the model's package is a code,
    and the repository holds exactly what ran. A task gives its name (:attr:`TASK`), its ports (:meth:`define`) and,
    where that is not the namespace ``structures``, what to compute on (:meth:`structures_to_write`).
    """

    TASK: ClassVar[str]
    TREATED: ClassVar[tuple[str, ...]] = ("structures",)
    """Inputs that hold what is computed on; a WorkChain that fills one of them itself exposes none."""
    VERIFIES: ClassVar[bool] = False
    """Whether the task finds out what a model is, and so takes it as it is."""
    CONTINUED_OUTPUT: ClassVar[str] = "retrieved"
    """Output of an unfinished job that `restart_from` takes."""
    CACHE_VERSION = PROTOCOL
    _spec_class = CalculationSpec

    @classmethod
    def needs_model(cls) -> bool:
        """Return whether the task computes with a potential, and not with a set of packages alone."""
        return TASKS[cls.TASK].toolset is None

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare the inputs, outputs and exit codes that all tasks share."""
        super().define(spec)
        spec.inputs["code"].required = True
        spec.inputs["code"].validator = validation.validator(validation.check_code)
        spec.inputs["code"].help = ENVIRONMENT_HELP
        if cls.needs_model():
            spec.input_nodes(ModelData, model="Which potential.")
        settings_input(
            spec,
            "parameters",
            partial(validate_parameters, cls.TASK),
            f"Parameters of the task; see `crucible_engine.tasks.parameters.PARAMETERS[{cls.TASK!r}]` for names, "
            "units, ranges and defaults.",
        )
        spec.input(
            "metadata.options.device",
            valid_type=str,
            default="auto",
            validator=validation.validator(require_device),
            help="Where the model computes: auto (a GPU where there is one), cpu, cuda, cuda:N …",
        )
        options = spec.inputs["metadata"]["options"]
        options["parser_name"].default = f"crucible.{cls.TASK}"
        options["resources"].default = lambda: {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        options["withmpi"].default = False
        # What `verdi calcjob inputcat`, `outputcat` and `res` show.
        options["input_filename"].default = JOB_FILE
        options["output_filename"].default = RESULTS_FILE
        spec.inputs.validator = _extended(spec.inputs.validator, cls.check_inputs)
        spec.output("results", valid_type=Dict, help="Outcome, scalars, timings, memory, and the environment that ran.")
        spec.default_output_node = "results"
        for failure in FAILURES:
            spec.exit_code(failure.status, failure.label, message=failure.message)

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check inputs against each other.

        :param inputs: what was given.
        :param ports: the ports that there are: a WorkChain may leave some out, to fill them itself.
        :raises ValueError: one line for the user.
        """
        resources.check_options(resources.options_of(inputs), cls.starts_ranks(inputs))
        if "model" in inputs:
            validation.check_trust(inputs["model"])
            validation.check_elements(inputs["model"], cls.symbols_by_input(inputs))
            resources.check_precision(inputs["model"], resources.options_of(inputs))
            if inputs.get("code") is not None:
                validation.check_environment(inputs["code"], inputs["model"])
                resources.check_placement(inputs["code"], resources.options_of(inputs))
                cls._check_capability(inputs)

    @classmethod
    def starts_ranks(cls, inputs: Mapping[str, Any]) -> bool:
        """Return whether the engine starts a program that has as many processes as the resources say."""
        del inputs
        return False

    @classmethod
    def _check_capability(cls, inputs: Mapping[str, Any]) -> None:
        """Refuse what a verification of the model found that it cannot do."""
        if "parameters" in inputs:
            need = needs_stress(cls.TASK, validate_parameters(cls.TASK, inputs["parameters"].get_dict()))
            require_capability(inputs["code"], inputs["model"], [need] if need else [])

    @classmethod
    def is_valid_cache(cls, node: CalcJobNode) -> bool:
        """Return whether a job may stand for another of the same inputs.

        Walltime and memory are no part of what AiiDA hashes: what lacked them, or was killed, may have them now. Only
        where a job has continued it to the end is it kept, as the first step of a way that is known. Nor does AiiDA see
        whether the code that a model names is still the same.
        """
        if not super().is_valid_cache(node) or cls.ran_code_of_the_users(node):
            return False
        return node.exit_status not in RESTARTABLE or cls._was_continued(node)

    @staticmethod
    def ran_code_of_the_users(node: CalcJobNode) -> bool:
        """Return whether a job's model names code, which may be another one by now."""
        return "model" in node.inputs and bool(node.inputs.model.runs_code)

    @classmethod
    def _was_continued(cls, node: CalcJobNode) -> bool:
        """Return whether another job has brought to an end what a job left unfinished."""
        if cls.CONTINUED_OUTPUT not in node.outputs:
            return False
        unfinished: Data = node.outputs[cls.CONTINUED_OUTPUT]
        jobs = unfinished.base.links.get_outgoing(CalcJobNode, LinkType.INPUT_CALC, "restart_from").all_nodes()
        return any(
            cls._was_continued(job) if job.exit_status in RESTARTABLE else job.exit_status in (0, NOT_CONVERGED.status)
            for job in jobs
        )

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure given, by the name that a message should call it."""
        return validation.symbols_of(inputs.get("structures"))

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the label and geometry of every structure of the job, in the order of the results."""
        for key, structure in sorted((self.inputs.get("structures") or {}).items()):
            yield key, to_atoms(structure)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the job into ``folder`` and say how to run it and what to bring back."""
        labelled = list(self.structures_to_write())
        if labelled:
            with folder.open(STRUCTURES_FILE, "wb") as stream:
                write_structures(stream, [atoms for _, atoms in labelled], [label for label, _ in labelled])
        with folder.open(ENGINE_FILE, "wb") as stream:
            stream.write(engine_archive())
        with folder.open(JOB_FILE, "w") as stream:
            json.dump(self.job().to_dict(), stream, indent=2, allow_nan=False)

        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [ENGINE_FILE, JOB_FILE]
        code.stdout_name, code.stderr_name = STDOUT_FILE, STDERR_FILE
        code.withmpi = False
        info = CalcInfo()
        info.codes_info = [code]
        pass_signals_on(info, STATUS_FILE)
        # The structures repeat the inputs; the arrays become output nodes.
        info.provenance_exclude_list = [STRUCTURES_FILE]
        info.retrieve_list = [RESULTS_FILE, JOURNAL_FILE, PROGRESS_FILE, STATUS_FILE, STDOUT_FILE, STDERR_FILE]
        info.retrieve_temporary_list = [ARRAYS_FILE, TRAJECTORIES_FILE]
        self.add_unfinished_job(info)
        info.remote_symlink_list = self._links()
        return info

    def job(self) -> Job:
        """Return the content of ``job.json``."""
        model = self.inputs.model if self.needs_model() else None
        family = toolset_of(self.TASK).name if model is None else model.family
        promised = validation.promised_package(self.inputs.code, family)
        return Job(
            task=self.TASK,
            model=model and self._reference(model),
            parameters=validate_parameters(self.TASK, self.inputs.parameters.get_dict()),
            device=self.options.device,
            threads=self.options.resources.get("num_cores_per_mpiproc"),
            walltime=self.options.get("max_wallclock_seconds"),
            package_version=promised and promised[1],
        )

    def _reference(self, model: ModelData) -> ModelReference:
        """Return how the job calls its model: with the digest that was verified, where the node has none of its own."""
        reference = model.to_reference()
        return reference if self.VERIFIES else replace(reference, sha256=digest_of(self.inputs.code, model))

    def add_unfinished_job(self, info: CalcInfo) -> None:
        """Let what the job that this one continues had done be copied into the job's folder."""
        if "restart_from" in self.inputs:
            info.local_copy_list = [(self.inputs.restart_from.uuid, JOURNAL_FILE, JOURNAL_FILE)]

    def _links(self) -> list[tuple[str, str, str]]:
        """Return what to link on the computer: the model's checkpoint file, brought there if need be."""
        if not self.needs_model():
            return []
        model, computer = self.inputs.model, self.node.computer
        if not model.is_checkpoint or self.inputs.metadata.dry_run or "remote_folder" in self.inputs:
            return []
        return [(computer.uuid, str(stage_checkpoint(model, computer)), CHECKPOINT_FILE)]


def unfinished_input(spec: CalcJobProcessSpec, description: str = UNFINISHED_HELP) -> None:
    """Declare ``restart_from`` of a task that continues the journal of an unfinished job."""
    spec.input_nodes(FolderData, check_unfinished, required=False, restart_from=description)


def check_unfinished(restart_from: FolderData) -> None:
    """Refuse a folder that holds nothing to continue.

    :raises ValueError: one line.
    """
    if JOURNAL_FILE not in restart_from.base.repository.list_object_names():
        raise ValueError(
            f"restart_from has no {JOURNAL_FILE}: give the `retrieved` output of a job that was interrupted"
        )


def _extended(
    inherited: validation.Validator | None, check: Callable[[Any, PortNamespace], None]
) -> validation.Validator:
    """Return a validator that asks AiiDA's own one first."""
    check_types = validation.validator(lambda inputs: resources.check_resource_types(resources.options_of(inputs)))

    def validate(inputs: Any, ports: PortNamespace) -> str | None:
        complaint = check_types(inputs, ports) or (inherited(inputs, ports) if inherited else None)
        return complaint or validation.validator(lambda value: check(value, ports))(inputs, ports)

    return validate
