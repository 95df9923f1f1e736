"""One crystal with many models: what each finds, where they agree, and which is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.common import AttributeDict
from aiida.engine import ProcessBuilder, ProcessSpec, ToContext, while_
from aiida.orm import AbstractCode, CalcJobNode, Dict, ProcessNode, StructureData

from aiida_crucible.analysis.comparison.consensus import failed_row
from aiida_crucible.analysis.verdict.reliability import check_reference
from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.environments.codes import as_code
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.concurrency import RunsInWaves, Share
from aiida_crucible.workflows.common.protocols import ProtocolMixin, with_checked_arguments, without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.comparison.calcfunctions import compare_models, describe_model
from aiida_crucible.workflows.comparison.settings import validate_comparison
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain

NAMESPACE = "reliability"
FILLED = ("code", "model", "structure", "competing", "reference", "verification")


class ComparisonWorkChain(ProtocolMixin, RunsInWaves):
    """Ask of many models whether they can be trusted with one crystal, and say what they tell together.

    A model that fails at anything is a row with a reason, and stops no other.
    """

    JOBS = tuple(f"{NAMESPACE}.{job}" for job in ReliabilityWorkChain.JOBS)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.inputs_by_label(ModelData, cls._check_models, models="The potentials, by label.")
        spec.inputs_by_label(AbstractCode, codes="The environment of each, by the same labels.")
        spec.expose_inputs(ReliabilityWorkChain, include=("structure", "competing", "reference"))
        how = "How to ask each of them, see `crucible.reliability`."
        spec.expose_child(ReliabilityWorkChain, NAMESPACE, how, FILLED)
        settings_input(
            spec, "parameters", validate_comparison, "See `aiida_crucible.workflows.comparison.settings.SETTINGS`."
        )
        spec.outline(cls.begin, while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs), cls.compare)
        spec.outputs_by_label(Dict, verdicts="Of each model by label, see `crucible.reliability`, output `verdict`.")
        spec.output_nodes(
            Dict,
            summary="`rows` (what each model found, or the reason why not), `consensus` (median, spread, range, "
            "outliers by quantity), `agreement` (question, answer, reason), `outliers`, `ranking`, `failed`.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that each model has its environment, and the reference names what is computed."""
        super().check_inputs(inputs)
        models, codes = set(inputs.get("models", {})), set(inputs.get("codes", {}))
        if not models:
            raise ValueError("there is nothing to compare: give models")
        if models != codes:
            alone = ", ".join(sorted(models ^ codes))
            raise ValueError(f"models and codes have not the same labels ({alone} is only in one of them)")
        if "reference" in inputs:
            check_reference(inputs["reference"].get_dict(), set(inputs.get("competing", {})))

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Add those of the reliability's protocol of the same name."""
        child = ReliabilityWorkChain.get_protocol_inputs(protocol, overrides.get(NAMESPACE))
        return {NAMESPACE: child, **inputs}

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        models: Mapping[str, tuple[AbstractCode | str, ModelData]],
        structure: StructureData,
        protocol: str | None = None,
        *,
        competing: Mapping[str, StructureData] | None = None,
        reference: Mapping[str, Any] | Dict | None = None,
        temperatures: Sequence[float] | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        :param models: by label, the Python of the model's environment (or its label) and which potential.
        :param structure: the crystal in question.
        :param protocol: one of :meth:`get_available_protocols`.
        :param competing: other phases of the same composition, by name.
        :param reference: what to compare with, see the port's help.
        :param temperatures: K; where given, each model has a temperature sweep.
        :param overrides: other inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        if not models:
            raise ValueError("there is nothing to compare: give models")
        changes = dict(overrides or {})
        if temperatures is not None:
            own = dict(changes.get(NAMESPACE, {}))
            sweep = dict(own.get("sweep", {}))
            sweep["parameters"] = {**sweep.get("parameters", {}), "temperatures": list(temperatures)}
            changes[NAMESPACE] = {**own, "sweep": sweep}
        inputs = cls.get_protocol_inputs(protocol, changes)
        if not any(model.n_members for _, model in models.values()):
            inputs[NAMESPACE].get("sweep", {}).pop("members", None)
        inputs |= without_none(competing=competing, reference=reference)
        inputs |= {
            "codes": {label: as_code(code) for label, (code, _) in models.items()},
            "models": {label: model for label, (_, model) in models.items()},
        }
        return cls.build(inputs, options, structure=structure)

    def begin(self) -> None:
        """Begin with nothing run."""
        self.ctx.next_job, self.ctx.rows, self.ctx.refused = 0, {}, {}

    def job_names(self) -> list[str]:
        """Return the labels of the models."""
        return sorted(self.inputs.models)

    def share(self) -> Share:
        """Return how many models run at once: all in queues, else one after the other, whose jobs fill the machine."""
        wanted = validate_comparison(self.inputs.parameters.get_dict())["max_concurrent"]
        queued = all(code.computer.scheduler_type != "core.direct" for code in self.inputs.codes.values())
        return Share(wanted or (len(self.inputs.models) if queued else 1), None)

    def run_jobs(self) -> ToContext:
        """Ask as many models as go at once; one that cannot be asked about this crystal is a row."""
        share, first = self.share(), self.ctx.next_job
        chosen = self.job_names()[first : first + share.at_once]
        self.ctx.next_job = first + len(chosen)
        submitted = {}
        for label in chosen:
            try:
                submitted[label] = self.submit_job(label, None)
            except ValueError as error:
                self.ctx.refused[label] = str(error).splitlines()[0]
        self.ctx.running = list(submitted)
        return ToContext(**submitted)

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Ask one model."""
        exposed = AttributeDict(self.exposed_inputs(ReliabilityWorkChain, NAMESPACE))
        exposed.update(code=self.inputs.codes[name], model=self.inputs.models[name], structure=self.inputs.structure)
        exposed.update({key: self.inputs[key] for key in ("competing", "reference") if key in self.inputs})
        exposed.metadata.call_link_label = name
        return self.submit(ReliabilityWorkChain, **exposed)

    def inspect_jobs(self) -> None:
        """Take down what each model found."""
        for label in self.ctx.running:
            child = self.ctx[label]
            if "verdict" not in child.outputs or "summary" not in child.outputs:
                self.ctx.refused[label] = message_of(child)
                continue
            self.out(f"verdicts.{label}", child.outputs.verdict)
            costs = without_none(dynamics=_results_of_a_run(child))
            outputs = child.outputs
            row = describe_model(
                self.inputs.models[label], outputs.relaxation, outputs.verdict, outputs.summary, **costs
            )
            self.ctx.rows[label] = row
            self.report(f"{label}: {row['headline']}")

    def compare(self) -> None:
        """Say what the models tell together."""
        for label, reason in self.ctx.refused.items():
            self.report(f"{label} has no row: {reason}")
        failed = {
            label: Dict(failed_row(self.inputs.models[label].title, reason))
            for label, reason in self.ctx.refused.items()
        }
        reference = without_none(reference=self.inputs.get("reference"))
        summary = compare_models(self.inputs.reliability.thresholds, **reference, **self.ctx.rows, **failed)
        self.out("summary", summary)
        agreement = summary["agreement"]
        self.report(f"{agreement['question']} {agreement['answer']}: {agreement['reason']}")

    @staticmethod
    def _check_models(models: Mapping[str, ModelData]) -> None:
        check_labels("a model", models)
        seen: dict[str, str] = {}
        for label, model in models.items():
            other = seen.setdefault(str(model.uuid), label)
            if other != label:
                raise ValueError(f"{label!r} and {other!r} are the same model: give it once")


def _results_of_a_run(child: ProcessNode) -> Dict | None:
    """Return the results of the first hot job of a child, which tell what a step costs."""
    jobs = [node for node in child.called_descendants if isinstance(node, CalcJobNode)]
    kind = DynamicsCalculation.build_process_type()
    hot = [node for node in jobs if node.process_type == kind and node.is_finished_ok]
    return min(hot, key=lambda node: node.pk).outputs.results if hot else None
