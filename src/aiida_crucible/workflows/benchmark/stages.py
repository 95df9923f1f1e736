"""The jobs of a batch of materials: what each kind is to run on, and what is taken from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from aiida.common.links import LinkType
from aiida.orm import Data, Dict, ProcessNode, StructureData, TrajectoryData

from aiida_crucible.analysis.benchmark.settings import (
    ANHARMONICITY,
    DYNAMICS,
    FORCES,
    PHONON,
    RELAX,
    dynamics_of_runs,
    run_labels,
    validate_benchmark_settings,
)
from aiida_crucible.analysis.dynamics.sweep_settings import temperature_label
from aiida_crucible.calculations import validation
from aiida_crucible.workflows.benchmark.batch_calcfunctions import (
    DISPLACED,
    FAILURES,
    FRAMES,
    START,
    SUPERCELL,
    TRAJECTORY,
    prepare_evaluation,
    prepare_runs,
)
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain, call_once
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain, did_not_converge, relaxed_of
from aiida_crucible.workflows.sweep.inputs import outcome_and_reason
from crucible_engine.wire.schema import EngineError

NAMES = {"structure": "structures", "force_constants": "force_constants", TRAJECTORY: "trajectories"}
"""What there may be of a reference, and the input that has it of all materials."""


class Stage:
    """One kind of job.

    :cvar SECTION: of the settings.
    :cvar CHAIN: what runs it.
    :cvar NAMESPACE: where the batch has its inputs.
    :cvar KINDS: inputs of the job of which the batch fills one.
    :param batch: whose materials it treats.
    """

    SECTION: ClassVar[str]
    CHAIN: ClassVar[type[EngineRestartWorkChain]]
    NAMESPACE: ClassVar[str]
    KINDS: ClassVar[tuple[str, ...]]

    def __init__(self, batch: CrucibleWorkChain) -> None:
        self.batch, self.ctx, self.inputs = batch, batch.ctx, batch.inputs
        self.settings = validate_benchmark_settings(batch.inputs.settings.get_dict())

    def prepare(self) -> list[str]:
        """Make what the job is to run on; return the materials that it has something of."""
        raise NotImplementedError

    def collect(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
        """Take what a job has of some materials; return those that it has failed for."""
        raise NotImplementedError

    def own_inputs(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the inputs of a job of some materials."""
        raise NotImplementedError

    def submit(self, labels: Sequence[str], name: str) -> ProcessNode:
        """Run a job of some materials.

        :param name: of this call.
        :raises ValueError: if AiiDA refuses the inputs of one of them.
        """
        own = {"parameters": Dict(self.settings[self.SECTION]), **self.own_inputs(labels)}
        return self.batch.submit_restarting(self.CHAIN, self.NAMESPACE, name, **own)

    def fail(self, label: str, section: str, reason: str) -> None:
        """Note why something of a material is missing."""
        self.batch.report(f"{section} of {label} failed: {reason}")
        self.ctx.failures[label][section] = reason

    def prepared(self, function: Callable[..., dict[str, Data]], nodes: Mapping[str, Data]) -> dict[str, Data]:
        """Return what a calcfunction makes of all materials; note of which it could make nothing."""
        if not nodes:
            return {}
        made = call_once(self.batch, f"prepare_{self.SECTION}", function, self.inputs.settings, **nodes)
        failures = made.pop(FAILURES, None)
        for section, reasons in {} if failures is None else failures.get_dict().items():
            for label, reason in reasons.items():
                self.fail(label, section, reason)
        return made


