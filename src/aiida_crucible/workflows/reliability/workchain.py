"""Can this model be trusted with this material? Relaxed phases, phonons, a temperature sweep, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, Dict, ProcessNode, StructureData, TrajectoryData

from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES
from aiida_crucible.analysis.verdict.headline import TITLES
from aiida_crucible.analysis.verdict.reliability import MAIN, check_reference
from aiida_crucible.calculations import validation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from aiida_crucible.workflows.common.protocols import (
    merged,
    with_checked_arguments,
    without_none,
)
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.relax.base import RelaxingWorkChain
from aiida_crucible.workflows.reliability.calcfunctions import assess_reliability, judge_model
from aiida_crucible.workflows.reliability.inputs import require_other_crystals, require_temperatures
from aiida_crucible.workflows.reliability.ports import define_inputs, define_outputs
from aiida_crucible.workflows.sweep.inputs import check_crystal_inputs
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain


class ReliabilityWorkChain(RelaxingWorkChain):
    """Verify a model, relax a crystal and its competing phases in one job, compute its phonons, run it when hot.

    Ends with exit status 0 whatever the physics says; ``summary`` has the answer to each question, its reason and its
    evidence. Only a job that failed for another reason makes the WorkChain fail.
    """

    JOBS = ("verify.verify", "relax.relax", "phonon.forces.evaluate", "sweep.base.dynamics", "sweep.members.evaluate")
    SWEEP_PROTOCOLS: ClassVar[Mapping[str, str]] = {"pto-test": "pto-test-npt", "pto-test-small": "pto-test-npt-small"}
    """The sweep's protocol, where its name is another one."""
    VERIFY_PROTOCOLS: ClassVar[Mapping[str, str]] = {"pto-test-small": "pto-test"}

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_inputs(spec)
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.relax,
            cls.inspect_relaxation,
            if_(cls.is_relaxed)(
                cls.run_crystal,
                cls.inspect_crystal,
                if_(cls.has_forces)(cls.measure_anharmonicity, cls.inspect_anharmonicity),
            ),
            cls.assess,
        )
        define_outputs(spec)
        spec.exit_code(322, "ERROR_PHONONS_FAILED", message="the phonons failed: {detail}")
        spec.exit_code(323, "ERROR_SWEEP_FAILED", message="the temperature sweep failed: {detail}")

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each phase."""
        return validation.symbols_of(_phases(inputs))

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other: compositions, and the names in the reference."""
        super().check_inputs(inputs)
        if "structure" in inputs:
            wanted = _reduced_formula(inputs["structure"])
            for name, structure in inputs.get("competing", {}).items():
                if (found := _reduced_formula(structure)) != wanted:
                    raise ValueError(
                        f"competing phase {name!r} is {found}, but the structure is {wanted}: their energies cannot be "
                        f"compared; give a phase of {wanted}, or leave it out"
                    )
            require_other_crystals(inputs["structure"], inputs.get("competing", {}))
            if "sweep" in inputs:
                check_crystal_inputs({**inputs["sweep"], "structure": inputs["structure"]})
        if "reference" in inputs:
            check_reference(inputs["reference"].get_dict(), set(inputs.get("competing", {})))

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Add those of the phonons' protocol of the same name, its relaxation for all phases.

        Those of a sweep are among them only where overrides speak of one.
        """
        phonon = PhononWorkChain.get_protocol_inputs(cls.VERIFY_PROTOCOLS.get(protocol, protocol))
        del phonon["verify"]
        own = super().with_children(protocol, inputs, overrides)
        inputs = {"relax": phonon.pop("relax"), "phonon": phonon, **own}
        if "sweep" in overrides:
            require_temperatures(overrides["sweep"])
            sweep = TemperatureSweepWorkChain.get_protocol_inputs(cls.SWEEP_PROTOCOLS.get(protocol, protocol))
            sweep["base"]["dynamics"]["parameters"]["frame_forces"] = True  # for the anharmonicity
            inputs["sweep"] = {name: value for name, value in sweep.items() if name not in ("verify", "relax")}
        return inputs

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
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

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: the crystal in question.
        :param competing: other phases of the same composition, by name.
        :param reference: what to compare with, see the port's help.
        :param temperatures: K; where given, a temperature sweep is a part of it.
        """
        if temperatures is not None:
            overrides = merged(overrides or {}, {"sweep": {"parameters": {"temperatures": list(temperatures)}}})
        inputs = cls.get_protocol_inputs(protocol, overrides)
        if "sweep" in inputs:
            inputs["sweep"] = TemperatureSweepWorkChain.without_members(inputs["sweep"], model)
        inputs |= without_none(competing=competing, reference=reference)
        return cls.build(inputs, options, code=code, model=model, structure=structure)

    def relax(self) -> ToContext:
        """Relax all phases in one job."""
        return self.submit_relaxation(_phases(self.inputs))

    def inspect_relaxation(self) -> ExitCode | None:
        """Attach and summarise the relaxed phases; one that did not relax is a result."""
        if (failure := self.take_relaxation()) is not None:
            return failure
        self.out("relaxed", self.ctx.relaxed)
        self.out("relaxation", self.ctx.relaxation_summary)
        return None

    def is_relaxed(self) -> bool:
        """Return whether the crystal in question reached its minimum."""
        return bool(self.ctx.relaxation_summary["structures"][MAIN]["outcome"] == "converged")

    def run_crystal(self) -> ToContext:
        """Compute the phonons of the relaxed crystal and run it when hot; the model is not verified again."""
        chains = {"phonon": PhononWorkChain, "sweep": TemperatureSweepWorkChain}
        asked = {name: chain for name, chain in chains.items() if name in self.inputs}
        crystal = self.ctx.relaxed[MAIN]
        return ToContext(**{name: self.submit_verified(chain, name, crystal) for name, chain in asked.items()})

    def inspect_crystal(self) -> ExitCode | None:
        """Attach the phonons and the sweep."""
        self.out_many(self.exposed_outputs(self.ctx.phonon, PhononWorkChain, namespace="phonon"))
        if "sweep" in self.ctx:
            self.out_many(self.exposed_outputs(self.ctx.sweep, TemperatureSweepWorkChain, namespace="sweep"))
        for name, label in (("phonon", "ERROR_PHONONS_FAILED"), ("sweep", "ERROR_SWEEP_FAILED")):
            if name in self.ctx and not self.ctx[name].is_finished_ok:
                return self.failure(label, message_of(self.ctx[name]))
        return None

    def has_forces(self) -> bool:
        """Return whether there are force constants, and hot runs that kept their forces."""
        if "sweep" not in self.ctx or "force_constants" not in self.ctx.phonon.outputs:
            return False
        return bool(_runs_with_forces(self.ctx.sweep))

    def measure_anharmonicity(self) -> ToContext | None:
        """Measure how anharmonic the hot runs were by the model's own force constants; nothing is run anew."""
        phonon, settings = self.ctx.phonon.outputs, self.inputs.anharmonicity.get_dict()
        discarded = self.inputs.sweep.base.dynamics.parameters.get_dict().get("average_from") or 0.0
        try:
            builder = AnharmonicityWorkChain.get_builder_from_protocol(
                self.inputs.code,
                self.inputs.model,
                phonon.structure if "structure" in phonon else self.ctx.relaxed[MAIN],
                force_constants=phonon.force_constants,
                trajectories=_runs_with_forces(self.ctx.sweep),
                overrides={"parameters": {**settings, "discard": max(settings["discard"], discarded)}},
            )
        except ValueError as error:  # frames that are no longer of the crystal, which is a result
            self.report(f"the anharmonicity is not measured: {error}")
            return None
        builder.verification = self.ctx.verification
        return ToContext(anharmonicity=self.submit(builder))

    def inspect_anharmonicity(self) -> None:
        """Attach the scores; without them the verdict says so."""
        child = self.ctx.get("anharmonicity")
        if child is None:
            return
        self.out_many(self.exposed_outputs(child, AnharmonicityWorkChain, namespace="anharmonicity"))
        if not child.is_finished_ok:
            self.report(f"the anharmonicity was not measured: {message_of(child)}")

    def assess(self) -> None:
        """Answer the questions, and say what the answers tell of the model."""
        evidence = without_none(
            phonons=self.ctx.phonon.outputs.summary if "phonon" in self.ctx else None,
            sweep=self.ctx.sweep.outputs.summary if "sweep" in self.ctx else None,
            reference=self.inputs.get("reference"),
        )
        relaxation, thresholds = self.ctx.relaxation_summary, self.inputs.thresholds
        summary = assess_reliability(relaxation, thresholds, self.ctx.verification, **evidence)
        self.out("summary", summary)
        child, sweep = self.ctx.get("anharmonicity"), self.ctx.get("sweep")
        evidence = without_none(
            reference=self.inputs.get("reference"),
            supercell=sweep.outputs.supercell if sweep is not None and "supercell" in sweep.outputs else None,
            anharmonicity=child.outputs.summary if child is not None and "summary" in child.outputs else None,
        )
        verdict = judge_model(self.inputs.structure, self.inputs.model, summary, relaxation, **evidence)
        self.out("verdict", verdict)
        for name, question in verdict["questions"].items():
            self.report(f"{TITLES[name]}: {question['judgement']}, {question['text']}")
        self.report(verdict["headline"])


def _runs_with_forces(sweep: ProcessNode) -> dict[str, TrajectoryData]:
    """Return the runs of a sweep that kept the crystal and whose frames have forces, by temperature's label."""
    outcomes = sweep.outputs.summary["outcomes"]
    found = {
        label: run["trajectory"]
        for label, run in (sweep.outputs.runs if "runs" in sweep.outputs else {}).items()
        if "trajectory" in run
    }
    kept = {label: node for label, node in found.items() if outcomes.get(label) in CRYSTAL_OUTCOMES}
    return {label: node for label, node in kept.items() if "forces" in node.get_arraynames()}


def _phases(inputs: Mapping[str, Any]) -> dict[str, StructureData]:
    main = {MAIN: inputs["structure"]} if "structure" in inputs else {}
    return {**main, **inputs.get("competing", {})}


def _reduced_formula(structure: StructureData) -> str:
    return str(structure.get_formula(mode="hill_compact"))
