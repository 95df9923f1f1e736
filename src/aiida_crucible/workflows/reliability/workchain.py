"""Can this model be trusted with this material? Relaxed phases, phonons, a temperature sweep, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, Dict, StructureData, to_aiida_type

from aiida_crucible.analysis.verdict.reliability import MAIN, check_reference, validate_thresholds
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.protocols import (
    merged,
    with_checked_arguments,
    without_none,
)
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain, check_crystal
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain, RelaxingWorkChain
from aiida_crucible.workflows.reliability.calcfunctions import assess_reliability
from aiida_crucible.workflows.reliability.inputs import (
    check_competing,
    require_other_crystals,
    require_temperatures,
)
from aiida_crucible.workflows.sweep.inputs import check_crystal_inputs
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain


class ReliabilityWorkChain(RelaxingWorkChain):
    """Verify a model, relax a crystal and its competing phases in one job, compute its phonons, run it when hot.

    Ends with exit status 0 whatever the physics says; ``summary`` has the answer to each question, its reason and its
    evidence. Only a job that failed for another reason makes the WorkChain fail.
    """

    JOBS = ("verify.verify", "relax.relax", "phonon.forces.evaluate", "sweep.base.dynamics")
    SWEEP_PROTOCOLS: ClassVar[Mapping[str, str]] = {"pto-test": "pto-test-npt"}
    """The sweep's protocol, where its name is another one."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input(
            "structure",
            valid_type=StructureData,
            validator=validation.validator(check_crystal),
            help="The crystal in question.",
        )
        spec.input_namespace(
            "competing",
            valid_type=StructureData,
            dynamic=True,
            required=False,
            validator=validation.validator(check_competing),
            help="Other phases of the same composition, by name.",
        )
        spec.input(
            "reference",
            valid_type=Dict,
            required=False,
            serializer=to_aiida_type,
            help="What to compare with: `source` (text), `lattice` (any of a, b, c, alpha, beta, gamma, c_over_a, "
            "volume of the structure's conventional cell; Å, degrees, Å³ a formula unit), `energy_differences` (eV a "
            "formula unit above the structure, by the names of the competing phases), `transition_temperature` (K).",
        )
        settings_input(
            spec, "thresholds", validate_thresholds, "See `aiida_crucible.analysis.verdict.reliability.THRESHOLDS`."
        )
        RelaxBaseWorkChain.expose_in(spec, "relax", "How to relax all phases, see `crucible.relax.base`.")
        spec.expose_inputs(
            PhononWorkChain,
            namespace="phonon",
            exclude=("code", "model", "structure", "relax", "verify", "verification"),
            namespace_options={"help": "How to compute the phonons, see `crucible.phonon`."},
        )
        spec.expose_inputs(
            TemperatureSweepWorkChain,
            namespace="sweep",
            exclude=("code", "model", "structure", "relax", "verify", "verification"),
            namespace_options={
                "required": False,
                "populate_defaults": False,
                "help": "How to run the relaxed crystal when hot, see `crucible.sweep`; left out, it is not.",
            },
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.relax,
            cls.inspect_relaxation,
            if_(cls.is_relaxed)(cls.run_crystal, cls.inspect_crystal),
            cls.assess,
        )
        spec.output_namespace(
            "relaxed", valid_type=StructureData, dynamic=True, required=False, help="The last geometry of each phase."
        )
        spec.output("relaxation", valid_type=Dict, required=False, help="See `crucible.relax`, output `summary`.")
        spec.expose_outputs(
            PhononWorkChain, namespace="phonon", exclude=("verification",), namespace_options={"required": False}
        )
        spec.expose_outputs(
            TemperatureSweepWorkChain,
            namespace="sweep",
            exclude=("verification", "structure", "relaxation"),
            namespace_options={"required": False},
        )
        spec.output(
            "summary",
            valid_type=Dict,
            required=False,
            help="For each of verification, lattice, energies, stability and, with a sweep, finite_temperature, "
            "averages and transitions: question, answer (yes, no, cannot-tell, not-asked), reason, evidence.",
        )
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
                        "compared"
                    )
            require_other_crystals(inputs["structure"], inputs.get("competing", {}))
            if "sweep" in inputs:
                check_crystal_inputs({**inputs["sweep"], "structure": inputs["structure"]})
        if "reference" in inputs:
            check_reference(inputs["reference"].get_dict(), set(inputs.get("competing", {})))

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol: the phonon WorkChain's of the same name, its relaxation for all phases.

        Those of a sweep are among them only where overrides speak of one.
        """
        own = super().get_protocol_inputs(protocol)
        name = protocol or cls.get_default_protocol()
        phonon = PhononWorkChain.get_protocol_inputs(name)
        del phonon["verify"]
        inputs = {"relax": phonon.pop("relax"), "phonon": phonon, **own}
        if isinstance(overrides, Mapping) and "sweep" in overrides:
            inputs["sweep"] = TemperatureSweepWorkChain.get_protocol_inputs(cls.SWEEP_PROTOCOLS.get(name, name))
            for name in ("verify", "relax"):
                inputs["sweep"].pop(name, None)
        result = cls.override(inputs, overrides)
        if isinstance(overrides, Mapping) and "sweep" in overrides:
            require_temperatures(overrides["sweep"])
        return result

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

        :param code: the Python of the model's environment, or its label.
        :param model: which potential.
        :param structure: the crystal in question.
        :param protocol: one of :meth:`get_available_protocols`.
        :param competing: other phases of the same composition, by name.
        :param reference: what to compare with, see the port's help.
        :param temperatures: K; where given, a temperature sweep is a part of it.
        :param overrides: inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        if temperatures is not None:
            overrides = merged(overrides or {}, {"sweep": {"parameters": {"temperatures": list(temperatures)}}})
        inputs = cls.get_protocol_inputs(protocol, overrides)
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
        shared = {
            "code": self.inputs.code,
            "model": self.inputs.model,
            "structure": self.ctx.relaxed[MAIN],
            "verification": self.ctx.verification,
        }
        chains = {"phonon": PhononWorkChain}
        if "sweep" in self.inputs:
            chains["sweep"] = TemperatureSweepWorkChain
        return ToContext(
            **{
                name: self.submit(chain, **{**self.exposed_inputs(chain, name), **shared})
                for name, chain in chains.items()
            }
        )

    def inspect_crystal(self) -> ExitCode | None:
        """Attach the phonons and the sweep."""
        self.out_many(self.exposed_outputs(self.ctx.phonon, PhononWorkChain, namespace="phonon"))
        if "sweep" in self.ctx:
            self.out_many(self.exposed_outputs(self.ctx.sweep, TemperatureSweepWorkChain, namespace="sweep"))
        for name, label in (("phonon", "ERROR_PHONONS_FAILED"), ("sweep", "ERROR_SWEEP_FAILED")):
            if name in self.ctx and not self.ctx[name].is_finished_ok:
                return self.failure(label, message_of(self.ctx[name]))
        return None

    def assess(self) -> None:
        """Answer the questions."""
        evidence = without_none(
            phonons=self.ctx.phonon.outputs.summary if "phonon" in self.ctx else None,
            sweep=self.ctx.sweep.outputs.summary if "sweep" in self.ctx else None,
            reference=self.inputs.get("reference"),
        )
        relaxation, thresholds = self.ctx.relaxation_summary, self.inputs.thresholds
        self.out("summary", assess_reliability(relaxation, thresholds, self.ctx.verification, **evidence))


def _phases(inputs: Mapping[str, Any]) -> dict[str, StructureData]:
    main = {MAIN: inputs["structure"]} if "structure" in inputs else {}
    return {**main, **inputs.get("competing", {})}


def _reduced_formula(structure: StructureData) -> str:
    return str(structure.get_formula(mode="hill_compact"))
