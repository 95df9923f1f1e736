"""One crystal with many models: what each finds, where they agree, and which is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida.common import AttributeDict
from aiida.engine import ProcessBuilder, ProcessSpec, ToContext, while_
from aiida.orm import AbstractCode, CalcJobNode, Dict, ProcessNode, StructureData

from aiida_crucible.analysis.comparison.consensus import failed_row
from aiida_crucible.analysis.verdict.reliability import check_reference
from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.concurrency import Share
from aiida_crucible.workflows.common.many_models import ManyModels
from aiida_crucible.workflows.common.protocols import merged, with_checked_arguments, without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.comparison.calcfunctions import compare_models, describe_model
from aiida_crucible.workflows.comparison.published import PTO_PROTOCOLS, published_question
from aiida_crucible.workflows.comparison.settings import validate_comparison
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain
from aiida_crucible.workflows.speed.workchain import SpeedWorkChain
from aiida_crucible.workflows.sweep.inputs import check_crystal_inputs
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain

RELIABILITY, POLARIZATION, SPEED = "reliability", "polarization", "speed"
FILLED = ("code", "model", "structure", "competing", "reference", "verification")


class ComparisonWorkChain(ManyModels):
    """Ask of many models whether they can be trusted with one crystal, and say what they tell together.

    First each model is asked by its own `crucible.reliability`; where that is wanted, each is then run in a lattice
    that is the same for all, for the polarization; last, force calls of all are timed. A model that fails at anything
    is a row with a reason, and stops no other.
    """

    JOBS = (
        *(f"{RELIABILITY}.{job}" for job in ReliabilityWorkChain.JOBS),
        *(f"{POLARIZATION}.{job}" for job in TemperatureSweepWorkChain.JOBS if not job.startswith("verify")),
        *(f"{SPEED}.{job}" for job in SpeedWorkChain.JOBS),
    )
    POLARIZATION_PROTOCOLS: ClassVar[Mapping[str, str]] = {
        "pto-test": "pto-test-nvt",
        "pto-test-small": "pto-test-nvt-small",
    }
    """The protocol of the runs in a given lattice, where its name is another one."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.expose_inputs(ReliabilityWorkChain, include=("structure", "competing", "reference"))
        how = "How to ask each of them, see `crucible.reliability`."
        spec.expose_child(ReliabilityWorkChain, RELIABILITY, how, FILLED)
        how = "How to run each in the same lattice for the polarization, see `crucible.sweep`; left out, it is not."
        filled = (*FILLED, "verify")
        spec.expose_child(TemperatureSweepWorkChain, POLARIZATION, how, filled, required=False)
        how = "How to time force calls of all, see `crucible.speed`; left out, they are not."
        spec.expose_child(SpeedWorkChain, SPEED, how, ("codes", "models", "structure"), required=False)
        settings_input(
            spec, "parameters", validate_comparison, "See `aiida_crucible.workflows.comparison.settings.SETTINGS`."
        )
        spec.outline(cls.begin, while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs), cls.compare)
        spec.outputs_by_label(Dict, verdicts="Of each model by label, see `crucible.reliability`, output `verdict`.")
        spec.output_nodes(
            Dict,
            summary="`rows` (what each model found, or the reason why not), `consensus` (median, spread, range, "
            "outliers by quantity), `agreement` (question, answer, reason), `outliers`, `ranking`, `failed`.",
            speed="What force calls cost, see `crucible.speed`, output `summary`.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that each model has its environment, and the reference names what is computed."""
        super().check_inputs(inputs)
        if "reference" in inputs:
            check_reference(inputs["reference"].get_dict(), set(inputs.get("competing", {})))
        if POLARIZATION in inputs and "structure" in inputs:
            check_crystal_inputs({**inputs[POLARIZATION], "structure": inputs["structure"]})
            if "born_charges" not in inputs[POLARIZATION]:
                raise ValueError(
                    "the runs for the polarization have no charges: give polarization.reference_structure and "
                    "polarization.born_charges, or leave `polarization` out"
                )

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Add those of the children's protocols of the same name.

        Runs for the polarization and force calls are among them where the protocol or overrides speak of them.
        """
        own = merged(inputs.pop(RELIABILITY, {}), overrides.get(RELIABILITY, {}))
        children = {RELIABILITY: ReliabilityWorkChain.get_protocol_inputs(protocol, own)}
        optional = ((POLARIZATION, TemperatureSweepWorkChain), (SPEED, SpeedWorkChain))
        for name, chain in optional:
            if name in inputs or name in overrides:
                child = cls.POLARIZATION_PROTOCOLS.get(protocol, protocol) if name == POLARIZATION else protocol
                given = merged(inputs.pop(name, {}), overrides.get(name, {}))
                children[name] = chain.get_protocol_inputs(child, given)
                children[name].pop("verify", None)
        return {**children, **inputs}

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        models: Mapping[str, tuple[AbstractCode | str, ModelData]],
        structure: StructureData | None = None,
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
        :param structure: the crystal in question; the protocols ``pto-test`` and ``pto-test-small`` have their own,
            with the other phase, the reference and the charges as published.
        :param protocol: one of :meth:`get_available_protocols`.
        :param competing: other phases of the same composition, by name.
        :param reference: what to compare with, see the port's help.
        :param temperatures: K; where given, each model has a temperature sweep.
        :param overrides: other inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        asked = {"structure": structure, **without_none(competing=competing, reference=reference)}
        changes: dict[str, Any] = dict(overrides or {})
        if protocol in PTO_PROTOCOLS:
            asked, changes = published_question(asked, changes)
        if asked["structure"] is None:
            raise ValueError("there is no crystal to ask about: give a structure (the protocol pto-test has its own)")
        if temperatures is not None:
            wanted = {RELIABILITY: {"sweep": {"parameters": {"temperatures": list(temperatures)}}}}
            changes = merged(changes, wanted)
        inputs = cls.get_protocol_inputs(protocol, changes)
        if "born_charges" not in inputs.get(POLARIZATION, {}) and POLARIZATION not in (overrides or {}):
            inputs.pop(POLARIZATION, None)
        if not any(model.n_members for _, model in models.values()):
            for sweep in (inputs[RELIABILITY].get("sweep", {}), inputs.get(POLARIZATION, {})):
                sweep.pop("members", None)
        return cls.build({**inputs, **cls.by_label(models), **asked}, options)

    def begin(self) -> None:
        """Begin with nothing run."""
        self.ctx.next_job, self.ctx.refused, self.ctx.missing = 0, {}, {}

    def job_names(self) -> list[str]:
        """Return the models; those that found something and are run in a given lattice; and the timing of all."""
        models = sorted(self.inputs.models)
        sound = [label for label in models if label in self.ctx and label not in self.ctx.refused]
        names = list(models)
        if POLARIZATION in self.inputs:
            names += [f"{POLARIZATION}-{label}" for label in sound]
        return [*names, *([SPEED_JOB] if SPEED in self.inputs and sound else [])]

    def share(self) -> Share:
        """Return how many models run at once: all in queues, else one after the other, whose jobs fill the machine."""
        wanted = validate_comparison(self.inputs.parameters.get_dict())["max_concurrent"]
        return Share(wanted or (len(self.inputs.models) if self.is_queued else 1), None)

    def run_jobs(self) -> ToContext:
        """Ask as many models of the same as go at once; one that cannot be asked about this crystal is a row."""
        share, first = self.share(), self.ctx.next_job
        names = self.job_names()[first:]
        chosen = [name for name in names[: share.at_once] if _kind_of(name) == _kind_of(names[0])]
        self.ctx.next_job = first + len(chosen)
        submitted = {}
        for name in chosen:
            try:
                submitted[name] = self.submit_job(name, None)
            except ValueError as error:
                self._take_refusal(name, str(error).splitlines()[0])
        self.ctx.running = list(submitted)
        return ToContext(**submitted)

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Ask one model, or time all of them."""
        kind, label = _kind_of(name), _label_of(name)
        chain = CHAINS[kind]
        exposed = AttributeDict(self.exposed_inputs(chain, kind, agglomerate=False))
        exposed["structure"] = self.inputs.structure
        if kind == SPEED:
            sound = [each for each in self.inputs.models if each in self.ctx and each not in self.ctx.refused]
            exposed["models"] = {each: self.inputs.models[each] for each in sound}
            exposed["codes"] = {each: self.inputs.codes[each] for each in sound}
        else:
            exposed.update(code=self.inputs.codes[label], model=self.inputs.models[label])
        if kind == RELIABILITY:
            exposed.update({key: self.inputs[key] for key in ("competing", "reference") if key in self.inputs})
        if kind == POLARIZATION:
            exposed["verification"] = self.ctx[label].outputs.verification
        exposed.setdefault("metadata", AttributeDict())["call_link_label"] = "_of_".join(filter(None, name.split("-")))
        return self.submit(chain, **exposed)

    def inspect_jobs(self) -> None:
        """Take down what each model found, or why it found nothing."""
        for name in self.ctx.running:
            child, label = self.ctx[name], _label_of(name)
            if _kind_of(name) == RELIABILITY:
                if {"verdict", "summary"} <= set(child.outputs):
                    self.out(f"verdicts.{label}", child.outputs.verdict)
                    self.report(f"{label}: {child.outputs.verdict['headline']}")
                else:
                    self._take_refusal(name, message_of(child))
            elif not child.is_finished_ok:
                self._take_refusal(name, message_of(child))
            if _kind_of(name) == SPEED and "summary" in child.outputs:
                self.out("speed", child.outputs.summary)

    def compare(self) -> None:
        """Say what the models tell together."""
        rows = {}
        for label, model in sorted(self.inputs.models.items()):
            if label in self.ctx.refused:
                self.report(f"{label} has no row: {self.ctx.refused[label]}")
                rows[label] = Dict(failed_row(model.title, self.ctx.refused[label]))
                continue
            outputs, sweep = self.ctx[label].outputs, self.ctx.get(f"{POLARIZATION}-{label}")
            more = without_none(
                dynamics=_results_of_a_run(self.ctx[label]), missing=_dict_or_none(self.ctx.missing.get(label))
            )
            if sweep is not None and {"curves", "analysis"} <= set(sweep.outputs):
                more |= {"curves": sweep.outputs.curves, "analysis": sweep.outputs.analysis}
            rows[label] = describe_model(model, outputs.relaxation, outputs.verdict, outputs.summary, **more)
        reference = without_none(reference=self.inputs.get("reference"))
        summary = compare_models(self.inputs.reliability.thresholds, **reference, **rows)
        self.out("summary", summary)
        agreement = summary["agreement"]
        self.report(f"{agreement['question']} {agreement['answer']}: {agreement['reason']}")

    def _take_refusal(self, name: str, reason: str) -> None:
        """Keep why a model could not be asked, or asked one thing."""
        kind, label = _kind_of(name), _label_of(name)
        if kind == RELIABILITY:
            self.ctx.refused[label] = reason
        else:
            self.report(f"{kind} {label}: {reason}")
            for each in [label] if label else self.inputs.models:
                self.ctx.missing.setdefault(each, {})[kind] = reason


SPEED_JOB = f"{SPEED}-"
CHAINS = {RELIABILITY: ReliabilityWorkChain, POLARIZATION: TemperatureSweepWorkChain, SPEED: SpeedWorkChain}


def _kind_of(name: str) -> str:
    """Return what a job is for; those for the reliability have no more than a label as their names."""
    return name.partition("-")[0] if "-" in name else RELIABILITY


def _label_of(name: str) -> str:
    """Return the model of a job; empty where it is all of them."""
    return name.rpartition("-")[2]


def _dict_or_none(content: Mapping[str, Any] | None) -> Dict | None:
    return None if content is None else Dict(dict(content))


def _results_of_a_run(child: ProcessNode) -> Dict | None:
    """Return the results of the first hot job of a child, which tell what a step costs."""
    jobs = [node for node in child.called_descendants if isinstance(node, CalcJobNode)]
    kind = DynamicsCalculation.build_process_type()
    hot = [node for node in jobs if node.process_type == kind and node.is_finished_ok]
    return min(hot, key=lambda node: node.pk).outputs.results if hot else None
