"""Time models against the number of atoms, one after the other where they share a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, while_
from aiida.orm import AbstractCode, Dict, ProcessNode, StructureData

from aiida_crucible.calculations import resources, validation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.concurrency import Share
from aiida_crucible.workflows.common.many_models import ManyModels
from aiida_crucible.workflows.common.protocols import with_checked_arguments
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.speed.base import SpeedBaseWorkChain
from aiida_crucible.workflows.speed.calcfunctions import summarise_speed

SINGLE = "structure"


class SpeedWorkChain(ManyModels):
    """Time the force calls of models for one crystal, repeated again and again.

    A model that cannot be timed is told of with the reason, and stops no other. Nothing is verified: a time is right
    whatever the forces are.
    """

    JOBS = ("base.speed",)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(
            StructureData, structure="What is repeated in its periodic directions; a molecule is timed alone."
        )
        SpeedBaseWorkChain.expose_in(spec, "base", "How to time, see `crucible.speed.base`.")
        spec.outline(cls.begin, while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs), cls.summarise)
        spec.output_nodes(
            Dict, summary="`models` (by label what each size costs) and `failed` (by label, why one was not timed)."
        )
        spec.exit_code(326, "ERROR_NOTHING_TIMED", message="no model could be timed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check the jobs' options; a model that does not know the structure's elements is told of in the end."""
        super().check_inputs(inputs)
        options = resources.options_of(validation.nested(inputs, cls.JOBS[0]))
        for label, model in inputs.get("models", {}).items():
            resources.check_placement(inputs["codes"][label], options)
            resources.check_precision(model, options)

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        models: Mapping[str, tuple[AbstractCode | str, ModelData]],
        structure: StructureData,
        protocol: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        :param models: by label, the Python of the model's environment (or its label) and which potential.
        :param structure: what is repeated.
        :param protocol: one of :meth:`get_available_protocols`.
        :param overrides: other inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        return cls.build({**inputs, **cls.by_label(models)}, options, structure=structure)

    def begin(self) -> None:
        """Leave out the models that do not know an element."""
        self.ctx.update(next_job=0, results={}, failed={}, names=[])
        for label, model in self.inputs.models.items():
            try:
                validation.check_elements(model, validation.symbols_of({SINGLE: self.inputs.structure}))
            except ValueError as error:
                self.ctx.failed[label] = str(error)
        self.ctx.names = sorted(set(self.inputs.models) - set(self.ctx.failed))

    def job_names(self) -> list[str]:
        """Return the labels of the models that know the elements."""
        return list(self.ctx.names)

    def share(self) -> Share:
        """Return how many models are timed at once: all in queues, else one, which has the machine for itself."""
        return Share(len(self.inputs.models) if self.is_queued else 1, None)

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Time one model."""
        exposed = AttributeDict(self.exposed_inputs(SpeedBaseWorkChain, "base"))
        job = {"code": self.inputs.codes[name], "model": self.inputs.models[name]}
        exposed.speed.update(**job, structures={SINGLE: self.inputs.structure})
        exposed.metadata.call_link_label = name
        return self.submit(SpeedBaseWorkChain, **exposed)

    def inspect_jobs(self) -> None:
        """Take down what each model costs, or why it does not tell."""
        for label in self.ctx.running:
            child = self.ctx[label]
            if not child.is_finished_ok:
                self.ctx.failed[label] = message_of(child)
            if "results" in child.outputs and child.outputs.results["summary"].get("sizes"):
                self.ctx.results[label] = child.outputs.results

    def summarise(self) -> ExitCode | None:
        """Attach the table."""
        titles = {label: model.title for label, model in self.inputs.models.items()}
        if not self.ctx.results:
            return self.failure("ERROR_NOTHING_TIMED", "; ".join(self.ctx.failed.values()))
        self.out("summary", summarise_speed(Dict(titles), Dict(dict(self.ctx.failed)), **self.ctx.results))
        return None
