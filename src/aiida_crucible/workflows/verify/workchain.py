"""Verify a model in an environment once, and find that verification again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, Bool, Dict, Str, StructureData, to_aiida_type

from aiida_crucible.calculations import resources, validation
from aiida_crucible.calculations.dynamics.forces import require_both_forces
from aiida_crucible.calculations.ports import model_inputs
from aiida_crucible.calculations.verifications import find_verification, require_capability
from aiida_crucible.calculations.verify.calculation import VerifyCalculation
from aiida_crucible.monitoring.words import title_of
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.protocols import ProtocolMixin, merged, with_checked_arguments
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain, said_of
from crucible_engine.tasks.parameters import PARAMETERS, needs_stress, validate_parameters

STOP, CONTINUE = "stop", "continue"


class VerifyWorkChain(ProtocolMixin, CrucibleWorkChain):
    """Return the verification of a model in an environment: a finished one, or one that is run now."""

    JOBS = ("verify",)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        model_inputs(spec)
        spec.input(
            "on_failure",
            valid_type=Str,
            default=lambda: Str(STOP),
            serializer=to_aiida_type,
            validator=validation.validator(check_on_failure),
            help="What to do with a model that fails: stop (with an exit code that names the faults) or continue.",
        )
        spec.input(
            "again",
            valid_type=Bool,
            default=lambda: Bool(False),
            serializer=to_aiida_type,
            help="Verify anew, even where there is a finished verification and whatever AiiDA's cache holds.",
        )
        spec.expose_inputs(VerifyCalculation, namespace="verify", exclude=("code", "model"))
        spec.outline(if_(cls.must_run)(cls.run_verification, cls.inspect_job), cls.inspect_verification)
        spec.output_nodes(Dict, results="The verification's `results`.")
        spec.exit_code(320, "ERROR_VERIFICATION_FAILED", message="{model} failed its verification: {faults}")
        spec.exit_code(321, "ERROR_VERIFICATION_UNFINISHED", message="the verification could not be made: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that model, code and structures fit to each other."""
        check_fit(inputs, validation.symbols_of(inputs["verify"].get("structures")), cls.JOBS)

    @classmethod
    @with_checked_arguments
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

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: verified on as well. Leave it out where one verification is to serve for all structures.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        if structure is not None:
            inputs = merged(inputs, {"verify": {"structures": {"structure": structure}}})
        return cls.build(inputs, options, code=code, model=model)

    def must_run(self) -> bool:
        """Look for a finished verification; tell whether there is none, or none is wanted."""
        inputs = self.inputs.verify
        if self.inputs.again.value:
            return True
        self.ctx.job = find_verification(
            self.inputs.code,
            self.inputs.model,
            parameters=inputs.parameters.get_dict(),
            structures=dict(inputs.get("structures", {})),
            device=inputs.metadata.options.device,
        )
        if self.ctx.job is not None:
            self.report(f"{self.inputs.model.title} was verified before: {title_of(self.ctx.job)}")
        return self.ctx.job is None

    def run_verification(self) -> ToContext:
        """Submit the CalcJob."""
        inputs = self.exposed_inputs(VerifyCalculation, namespace="verify")
        if self.inputs.again.value:
            inputs["metadata"] = {**inputs["metadata"], "disable_cache": True}
        job = self.submit(VerifyCalculation, code=self.inputs.code, model=self.inputs.model, **inputs)
        return ToContext(job=job)

    def inspect_job(self) -> ExitCode | None:
        """Stop if the CalcJob did not get to its end."""
        job = self.ctx.job
        if job.is_finished_ok:
            return None
        return self.failure("ERROR_VERIFICATION_UNFINISHED", f"{title_of(job)}: {said_of(job)}")

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
        return failed.format(model=self.inputs.model.title, faults=f"{faults} (see {title_of(self.ctx.job)})")


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
        options = resources.options_of(validation.nested(inputs, job))
        resources.check_placement(inputs["code"], options)
        resources.check_precision(inputs["model"], options)
    for values in _parameters_of(inputs, [job for job in jobs if job.rpartition(".")[2] == "dynamics"]):
        require_both_forces(values, inputs["model"], inputs["code"], inputs.get("verification"))
    require_capability(inputs["code"], inputs["model"], needs_of(inputs, jobs), inputs.get("verification"))


def needs_of(inputs: Mapping[str, Any], jobs: Sequence[str]) -> list[str]:
    """Return what jobs need stresses for, in words; parameters as in :func:`check_fit`."""
    needs = []
    for job in jobs:
        task = job.rpartition(".")[2]
        if task in PARAMETERS:
            needs += [needs_stress(task, values) for values in _parameters_of(inputs, [job])]
    return [need for need in needs if need is not None]


def _parameters_of(inputs: Mapping[str, Any], jobs: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the parameters, complete, of those jobs that have any."""
    for job in jobs:
        namespace = validation.nested(inputs, job)
        if "parameters" in namespace:
            yield validate_parameters(job.rpartition(".")[2], namespace["parameters"].get_dict())


def check_on_failure(value: Str) -> None:
    """Refuse a word that is neither of the two."""
    if value.value not in (STOP, CONTINUE):
        raise ValueError(f"on_failure is {value.value!r}: give {STOP!r} or {CONTINUE!r}")
