"""How anharmonic a crystal is at a temperature, by a model and by a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_, while_
from aiida.orm import AbstractCode, ArrayData, Dict, ProcessNode, StructureData, TrajectoryData

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination
from aiida_crucible.analysis.anharmonicity.settings import validate_anharmonicity
from aiida_crucible.analysis.dynamics.sweep_settings import temperature_label
from aiida_crucible.nodes.anharmonicity_scores import frames_by_combination
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.anharmonicity.calcfunctions import (
    build_own_supercell,
    draw_start_frames,
    measure_anharmonicity,
    summarise_anharmonicity,
    thin_trajectory,
)
from aiida_crucible.workflows.anharmonicity.inputs import (
    check_combination_inputs,
    define_inputs,
    define_outputs,
    dynamics_of_run,
)
from aiida_crucible.workflows.common.concurrency import RunsInWaves, Share, choose_share
from aiida_crucible.workflows.common.protocols import merged, with_checked_arguments, without_none
from aiida_crucible.workflows.common.verified import VerifiedWorkChain
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.sweep.inputs import is_done, outcome_and_reason, outcome_of, outputs_of

FORCES_JOB = "forces"


class AnharmonicityWorkChain(VerifiedWorkChain, RunsInWaves):
    """Verify a model, and measure its anharmonicity score and a reference's with every set of force constants.

    Frames are those of a reference, at which the model's forces are evaluated in one job, and the model's own: runs
    that are given, or made here. Force constants are the reference's and the model's own: given, or computed here.
    Whatever the physics says is a result; what cannot be measured is told of in ``summary``, and the rest is measured.
    """

    JOBS = ("verify.verify", "phonon.relax.relax", "phonon.forces.evaluate", "forces.evaluate", "base.dynamics")
    VERIFY_PROTOCOLS: ClassVar[Mapping[str, str]] = {"double-perovskites": "balanced"}
    """The protocol of the verification and of the phonons, where its name is another one."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_inputs(spec)
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.lacks_force_constants)(cls.compute_phonons, cls.inspect_phonons),
            cls.plan,
            while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs),
            cls.measure,
            cls.summarise,
        )
        define_outputs(spec)
        spec.exit_code(322, "ERROR_PHONONS_FAILED", message="the phonons failed: {detail}")
        spec.exit_code(410, "ERROR_NOTHING_MEASURED", message="no anharmonicity could be measured: {detail}")

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of the crystal and of the reference's frames."""
        found = {"the structure": inputs["structure"].get_symbols_set()} if "structure" in inputs else {}
        trajectory = (inputs.get("reference") or {}).get("trajectory")
        return found if trajectory is None else {**found, "reference.trajectory": set(trajectory.symbols)}

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other: frames and force constants of the same crystal, and enough of both."""
        super().check_inputs(inputs)
        check_combination_inputs(inputs)

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Add those of the phonons' protocol of the same name."""
        phonon = PhononWorkChain.get_protocol_inputs(cls.VERIFY_PROTOCOLS.get(protocol, protocol))
        del phonon["verify"]
        return merged({"phonon": phonon}, super().with_children(protocol, inputs, overrides))

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData,
        protocol: str | None = None,
        *,
        force_constants: ArrayData | None = None,
        trajectories: Mapping[str, TrajectoryData] | None = None,
        reference: Mapping[str, StructureData | ArrayData | TrajectoryData] | None = None,
        temperatures: Sequence[float] | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run; ``builder.pop("base")`` leaves out own runs.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: the unit cell of a crystal.
        :param force_constants: the model's own; computed if ``None``.
        :param trajectories: own runs with forces, by labels such as ``T300``; made if ``None``.
        :param reference: any of ``structure``, ``force_constants`` and ``trajectory``.
        :param temperatures: of own runs, K; those of the protocol if ``None``.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        given = without_none(force_constants=force_constants, trajectories=trajectories, reference=reference)
        for name, replaced in (("force_constants", "phonon"), ("trajectories", "base")):
            if name in given:
                del inputs[replaced]
        if temperatures is not None:
            inputs["parameters"] = {**inputs["parameters"], "temperatures": list(temperatures)}
        return cls.build({**inputs, **given}, options, code=code, model=model, structure=structure)

    def lacks_force_constants(self) -> bool:
        """Return whether the model's own force constants are to be computed first."""
        self.ctx.structure = self.inputs.structure
        self.ctx.force_constants = self.inputs.get("force_constants")
        self.ctx.missing, self.ctx.runs, self.ctx.frames = {}, {}, {}
        self.ctx.no_constants = "no force constants of the model were asked for"
        return self.ctx.force_constants is None and "phonon" in self.inputs

    def compute_phonons(self) -> ToContext:
        """Compute the phonons; the model is not verified again."""
        return ToContext(phonon=self.submit_verified(PhononWorkChain, "phonon", self.inputs.structure))

    def inspect_phonons(self) -> ExitCode | None:
        """Attach the phonons; a crystal without force constants is a result."""
        child = self.ctx.phonon
        self.out_many(self.exposed_outputs(child, PhononWorkChain, namespace="phonon"))
        if not child.is_finished_ok:
            return self.failure("ERROR_PHONONS_FAILED", message_of(child))
        if "force_constants" in child.outputs:
            self.ctx.force_constants = child.outputs.force_constants
            self.ctx.structure = child.outputs.structure if "structure" in child.outputs else self.ctx.structure
        else:
            self.ctx.no_constants = child.outputs.summary["reason"]
        return None

    def plan(self) -> None:
        """Say what is to be run and evaluated, and how many jobs go at once."""
        self.ctx.next_job, self.ctx.starts = 0, {}
        trajectory = self._reference.get("trajectory")
        if trajectory is not None:
            limit = self._settings["frames"]
            if limit is not None and limit < trajectory.numsteps:
                trajectory = thin_trajectory(trajectory, self.inputs.parameters)
                self.out("frames", trajectory)
            self.ctx.reference_frames = trajectory
        if self._makes_runs:
            if trajectory is not None:
                self.ctx.starts = draw_start_frames(trajectory, self.inputs.parameters, self.ctx.structure)
            else:
                supercell = build_own_supercell(self.ctx.structure, self.inputs.parameters)
                self.ctx.starts = {f"run_{index}": supercell for index in range(self._settings["n_runs"])}
        for label, node in (self.inputs.get("trajectories") or {}).items():
            self.ctx.frames[label] = node
            outcome = outcome_of(node)
            if outcome is not None:
                self.ctx.runs[label] = outcome

    def job_names(self) -> list[str]:
        """Return the job at the reference's frames, and the own runs."""
        forces = [FORCES_JOB] if "trajectory" in self._reference else []
        return [*forces, *sorted(self.ctx.starts, key=_run_number)]

    def share(self) -> Share:
        """Return how many jobs run at once."""
        job = self.inputs.base.dynamics if self._makes_runs else self.inputs.forces.evaluate
        return choose_share(self.inputs.code, job, len(self.job_names()), self._settings["max_concurrent"])

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Evaluate the reference's frames, or make an own run."""
        if name == FORCES_JOB:
            frames = self.ctx.reference_frames
            return self.submit_restarting(EvaluateBaseWorkChain, "forces", name, cores, trajectory=frames)
        shared = self.inputs.base.dynamics.parameters.get_dict()
        own = {
            "structure": self.ctx.starts[name],
            "parameters": Dict(dynamics_of_run(shared, self._settings, _run_number(name))),
        }
        return self.submit_restarting(DynamicsBaseWorkChain, "base", name, cores, **own)

    def inspect_jobs(self) -> None:
        """Attach what came of the jobs; what failed is told of and loses nothing else."""
        for name in self.ctx.running:
            child = self.ctx[name]
            if name == FORCES_JOB:
                self._inspect_forces(child)
            else:
                self._inspect_run(name, child)

    def measure(self) -> None:
        """Measure every combination that there are frames and force constants for."""
        self.ctx.scores = {}
        given = frames_by_combination(self.ctx.get("reference_frames"), self.ctx.get("properties"), self.ctx.frames)
        for combination, frames in given:
            own = combination.constants == OWN
            place = {"structure": self.ctx.structure, "force_constants": self.ctx.force_constants}
            constants = place if own else self._reference
            if constants.get("force_constants") is None:
                if own:
                    self.ctx.missing[combination.label] = self.ctx.no_constants
                continue
            origin = self._origin_of(combination)
            found = measure_anharmonicity(
                constants["structure"],
                constants["force_constants"],
                self.inputs.parameters,
                Dict(combination.as_dict()),
                Dict(self.ctx.runs),
                **({} if origin is None else {"origin": origin}),
                **frames,
            )
            for name, node in found.items():
                self.out(f"{name}s.{combination.label}" if name == "score" else f"{name}.{combination.label}", node)
            self.ctx.scores[combination.label] = found["score"]

    def summarise(self) -> ExitCode | None:
        """Say what the combinations tell together; fail only if there is not one."""
        self.out_many(summarise_anharmonicity(Dict(self.ctx.missing), Dict(self.ctx.runs), **self.ctx.scores))
        if self.ctx.scores:
            return None
        reasons = [*self.ctx.missing.values(), *(run["reason"] for run in self.ctx.runs.values())]
        return self.failure("ERROR_NOTHING_MEASURED", reasons[0])

    @property
    def _settings(self) -> dict[str, Any]:
        return validate_anharmonicity(self.inputs.parameters.get_dict())

    @property
    def _reference(self) -> Mapping[str, Any]:
        return self.inputs.get("reference") or {}

    @property
    def _makes_runs(self) -> bool:
        return bool(self.inputs.get("base")) and not self.inputs.get("trajectories")

    def _inspect_forces(self, child: ProcessNode) -> None:
        if child.is_finished_ok:
            self.ctx.properties = child.outputs.properties
            self.out("properties", child.outputs.properties)
            return
        self.report(f"the forces at the reference's frames failed: {message_of(child)}")
        for constants in (OWN, REFERENCE):
            self.ctx.missing[Combination(OWN, REFERENCE, constants).label] = message_of(child)

    def _inspect_run(self, name: str, child: ProcessNode) -> None:
        for index, temperature in enumerate(self._settings["temperatures"]):
            label, replica = f"{temperature_label(temperature)}_{name}", f"replica_{index}"
            if not is_done(child, replica):
                self.report(f"{label} failed: {message_of(child)}")
                self.ctx.runs[label] = {"outcome": "failed", "reason": message_of(child)}
                continue
            self.ctx.runs[label] = outcome_and_reason(child.outputs.results["summary"]["replicas"][replica])
            trajectory = outputs_of(child, replica).get("trajectory")
            if trajectory is not None:
                self.out(f"trajectories.{label}", trajectory)
                self.ctx.frames[label] = trajectory

    def _origin_of(self, combination: Combination) -> StructureData | None:
        """Return the unit cell of the crystal that frames belong to: own runs from a reference's frames are in its."""
        is_of_reference = combination.frames == REFERENCE or ("reference_frames" in self.ctx and self._makes_runs)
        origin: StructureData | None = self._reference.get("structure") if is_of_reference else self.ctx.structure
        return origin


def _run_number(name: str) -> int:
    return int(name.rpartition("_")[2])
