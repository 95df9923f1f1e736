"""Verify a model in an environment once, and find that verification again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_
from aiida.orm import AbstractCode, CalcJobNode, Dict, QueryBuilder, Str, StructureData, to_aiida_type

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.verify import VerifyCalculation
from aiida_crucible.data.model import ModelData
from aiida_crucible.exit_codes import WorkflowSpec
from aiida_crucible.workflows.protocols.mixin import ProtocolMixin, as_code, fill_builder, merged, with_options
from crucible_engine.parameters import validate_parameters
from crucible_engine.schema import PROTOCOL

STOP, CONTINUE = "stop", "continue"


class VerifyWorkChain(ProtocolMixin, WorkChain):
    """Return the verification of a model in an environment: a finished one, or one that is run now."""

    PROTOCOL_FILE = "verify.yaml"
    JOBS = ("verify",)
    _spec_class = WorkflowSpec

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_model_ports(spec)
        spec.input(
            "on_failure",
            valid_type=Str,
            default=lambda: Str(STOP),
            serializer=to_aiida_type,
            validator=validation.validator(check_on_failure),
            help="What to do with a model that fails: stop (with an exit code that names the faults) or continue.",
        )
        spec.expose_inputs(VerifyCalculation, namespace="verify", exclude=("code", "model"))
        spec.outline(if_(cls.must_run)(cls.run_verification, cls.inspect_job), cls.inspect_verification)
        spec.output("results", valid_type=Dict, required=False, help="The verification's `results`.")
        spec.inputs.validator = validation.validator(cls.check_inputs)
        spec.exit_code(320, "ERROR_VERIFICATION_FAILED", message="{model} failed its verification: {faults}")
        spec.exit_code(321, "ERROR_VERIFICATION_UNFINISHED", message="the verification could not be made: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other.

        :raises ValueError: one line for the user.
        """
        check_fit(inputs, validation.symbols_of(inputs["verify"].get("structures")), cls.JOBS)

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData | None = None,
        protocol: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder.

        :param code: the Python of the model's environment, or its label.
        :param model: which potential.
        :param structure: verified on as well. Leave it out where one verification is to serve for all structures.
        :param protocol: a name of :meth:`get_available_protocols`.
        :param overrides: what to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the CalcJob.
        :raises ValueError: one line, if a name is misspelt or a port refuses its value.
        """
        inputs = with_options(cls.get_protocol_inputs(protocol, overrides), cls.spec().inputs, cls.JOBS, options)
        if structure is not None:
            inputs = merged(inputs, {"verify": {"structures": {"structure": structure}}})
        builder = cls.get_builder()
        fill_builder(builder, {"code": as_code(code), "model": model, **inputs})
        return builder

    def must_run(self) -> bool:
        """Look for a finished verification; tell whether there is none."""
        inputs = self.inputs.verify
        self.ctx.job = find_verification(
            self.inputs.code,
            self.inputs.model,
            parameters=inputs.parameters.get_dict(),
            structures=dict(inputs.get("structures", {})),
            device=inputs.metadata.options.device,
        )
        if self.ctx.job is not None:
            self.report(f"{self.inputs.model.title} was verified before: {_name(self.ctx.job)}")
        return self.ctx.job is None

    def run_verification(self) -> ToContext:
        """Submit the CalcJob."""
        inputs = self.exposed_inputs(VerifyCalculation, namespace="verify")
        job = self.submit(VerifyCalculation, code=self.inputs.code, model=self.inputs.model, **inputs)
        return ToContext(job=job)

    def inspect_job(self) -> ExitCode | None:
        """Stop if the CalcJob did not get to its end."""
        job = self.ctx.job
        if job.is_finished_ok:
            return None
        said = job.exit_message or f"it ended with {job.process_state.value}"
        unfinished: ExitCode = self.exit_codes.ERROR_VERIFICATION_UNFINISHED
        return unfinished.format(detail=f"{_name(job)}: {said}")

    def inspect_verification(self) -> ExitCode | None:
        """Return the results; stop with the faults, unless the user goes on in spite of them."""
        results = self.ctx.job.outputs.results
        self.out("results", results)
        content = results.get_dict()
        if content["outcome"] == "passed":
            return None
        faults = ", ".join(content["summary"]["faults"])
        if self.inputs.on_failure.value == CONTINUE:
            self.report(f"{self.inputs.model.title} failed its verification ({faults}); it goes on as it was told to")
            return None
        failed: ExitCode = self.exit_codes.ERROR_VERIFICATION_FAILED
        return failed.format(model=self.inputs.model.title, faults=f"{faults} (see {_name(self.ctx.job)})")


def define_model_ports(spec: ProcessSpec) -> None:
    """Declare the ports of every WorkChain that runs a model: which one, and where."""
    spec.input(
        "code",
        valid_type=AbstractCode,
        validator=validation.validator(validation.check_code),
        help="The Python of an environment in which the model's package can be imported.",
    )
    spec.input("model", valid_type=ModelData, help="Which potential.")


def check_fit(inputs: Mapping[str, Any], symbols_by_input: Mapping[str, set[str]], jobs: Sequence[str]) -> None:
    """Check that the model knows the elements, and that the code has the model's environment and what its jobs ask for.

    :param inputs: those of a WorkChain with ``code`` and ``model``.
    :param symbols_by_input: see :func:`aiida_crucible.calculations.validation.check_elements`.
    :param jobs: the namespaces of its CalcJobs, their levels separated by points.
    :raises ValueError: one line for the user.
    """
    if "model" not in inputs or "code" not in inputs:
        return
    validation.check_trust(inputs["model"])
    validation.check_elements(inputs["model"], symbols_by_input)
    validation.check_environment(inputs["code"], inputs["model"])
    for job in jobs:
        namespace: Mapping[str, Any] = inputs
        for level in (*job.split("."), "metadata", "options"):
            namespace = namespace.get(level) or {}
        validation.check_placement(inputs["code"], namespace)
        validation.check_precision(inputs["model"], namespace)


def check_on_failure(value: Str) -> None:
    """Refuse a word that is neither of the two."""
    if value.value not in (STOP, CONTINUE):
        raise ValueError(f"on_failure is {value.value!r}: give {STOP!r} or {CONTINUE!r}")


def find_verification(
    code: AbstractCode,
    model: ModelData,
    parameters: Mapping[str, Any] | None = None,
    structures: Mapping[str, StructureData] | None = None,
    device: str = "auto",
) -> CalcJobNode | None:
    """Return the latest finished verification of a model in an environment; ``None`` if there is none.

    :param code: the environment: this code, or another one that is the same file on the same computer.
    :param model: which potential.
    :param parameters: what it was verified with; the defaults if ``None``.
    :param structures: what it was verified on, at least.
    :param device: what was asked for.
    """
    wanted = validate_parameters("verify", dict(parameters or {}))
    needed = {structure.uuid for structure in (structures or {}).values()}
    query = QueryBuilder().append(ModelData, filters={"uuid": model.uuid}, tag="model")
    finished = {"attributes.process_state": "finished", "attributes.exit_status": 0}
    process_type = {"process_type": VerifyCalculation.build_process_type()}
    query.append(CalcJobNode, with_incoming="model", filters={**finished, **process_type}, tag="job", project="*")
    query.order_by({"job": {"ctime": "desc"}})
    for job in query.all(flat=True):
        given = {node.uuid for node in job.inputs.structures.values()} if "structures" in job.inputs else set()
        if (
            needed <= given
            and validate_parameters("verify", job.inputs.parameters.get_dict()) == wanted
            and job.get_option("device") == device
            and _is_same_environment(job, code)
        ):
            return job
    return None


def _is_same_environment(job: CalcJobNode, code: AbstractCode) -> bool:
    """Tell whether a job ran this engine in the environment of a code, as it is now."""
    results, other = job.outputs.results.get_dict(), job.inputs.code
    if results["protocol"] != PROTOCOL:
        return False
    promised = validation.promised_package(code, job.inputs.model.family)
    if promised is not None and results["environment"]["packages"].get(promised[0]) != promised[1]:
        return False
    return bool(other.uuid == code.uuid) or place_of(other) == place_of(code)


def place_of(code: AbstractCode) -> tuple[str, str, str]:
    """Return what tells one environment from another; the path's last folders carry the digest of its lock."""
    image = str(code.base.attributes.get("image_name", ""))
    return code.computer.uuid, str(code.get_executable()), image


def _name(node: CalcJobNode) -> str:
    return f"{node.process_label}<{node.pk}>"
