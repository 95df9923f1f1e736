"""Many materials with many models by many protocols, against a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida.common import AttributeDict
from aiida.engine import ProcessBuilder, ProcessSpec, ToContext, if_, while_
from aiida.orm import AbstractCode, ArrayData, Dict, ProcessNode, StructureData, TrajectoryData

from aiida_crucible.analysis.benchmark.settings import validate_benchmark_settings
from aiida_crucible.environments.codes import as_code
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.benchmark.batch import BenchmarkBatchWorkChain
from aiida_crucible.workflows.benchmark.batch_calcfunctions import settle_references
from aiida_crucible.workflows.benchmark.calcfunctions import aggregate_benchmark
from aiida_crucible.workflows.benchmark.inputs import (
    REFERENCE,
    check_benchmark,
    check_reference_names,
)
from aiida_crucible.workflows.benchmark.material_calcfunctions import explain_failed_materials, regroup_row
from aiida_crucible.workflows.benchmark.plan import Plan, find_rows, given_references, reference_made
from aiida_crucible.workflows.benchmark.ports import define_inputs, define_results
from aiida_crucible.workflows.benchmark.stages import JOBS, STAGES, Stage, references_by_kind
from aiida_crucible.workflows.benchmark.verification import VerifiesModels
from aiida_crucible.workflows.common.protocols import (
    merged,
    with_checked_arguments,
    without_none,
)
from aiida_crucible.workflows.common.workchain import call_once, give_cores, halves, message_of


class BenchmarkWorkChain(VerifiesModels):
    """Compare models with a reference, material by material, and draw up the tables.

    A row is one material with one model by one protocol. What cannot be had of it is missing with a reason, and stops
    nothing else. Rows that an earlier benchmark has finished are found and not computed again.
    """

    JOBS = ("verify.verify", *JOBS)
    VERIFY_PROTOCOLS: ClassVar[Mapping[str, str]] = {"double-perovskites": "balanced"}

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_inputs(spec)
        spec.outline(
            cls.begin,
            while_(cls.has_unverified)(cls.verify_models, cls.inspect_verifications),
            if_(cls.makes_references)(
                cls.plan_references,
                while_(cls.has_batches)(cls.run_batches, cls.inspect_batches),
                cls.take_references,
            ),
            cls.plan_rows,
            while_(cls.has_batches)(cls.run_batches, cls.inspect_batches),
            cls.aggregate,
        )
        define_results(spec)

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check models, materials, references, protocols."""
        check_benchmark(inputs)

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        models: Mapping[str, tuple[AbstractCode | str, ModelData]],
        structures: Mapping[str, StructureData],
        protocol: str | None = None,
        *,
        references: Mapping[str, Mapping[str, StructureData | ArrayData | TrajectoryData]] | None = None,
        reference_model: tuple[AbstractCode | str, ModelData] | None = None,
        groups: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        reference_settings: Mapping[str, Any] | None = None,
        protocols: Mapping[str, Mapping[str, Any]] | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        :param models: by label, the Python of the model's environment (or its label) and which potential.
        :param structures: the unit cell of each material by its label.
        :param protocol: one of :meth:`get_available_protocols`.
        :param references: by material, any of ``structure``, ``force_constants`` and ``trajectory``.
        :param reference_model: makes the reference of the materials that ``references`` says nothing of.
        :param groups: by material, such as its halide.
        :param settings: changes of the protocol's settings, by section.
        :param reference_settings: the same of those that the reference is made by; they begin as the protocol's, with
            one run.
        :param protocols: several variants of the protocol by their labels, each its changes of the settings.
        :param overrides: other inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        check_reference_names(references or {})
        inputs = cls.get_protocol_inputs(protocol, overrides)
        (base,) = inputs.pop("protocols").values()
        base = merged(base, settings or {})
        name = (protocol or cls.get_default_protocol()).replace("-", "_")
        inputs["protocols"] = {label: merged(base, changes) for label, changes in (protocols or {name: {}}).items()}
        own = inputs.pop("reference_model", {}).get("settings", {})
        if reference_model is not None:
            code, model = reference_model
            made_by = merged(merged(base, own), reference_settings or {})
            inputs["reference_model"] = {
                "code": as_code(code),
                "model": model,
                "settings": Dict(validate_benchmark_settings(made_by)),
            }
        inputs |= {
            "codes": {label: as_code(code) for label, (code, _) in models.items()},
            "models": {label: model for label, (_, model) in models.items()},
            "structures": dict(structures),
            "references": references_by_kind(references or {}),
            **without_none(groups=None if groups is None else dict(groups)),
        }
        return cls.build(inputs, options)

    def begin(self) -> None:
        """Say what is to be done."""
        self.ctx.references, self.ctx.reference_missing = given_references(self.inputs), {}
        self.begin_verifications()
        self.ctx.batches, self.ctx.n_batches = [], 0

    def makes_references(self) -> bool:
        """Return whether references are to be made."""
        return bool(self.inputs.get("reference_model")) and bool(self._without_reference)

    def plan_references(self) -> None:
        """Find the references that were made before, and pack the others."""
        self._pack(REFERENCE, REFERENCE, self._without_reference)

    def take_references(self) -> None:
        """Let what the batches made be the reference of their materials."""
        rows = self.outputs["reference_rows"]
        self.ctx.references |= {label: reference_made(row) for label, row in rows.items()}
        self._discard_beginnings([label for label in rows if "trajectory" in self.ctx.references[label]])
        for label, row in rows.items():
            if row["missing"]:
                reason = "; ".join(dict.fromkeys(row["missing"].values()))
                self.ctx.reference_missing[label] = {
                    "reference_missing": f"the reference is not complete: {reason}",
                    "reference_unfinished": bool(row["unfinished"]),
                }

    def _discard_beginnings(self, labels: Sequence[str]) -> None:
        """Let the frames of runs be references without those that are to be discarded."""
        settings = self.inputs.reference_model.settings
        if settings["anharmonicity"]["discard"] == 0:
            return
        size = self.plan.parameters["materials_per_batch"]
        for first in range(0, len(labels), size):
            nodes = {f"trajectory_{label}": self.ctx.references[label]["trajectory"] for label in labels[first:][:size]}
            for name, node in call_once(self, f"settle_{first}", settle_references, settings, **nodes).items():
                self.ctx.references[name.removeprefix("frames_")]["trajectory"] = node

    def plan_rows(self) -> None:
        """Find the rows that were finished before, and pack the others."""
        for protocol in self.plan.protocols:
            for model in sorted(self.inputs.models):
                self._pack(model, protocol, sorted(self.inputs.structures))

    def has_batches(self) -> bool:
        """Return whether there are batches to run."""
        return bool(self.ctx.batches)

    def run_batches(self) -> ToContext:
        """Run as many batches as go at once, all on one computer."""
        first, *_ = self.ctx.batches[0]
        computer = self.plan.model(first)[0].computer.uuid
        here = [batch for batch in self.ctx.batches if self.plan.model(batch[0])[0].computer.uuid == computer]
        share = self.plan.share(first, len(here))
        now = here[: share.at_once]
        self.ctx.batches = [batch for batch in self.ctx.batches if batch not in now]
        self.ctx.running, children = {}, {}
        for model, protocol, materials in now:
            name = f"batch_{self.ctx.n_batches}"
            self.ctx.n_batches += 1
            try:
                children[name] = self._submit(model, protocol, materials, name, share.cores)
                self.ctx.running[name] = [model, protocol, materials]
            except ValueError as error:  # a crystal that a reference model has made, say, and that is none any more
                self._split(model, protocol, materials, str(error))
        self.report(f"{len(children)} batches begin, {len(self.ctx.batches)} are left")
        return ToContext(**children)

    def inspect_batches(self) -> None:
        """Take the rows; what a batch that broke down has not come to is tried again in two parts."""
        for name, (model, protocol, materials) in self.ctx.running.items():
            child = self.ctx[name]
            rows = dict(child.outputs.rows.items()) if "rows" in child.outputs else {}
            for material, row in rows.items():
                self._take(model, protocol, material, row)
            without_row = [material for material in materials if material not in rows]
            if child.is_killed:
                self._fail(model, protocol, dict.fromkeys(without_row, message_of(child)))
            elif without_row:
                self._split(model, protocol, without_row, message_of(child))

    def aggregate(self) -> None:
        """Draw up the tables."""
        rows = [row for named in self.outputs["rows"].values() for group in named.values() for row in group.values()]
        named = {f"row_{index}": row for index, row in enumerate(rows)}
        for name, node in call_once(self, "aggregate", aggregate_benchmark, **named).items():
            self.out(name, node)

    @property
    def plan(self) -> Plan:
        """What is asked for."""
        return Plan(self.inputs, self.ctx.references, self.ctx.reference_missing)

    @property
    def _without_reference(self) -> list[str]:
        given = given_references(self.inputs)
        return [label for label in sorted(self.inputs.structures) if label not in given]

    def _pack(self, model: str, protocol: str, materials: Sequence[str]) -> None:
        """Take the rows that are known already, and pack the materials of the others into batches."""
        plan = self.plan
        identities = plan.identities(model, protocol, materials)
        found = find_rows({material: identity["digest"] for material, identity in identities.items()})
        if found:
            self.report(f"{model}, {protocol}: {len(found)} of {len(materials)} materials were finished before")
        for material, row in found.items():
            self._take(model, protocol, material, row)
        unknown = [material for material in materials if material not in found]
        disbelieved = self.ctx.disbelieved.get(model)
        hopeless = {material: disbelieved or plan.unknown_elements(model, material) for material in unknown}
        self._fail(model, protocol, {material: reason for material, reason in hopeless.items() if reason})
        to_compute = [material for material in unknown if not hopeless[material]]
        if not to_compute:
            return
        size = plan.batch_size(model, len(to_compute))
        for first in range(0, len(to_compute), size):
            self.ctx.batches.append([model, protocol, to_compute[first : first + size]])

    def _submit(self, model: str, protocol: str, materials: Sequence[str], call: str, cores: int | None) -> ProcessNode:
        plan = self.plan
        code, potential = plan.model(model)
        inputs = AttributeDict({stage.NAMESPACE: self._job_inputs(stage, cores) for stage in STAGES.values()})
        references = {} if model == REFERENCE else {name: self.ctx.references.get(name, {}) for name in materials}
        inputs.update(
            code=code,
            model=potential,
            verification=self.ctx.verifications[model],
            structures={name: self.inputs.structures[name] for name in materials},
            references=references_by_kind(references),
            settings=Dict(plan.settings(protocol)),
            identities=Dict(plan.identities(model, protocol, materials)),
            metadata={"call_link_label": call},
        )
        return self.submit(BenchmarkBatchWorkChain, **inputs)

    def _job_inputs(self, stage: type[Stage], cores: int | None) -> AttributeDict:
        """Return how one kind of job runs, with so many cores where they are ours to choose."""
        inputs = AttributeDict(self.exposed_inputs(stage.CHAIN, stage.NAMESPACE, agglomerate=False))
        give_cores(inputs[stage.CHAIN.NAMESPACE], cores)
        return inputs

    def _split(self, model: str, protocol: str, materials: Sequence[str], reason: str) -> None:
        """Try materials again in two parts; one that is alone has failed."""
        if len(materials) == 1:
            self._fail(model, protocol, dict.fromkeys(materials, reason))
            return
        self.report(f"{len(materials)} materials failed with {model}, and are tried again in two parts: {reason}")
        self.ctx.batches += [[model, protocol, part] for part in halves(materials)]

    def _fail(self, model: str, protocol: str, reasons: Mapping[str, str]) -> None:
        """Give materials rows that say why nothing was computed of them."""
        if not reasons:
            return
        for material, reason in reasons.items():
            self.report(f"{material} failed with {model}: {reason}")
        identities = self.plan.identities(model, protocol, list(reasons))
        for material, row in explain_failed_materials(Dict(identities), Dict(dict(reasons))).items():
            self._take(model, protocol, material, row)

    def _take(self, model: str, protocol: str, material: str, row: Dict) -> None:
        """Attach a row; one that was found belongs to the group that is asked for now."""
        if model == REFERENCE:
            self.out(f"reference_rows.{material}", row)
            return
        group = self.plan.group(material)
        if row["group"] != group:
            row = regroup_row(row, Dict({"group": group}))
        self.out(f"rows.{model}.{protocol}.{material}", row)