class RelaxStage(Stage):
    """Relaxes each material."""

    SECTION, CHAIN, NAMESPACE = RELAX, RelaxBaseWorkChain, "relax"
    KINDS = ("structures",)

    def prepare(self) -> list[str]:
        """Take all materials."""
        return sorted(self.inputs.structures)

    def own_inputs(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the unit cells."""
        return {"structures": {label: self.inputs.structures[label] for label in labels}}

    def collect(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
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


class ForcesStage(Stage):
    """Evaluates displaced supercells and the reference's frames."""

    SECTION, CHAIN, NAMESPACE = FORCES, EvaluateBaseWorkChain, "forces"
    KINDS = ("structures", "trajectory", "trajectories")

    def prepare(self) -> list[str]:
        """Displace what was relaxed, and thin the reference's frames where the settings ask for it."""
        nodes: dict[str, Data] = {}
        limit = self.settings[ANHARMONICITY]["frames"]
        for label in sorted(self.inputs.structures):
            reference = reference_of(self.inputs, label)
            if self.settings[PHONON] is not None and label in self.ctx.relaxed:
                nodes[f"structure_{label}"] = self.ctx.relaxed[label]
                nodes |= {f"reference_{name}_{label}": node for name, node in reference.items() if name != TRAJECTORY}
            trajectory = self._sound_frames(label, reference.get(TRAJECTORY))
            if trajectory is None:
                continue
            if limit is not None and limit < trajectory.numsteps:
                nodes[f"{TRAJECTORY}_{label}"] = trajectory
            else:
                self.ctx.frames[label] = trajectory
        for name, node in self.prepared(prepare_evaluation, nodes).items():
            kind, _, label = name.partition("_")
            self.ctx[kind][label] = node
        return sorted({*self.ctx.displaced, *self.ctx.frames})

    def own_inputs(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the frames."""
        return {"trajectories": {key: self.ctx[kind][label] for key, kind, label in self._frames(labels)}}

    def collect(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
        """Take the forces; of a job that failed those that it came to."""
        if "properties_of" in child.outputs:
            self.ctx.properties.update(child.outputs.properties_of)
        return sorted({label for key, _, label in self._frames(labels) if key not in self.ctx.properties})

    def _frames(self, labels: Sequence[str]) -> list[tuple[str, str, str]]:
        """Return the name that a job knows frames by, their kind, and their material."""
        kinds = (DISPLACED, FRAMES)
        return [(f"{label}_{kind}", kind, label) for kind in kinds for label in labels if label in self.ctx[kind]]

    def _sound_frames(self, label: str, trajectory: TrajectoryData | None) -> TrajectoryData | None:
        """Return the reference's frames of a material, unless no potential can mean them."""
        try:
            validation.check_trajectory(trajectory)
        except (ValueError, EngineError) as error:
            self.fail(label, FORCES, f"references.trajectories.{label}: {error}")
            return None
        return trajectory


class Run(NamedTuple):
    """An own run of a material in the job that holds those of a batch."""

    key: str
    material: str
    label: str
    start: StructureData | None
    temperature: float
    number: int


class DynamicsStage(Stage):
    """Runs the model's own molecular dynamics."""

    SECTION, CHAIN, NAMESPACE = DYNAMICS, DynamicsBaseWorkChain, "base"
    KINDS = ("structure", "structures")

    def prepare(self) -> list[str]:
        """Choose where own runs begin: in frames of the reference, or in a supercell of the relaxed crystal."""
        nodes: dict[str, Data] = {}
        for label in sorted(self.inputs.structures):
            trajectory = reference_of(self.inputs, label).get(TRAJECTORY)
            if trajectory is not None:
                nodes[f"{TRAJECTORY}_{label}"] = trajectory
                nodes[f"structure_{label}"] = self.inputs.structures[label]
            elif label in self.ctx.relaxed:
                nodes[f"structure_{label}"] = self.ctx.relaxed[label]
        self.ctx.starts = self.prepared(prepare_runs, nodes)
        return [label for label in sorted(self.inputs.structures) if self._start(label, 0) is not None]

    def own_inputs(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the structures of the replicas, and the temperatures of these."""
        runs = self._runs(labels)
        parameters = dynamics_of_runs(self.settings, [(run.temperature, run.number) for run in runs])
        return {"parameters": Dict(parameters), "structures": {run.key: run.start for run in runs}}

    def collect(self, child: ProcessNode, labels: Sequence[str]) -> list[str]:
        """Take the runs that are done; return the materials that lack one."""
        unfinished = set()
        # Each look at the outputs of a process is a query: here is a single one.
        outputs = child.base.links.get_outgoing(link_type=LinkType.RETURN).nested()
        summaries = outputs["results"]["summary"].get("replicas", {}) if "results" in outputs else {}
        trajectories = outputs.get("trajectories", {})
        for index, run in enumerate(self._runs(labels)):
            replica = f"replica_{index}"
            summary = summaries.get(replica, {})
            if "averages" not in summary:  # it was not done
                unfinished.add(run.material)
                continue
            self.ctx.runs[run.material][run.label] = outcome_and_reason(summary)
            if replica in trajectories:
                self.ctx.trajectories.setdefault(run.material, {})[run.label] = trajectories[replica]
        return sorted(unfinished)

    def _start(self, label: str, number: int) -> StructureData | None:
        """Return what an own run begins with."""
        starts = self.ctx.starts
        found: StructureData | None = starts.get(f"{START}_{number}_{label}") or starts.get(f"{SUPERCELL}_{label}")
        return found

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
            for position, (temperature, number) in enumerate(run_labels(self.settings))
        ]
        return sorted(runs, key=lambda run: run.key)


STAGES: dict[str, type[Stage]] = {stage.SECTION: stage for stage in (RelaxStage, ForcesStage, DynamicsStage)}
"""In the order in which they come."""


JOBS = tuple(f"{stage.NAMESPACE}.{stage.CHAIN.NAMESPACE}" for stage in STAGES.values())
"""Where the ports of the CalcJobs are."""


def references_by_kind(references: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what there is of references as the inputs have it.

    :param references: by material, by name of :data:`NAMES`.
    """
    found = {plural: {k: v[name] for k, v in references.items() if name in v} for name, plural in NAMES.items()}
    return {plural: nodes for plural, nodes in found.items() if nodes}


def reference_of(inputs: Any, label: str) -> dict[str, Any]:
    """Return what there is of a material's reference: ``structure``, ``force_constants``, ``trajectory``.

    :param inputs: of the batch.
    """
    given = inputs.get("references") or {}
    return {name: given[plural][label] for name, plural in NAMES.items() if label in (given.get(plural) or {})}
