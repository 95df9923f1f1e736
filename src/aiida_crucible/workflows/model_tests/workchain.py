"""Tests of a model whatever the material: rotations, dimers, accuracy on labels, robustness, conservation of energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, while_
from aiida.orm import AbstractCode, ArrayData, Dict, ProcessNode, StructureData

from aiida_crucible.analysis.model_tests.settings import TESTS, validate_model_tests
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.concurrency import RunsInWaves, Share, choose_share
from aiida_crucible.workflows.common.protocols import merged, with_checked_arguments
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.model_tests.calcfunctions import summarise_model_tests
from aiida_crucible.workflows.model_tests.inputs import (
    check_both_forces,
    check_test_inputs,
    define_inputs,
    labels_inputs,
)
from aiida_crucible.workflows.model_tests.stages import KIND_OF_JOB, StagesOfTests, test_of
from aiida_crucible.workflows.relax.base import SINGLE
from aiida_crucible.workflows.verify.workchain import CONTINUE

TASKS = {
    "rotations": "evaluate",
    "dimers": "evaluate",
    "accuracy": "evaluate",
    "robustness": "relax",
    "conservation": "dynamics",
    "equipartition": "dynamics",
}
"""What the job of each test is."""


class ModelTestsWorkChain(StagesOfTests, RunsInWaves):
    """Test a model, one job a test, and answer a question for each: yes, no, or what it would take to tell.

    Whatever the physics says is a result, and a test that cannot be made (an element that the model does not know, a
    stress that it does not give) is told of in ``summary``. So is what a machine did to a job, of which the exit
    code tells, too; the other tests are made all the same.
    """

    JOBS = ("verify.verify", *(f"{test}.{job}" for test, job in TASKS.items()))
    NECESSARY_JOBS = tuple(job for job in JOBS if not job.startswith("robustness"))

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_inputs(spec)
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.prepare,
            while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs),
            cls.summarise,
        )
        spec.output_nodes(
            Dict,
            summary="`outcome` (passed, failed, cannot-tell), and by test `question`, `answer` (yes, no, cannot-tell), "
            "`reason` and `evidence`; each labelled set is a test `accuracy_…`.",
        )
        spec.output_nodes(
            ArrayData,
            dimer_curves="By pair of elements `distances_…` (Å), `energies_…` (eV, relative to the largest distance) "
            "and `forces_…` (eV/Å, positive where the atoms repel each other), each [n_distances].",
        )
        spec.outputs_by_label(
            ArrayData,
            conservation="The time series of the runs without thermostat, see `crucible.dynamics`; with both kinds of "
            "forces `conservative_…`, `direct_…` and `multiple_…` each.",
        )
        spec.exit_code(325, "ERROR_TESTS_FAILED", message="some tests could not be made: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other, labelled sets among them."""
        super().check_inputs(inputs)
        check_test_inputs(inputs)

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Go on with a model that fails its verification: what it fails at is tested here, too."""
        return merged(super().with_children(protocol, inputs, overrides), {"verify": {"on_failure": CONTINUE}})

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData | Mapping[str, StructureData],
        protocol: str | None = None,
        *,
        labels: Mapping[str, Any] | None = None,
        crystals: Mapping[str, StructureData] | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: what is turned and run, and whose elements are paired; several by name.
        :param labels: labelled sets by name, each a dict with the ``file``, its ``theory`` and what else
            :data:`aiida_crucible.references.labels.LABELS` has.
        :param crystals: whose relaxation is tested, instead of the three of the published test.
        """
        structures = structure if isinstance(structure, Mapping) else {SINGLE: structure}
        given: dict[str, Any] = {"structures": dict(structures), **labels_inputs(labels or {})}
        if crystals is not None:
            given["crystals"] = dict(crystals)
        inputs = cls.get_protocol_inputs(protocol, overrides)
        return cls.build(inputs, options, code=code, model=model, **given)

    def inspect_verification(self) -> ExitCode | None:
        """Stop where both kinds of forces are asked for of a model that turned out to have one."""
        found = super().inspect_verification()
        if found is not None:
            return found
        settings = validate_model_tests(self.inputs.parameters.get_dict())
        try:
            check_both_forces(settings, {**self.inputs, "verification": self.ctx.verification})
        except ValueError as error:
            return self.failure("ERROR_CAPABILITY_MISSING", str(error))
        return None

    def prepare(self) -> None:
        """Make the structures of all tests that are asked for."""
        settings = validate_model_tests(self.inputs.parameters.get_dict())
        self.ctx.update(settings=settings, next_job=0, made=AttributeDict(), missing={}, left_out={}, answers={})
        self.ctx.update(failures={}, kinds={}, series={})
        if settings["rotations"]:
            self.prepare_rotations()
        if settings["dimers"]:
            self.prepare_dimers()
        if "labels" in self.inputs and self.inputs.labels:
            self.prepare_accuracy()
        if settings["robustness"]:
            self.prepare_robustness()
        self.prepare_runs()

    def job_names(self) -> list[str]:
        """Return the jobs of the tests that have something to compute."""
        jobs = [name for name in TESTS if self.ctx.made.get(name)]
        if "conservation" not in jobs or not self.ctx.settings["both_forces"]:
            return jobs
        return [*(name for name in jobs if name != "conservation"), *KIND_OF_JOB]

    def share(self) -> Share:
        """Return how many jobs run at once."""
        names = self.job_names()
        first = test_of(names[0])
        return choose_share(self.inputs.code, self.inputs[first][TASKS[first]], len(names), None)

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Begin the job of a test."""
        return self.submit_test(name, cores)

    def inspect_jobs(self) -> None:
        """Keep what the jobs say; of one that failed, why."""
        for name in self.ctx.running:
            child = self.ctx[name]
            if self.is_measurable(name, child):
                self.measure(name, child)
            else:
                self.ctx.failures[name] = message_of(child)

    def summarise(self) -> ExitCode | None:
        """Attach all answers."""
        if self.ctx.kinds or any(name in KIND_OF_JOB for name in self.ctx.failures):
            self.judge_kinds()
        failures = {name: why for name, why in self.ctx.failures.items() if name not in KIND_OF_JOB}
        missing = {**self.ctx.missing, **failures}
        self.out("summary", summarise_model_tests(Dict(missing), self.ctx.verification, **self.ctx.answers))
        if self.ctx.failures:
            return self.failure("ERROR_TESTS_FAILED", "; ".join(self.ctx.failures.values()))
        return None
