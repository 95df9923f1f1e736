"""Some materials with one model, packed: one job of each kind for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiida.common import AttributeDict
from aiida.common.links import LinkType
from aiida.engine import ProcessSpec, ToContext, while_
from aiida.orm import Data, Dict, ProcessNode, StructureData, TrajectoryData

from aiida_crucible.analysis.anharmonicity_settings import temperature_of
from aiida_crucible.analysis.benchmark_rows import lost_runs
from aiida_crucible.analysis.benchmark_settings import (
    ANHARMONICITY,
    DYNAMICS,
    FORCES,
    PHONON,
    RELAX,
    dynamics_of_runs,
    run_labels,
    validate_benchmark_settings,
)
from aiida_crucible.analysis.sweep_settings import temperature_label
from aiida_crucible.calcfunctions.benchmark_batches import (
    DISPLACED,
    FAILURES,
    FRAMES,
    TRAJECTORY,
    prepare_evaluation,
    prepare_runs,
)
from aiida_crucible.calcfunctions.benchmark_materials import explain_failed_material, measure_material, why
from aiida_crucible.calculations import validation
from aiida_crucible.workflows.base.dynamics import DynamicsBaseWorkChain
from aiida_crucible.workflows.base.evaluate import EvaluateBaseWorkChain
from aiida_crucible.workflows.base.relax import RelaxBaseWorkChain
from aiida_crucible.workflows.benchmark_batch_ports import (
    check_references,
    define_jobs,
    define_materials,
    define_results,
)
from aiida_crucible.workflows.verified import VerifiedWorkChain, did_not_converge, message_of, relaxed_of
from crucible_engine.schema import EngineError


class Run(NamedTuple):
    """An own run of a material in the job that holds those of a batch."""

    key: str
    material: str
    label: str
    start: StructureData | None
    temperature: float
    number: int


class BenchmarkBatchWorkChain(VerifiedWorkChain):
    """Relax some materials, evaluate their supercells and a reference's frames, run their dynamics, measure each.

    Each kind of job is one for all materials. A job that fails for good is split until the material that it fails for
    is alone; that one's row says why, and the others go on.
    """

    JOBS = ("verify.verify", "relax.relax", "forces.evaluate", "base.dynamics")

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_materials(spec)
        spec.input(
            "settings",
            valid_type=Dict,
            serializer=validation.settings_serializer("settings", validate_benchmark_settings),
            validator=validation.validator(validation.settings_check(validate_benchmark_settings)),
            help="How each material is treated, see `aiida_crucible.analysis.benchmark_settings.SECTIONS`.",
        )
        spec.input(
            "identities",
            valid_type=Dict,
            help="By label what tells a row from others, see `aiida_crucible.analysis.benchmark_rows.IDENTITY`.",
        )
        define_jobs(spec)
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.begin,
            while_(cls.has_stage)(
                cls.prepare_stage,
                while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs),
            ),
            while_(cls.has_unmeasured)(cls.measure_next),
        )
        define_results(spec)

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each material."""
        return validation.symbols_of(inputs.get("structures"))

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that references belong to materials."""
        super().check_inputs(inputs)
        check_references(inputs)

    def begin(self) -> None:
        """Say what is to be done."""
        settings = self._settings
        self.ctx.stages = [name for name in (RELAX, FORCES, DYNAMICS) if settings[name] is not None]
        self.ctx.unmeasured = sorted(self.inputs.structures)
        for name in ("relaxed", DISPLACED, FRAMES, "properties", "starts", "trajectories"):
            self.ctx[name] = {}
        for name in ("failures", "runs", "outcomes"):
            self.ctx[name] = {label: {} for label in self.ctx.unmeasured}
        if settings[RELAX] is None:
            self.ctx.relaxed = dict(self.inputs.structures)

    def has_stage(self) -> bool:
        """Return whether a kind of job is left to run."""
        return bool(self.ctx.stages)

    def prepare_stage(self) -> None:
        """Make what the next kind of job is to run on."""
        self.ctx.stage, *self.ctx.stages = self.ctx.stages
        labels = {RELAX: self._to_relax, FORCES: self._to_evaluate, DYNAMICS: self._to_run}[self.ctx.stage]()
        self.ctx.queue = [labels] if labels else []
        self.ctx.n_jobs = 0

    def has_jobs(self) -> bool:
        """Return whether there are jobs to run."""
        return bool(self.ctx.queue)

    def run_jobs(self) -> ToContext:
        """Run the job of all materials, or those that it was split into."""
        submit = {RELAX: self._relax, FORCES: self._evaluate, DYNAMICS: self._run_dynamics}[self.ctx.stage]
        self.ctx.running = {}
        children, refused = {}, []
        for labels in self.ctx.queue:
            name = f"{self.ctx.stage}_{self.ctx.n_jobs}"
            self.ctx.n_jobs += 1
            try:
                children[name] = submit(labels, name)
                self.ctx.running[name] = labels
            except ValueError as error:  # inputs of one of them that AiiDA refuses
                refused += self._split(labels, str(error))
        self.ctx.queue = refused
        return ToContext(**children)

    def inspect_jobs(self) -> None:
        """Take what there is; what failed is tried again in parts, and of a single material told of."""
        collect = {RELAX: self._collect_relaxed, FORCES: self._collect_forces, DYNAMICS: self._collect_runs}
        for name, labels in self.ctx.running.items():
            child = self.ctx[name]
            self.ctx.queue += self._split(collect[self.ctx.stage](child, labels), message_of(child))

    def has_unmeasured(self) -> bool:
        """Return whether a material has not been measured yet."""
        return bool(self.ctx.unmeasured)

    def measure_next(self) -> None:
        """Measure a material: one a step, so that a worker that is stopped measures none twice."""
        label, *self.ctx.unmeasured = self.ctx.unmeasured
        reference = self._reference(label)
        given: dict[str, Data | None] = {
            **{f"reference_{name}": node for name, node in reference.items()},
            "structure": self.ctx.relaxed.get(label),
            "displaced_properties": self.ctx.properties.get(f"{label}_{DISPLACED}"),
            "properties": self.ctx.properties.get(f"{label}_{FRAMES}"),
            **self._crystalline_runs(label),
        }
        if label in self.ctx.frames:
            given["reference_trajectory"] = self.ctx.frames[label]
        identity = {
            **self.inputs.identities[label],
            "failures": self.ctx.failures[label],
            "runs": self.ctx.runs[label],
            "phonons": self.ctx.outcomes[label] or None,
        }
        nodes = {name: node for name, node in given.items() if node is not None}
        try:
            row = measure_material(Dict(identity), self.inputs.settings, **nodes)["row"]
        except Exception as error:  # whatever a library has against a crystal: it is no other one's matter
            self._fail(label, ANHARMONICITY, why(error))
            row = explain_failed_material(Dict(identity), Dict({"reason": why(error)}))
        self.out(f"rows.{label}", row)

    def _split(self, labels: Sequence[str], reason: str) -> list[list[str]]:
        """Return the parts in which materials are tried again; note the reason of one that is alone."""
        if len(labels) == 1:
            self._fail(labels[0], self.ctx.stage, reason)
        if len(labels) < 2:
            return []
        self.report(f"{self.ctx.stage} of {len(labels)} materials failed, and is tried again in two parts: {reason}")
        half = (len(labels) + 1) // 2
        return [list(labels[:half]), list(labels[half:])]

    def _fail(self, label: str, section: str, reason: str) -> None:
        self.report(f"{section} of {label} failed: {reason}")
        self.ctx.failures[label][section] = reason

    def _prepared(self, function: Callable[..., dict[str, Data]], nodes: Mapping[str, Data]) -> dict[str, Data]:
        """Return what a calcfunction makes of all materials; note of which it could make nothing."""
        if not nodes:
            return {}
        made = function(self.inputs.settings, **nodes)
        failures = made.pop(FAILURES, None)
        for section, reasons in {} if failures is None else failures.get_dict().items():
            for label, reason in reasons.items():
                self._fail(label, section, reason)
        return made

    def _crystalline_runs(self, label: str) -> dict[str, TrajectoryData]:
        """Return the own runs of a material at the temperatures at which none of them has lost its crystal."""
        runs: dict[str, TrajectoryData] = self.ctx.trajectories.get(label, {})
        return {name: node for name, node in runs.items() if not lost_runs(self.ctx.runs[label], temperature_of(name))}

    @property
    def _settings(self) -> dict[str, Any]:
        return validate_benchmark_settings(self.inputs.settings.get_dict())

    def _reference(self, label: str) -> dict[str, Any]:
        """Return what there is of a material's reference: ``structure``, ``force_constants``, ``trajectory``."""
        given = self.inputs.get("references") or {}
        names = {"structure": "structures", "force_constants": "force_constants", "trajectory": "trajectories"}
        return {name: given[plural][label] for name, plural in names.items() if label in (given.get(plural) or {})}

    def _to_relax(self) -> list[str]:
        return sorted(self.inputs.structures)

    def _relax(self, labels: Sequence[str], name: str) -> ProcessNode:
        inputs = self._inputs(RelaxBaseWorkChain, "relax", name)
        structures = {label: self.inputs.structures[label] for label in labels}
        inputs.relax.update(**self._shared(RELAX), structures=structures)
        return self.submit(RelaxBaseWorkChain, **inputs)

    def _collect_relaxed(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
        """Take the structures that converged; one that did not has no phonons, which is a result."""
        if not child.is_finished_ok and not did_not_converge(child):
            return list(labels)
        summaries = child.outputs.results["summary"]["structures"]
        relaxed = relaxed_of(child)
        for label in labels:
            outcome = summaries[label]["outcome"]
            if outcome == "converged":
                self.ctx.relaxed[label] = relaxed[label]
            else:
                reason = f"the crystal could not be relaxed ({outcome}), so that it has no phonons"
                self.ctx.outcomes[label] = {"outcome": "not-relaxed", "reason": reason}
        return []

    def _to_evaluate(self) -> list[str]:
        """Displace what was relaxed, and thin the reference's frames where the settings ask for it."""
        settings, nodes = self._settings, {}
        limit = settings[ANHARMONICITY]["frames"]
        for label in sorted(self.inputs.structures):
            reference = self._reference(label)
            if settings[PHONON] is not None and label in self.ctx.relaxed:
                nodes[f"structure_{label}"] = self.ctx.relaxed[label]
                nodes |= {f"reference_{name}_{label}": node for name, node in reference.items() if name != TRAJECTORY}
            trajectory = self._sound_frames(label)
            if trajectory is None:
                continue
            if limit is not None and limit < trajectory.numsteps:
                nodes[f"{TRAJECTORY}_{label}"] = trajectory
            else:
                self.ctx.frames[label] = trajectory
        for name, node in self._prepared(prepare_evaluation, nodes).items():
            kind, _, label = name.partition("_")
            self.ctx[kind][label] = node
        return sorted({*self.ctx.displaced, *self.ctx.frames})

    def _sound_frames(self, label: str) -> TrajectoryData | None:
        """Return the reference's frames of a material, unless no potential can mean them."""
        trajectory: TrajectoryData | None = self._reference(label).get("trajectory")
        try:
            validation.check_trajectory(trajectory)
        except (ValueError, EngineError) as error:
            self._fail(label, FORCES, f"references.trajectories.{label}: {error}")
            return None
        return trajectory

    def _evaluate(self, labels: Sequence[str], name: str) -> ProcessNode:
        inputs = self._inputs(EvaluateBaseWorkChain, "forces", name)
        kinds = {kind: self.ctx[kind] for kind in (DISPLACED, FRAMES)}
        trajectories = {
            f"{label}_{kind}": nodes[label] for kind, nodes in kinds.items() for label in labels if label in nodes
        }
        inputs.evaluate.update(**self._shared(FORCES), trajectories=trajectories)
        return self.submit(EvaluateBaseWorkChain, **inputs)

    def _collect_forces(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
        """Take the forces; of a job that failed those that it came to."""
        if "properties_of" in child.outputs:
            self.ctx.properties.update(child.outputs.properties_of)
        kinds = {kind: self.ctx[kind] for kind in (DISPLACED, FRAMES)}
        return [
            label
            for label in labels
            if any(label in nodes and f"{label}_{kind}" not in self.ctx.properties for kind, nodes in kinds.items())
        ]

    def _to_run(self) -> list[str]:
        """Choose where own runs begin: in frames of the reference, or in a supercell of the relaxed crystal."""
        nodes: dict[str, Data] = {}
        for label in sorted(self.inputs.structures):
            trajectory = self._reference(label).get(TRAJECTORY)
            if trajectory is not None:
                nodes[f"{TRAJECTORY}_{label}"] = trajectory
            elif label in self.ctx.relaxed:
                nodes[f"structure_{label}"] = self.ctx.relaxed[label]
        self.ctx.starts = self._prepared(prepare_runs, nodes)
        return [label for label in sorted(self.inputs.structures) if self._start(label, 0) is not None]

    def _start(self, label: str, number: int) -> StructureData | None:
        """Return what an own run begins with."""
        starts = self.ctx.starts
        found: StructureData | None = starts.get(f"start_{label}_run_{number}") or starts.get(f"start_{label}")
        return found

    def _run_dynamics(self, labels: Sequence[str], name: str) -> ProcessNode:
        inputs = self._inputs(DynamicsBaseWorkChain, "base", name)
        runs = self._runs(labels)
        parameters = dynamics_of_runs(self._settings, [(run.temperature, run.number) for run in runs])
        shared = {**self._shared(DYNAMICS), "parameters": Dict(parameters)}
        inputs.dynamics.update(**shared, structures={run.key: run.start for run in runs})
        return self.submit(DynamicsBaseWorkChain, **inputs)

    def _collect_runs(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
        """Take the runs that are done; return the materials that lack one."""
        left = set()
        # Each look at the outputs of a process is a query: here is a single one.
        outputs = child.base.links.get_outgoing(link_type=LinkType.RETURN).nested()
        summaries = outputs["results"]["summary"].get("replicas", {}) if "results" in outputs else {}
        trajectories = outputs.get("trajectories", {})
        for index, run in enumerate(self._runs(labels)):
            replica = f"replica_{index}"
            summary = summaries.get(replica, {})
            if "averages" not in summary:  # it was not done
                left.add(run.material)
                continue
            self.ctx.runs[run.material][run.label] = {
                "outcome": summary["outcome"],
                "reason": summary["evidence"]["reason"],
            }
            if replica in trajectories:
                self.ctx.trajectories.setdefault(run.material, {})[run.label] = trajectories[replica]
        return sorted(left)

    def _runs(self, labels: Sequence[str]) -> list[Run]:
        """Return the own runs of some materials in the order of a job's replicas: of the sorted keys."""
        runs = [
            Run(
                f"{label}_{temperature_label(temperature)}_run_{number}",
                label,
                f"{temperature_label(temperature)}_run_{number}",
                self._start(label, number),
                temperature,
                position,
            )
            for label in labels
            for position, (temperature, number) in enumerate(run_labels(self._settings))
        ]
        return sorted(runs, key=lambda run: run.key)

    def _inputs(self, chain: type, namespace: str, name: str) -> AttributeDict:
        inputs = AttributeDict(self.exposed_inputs(chain, namespace))
        inputs.metadata.call_link_label = name
        return inputs

    def _shared(self, section: str) -> dict[str, Any]:
        return {
            "code": self.inputs.code,
            "model": self.inputs.model,
            "parameters": Dict(self._settings[section]),
        }
