"""Can this model be trusted with this material? Relaxed phases, phonons, and a verdict for each question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, Dict, StructureData, to_aiida_type

from aiida_crucible.analysis.reliability import MAIN, check_reference, validate_thresholds
from aiida_crucible.calcfunctions.relaxation import summarise_relaxation
from aiida_crucible.calcfunctions.reliability import assess_reliability
from aiida_crucible.calculations import validation
from aiida_crucible.data.model import ModelData
from aiida_crucible.workflows.base.relax import RelaxBaseWorkChain
from aiida_crucible.workflows.phonon import PhononWorkChain, check_crystal
from aiida_crucible.workflows.protocols.mixin import as_code, fill_builder, with_options
from aiida_crucible.workflows.verified import (
    VerifiedWorkChain,
    did_not_converge,
    message_of,
    relaxed_of,
)
from crucible_engine.parameter_rules import shown


class ReliabilityWorkChain(VerifiedWorkChain):
    """Verify a model, relax a crystal and the phases that compete with it in one job, and compute its phonons.

    Ends with exit status 0 whatever the physics says; ``summary`` has the answer to each question, its reason and its
    evidence. Only a job that failed for another reason makes the WorkChain fail.
    """

    PROTOCOL_FILE = "reliability.yaml"
    JOBS = ("verify.verify", "relax.relax", "phonon.forces.evaluate")

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
            "formula unit above the structure, by the names of the competing phases).",
        )
        spec.input(
            "thresholds",
            valid_type=Dict,
            default=lambda: Dict(validate_thresholds({})),
            serializer=serialize_thresholds,
            validator=validation.validator(check_thresholds),
            help="See `aiida_crucible.analysis.reliability.THRESHOLDS`.",
        )
        spec.expose_inputs(
            RelaxBaseWorkChain,
            namespace="relax",
            exclude=("relax.code", "relax.model", "relax.structures", "relax.restart_from"),
            namespace_options={"help": "How to relax all phases, see `crucible.relax.base`."},
        )
        spec.expose_inputs(
            PhononWorkChain,
            namespace="phonon",
            exclude=("code", "model", "structure", "relax", "verify", "verification"),
            namespace_options={"help": "How to compute the phonons, see `crucible.phonon`."},
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.relax,
            cls.inspect_relaxation,
            if_(cls.is_relaxed)(cls.compute_phonons, cls.inspect_phonons),
            cls.assess,
        )
        spec.output_namespace(
            "relaxed", valid_type=StructureData, dynamic=True, required=False, help="The last geometry of each phase."
        )
        spec.output("relaxation", valid_type=Dict, required=False, help="See `crucible.relax`, output `summary`.")
        spec.expose_outputs(
            PhononWorkChain, namespace="phonon", exclude=("verification",), namespace_options={"required": False}
        )
        spec.output(
            "summary",
            valid_type=Dict,
            required=False,
            help="For each of verification, lattice, energies and stability: question, answer (yes, no, cannot-tell), "
            "reason, evidence.",
        )
        spec.exit_code(320, "ERROR_RELAXATION_FAILED", message="the relaxation failed: {detail}")
        spec.exit_code(322, "ERROR_PHONONS_FAILED", message="the phonons failed: {detail}")

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
        if "reference" in inputs:
            check_reference(inputs["reference"].get_dict(), set(inputs.get("competing", {})))

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol: the phonon WorkChain's of the same name, its relaxation for all phases."""
        own = super().get_protocol_inputs(protocol)
        phonon = PhononWorkChain.get_protocol_inputs(protocol or cls.get_default_protocol())
        del phonon["verify"]
        relax = phonon.pop("relax")
        return cls.override({"relax": relax, "phonon": phonon, **own}, overrides)

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData,
        protocol: str | None = None,
        *,
        competing: Mapping[str, StructureData] | None = None,
        reference: Mapping[str, Any] | Dict | None = None,
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
        :param overrides: inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        builder = cls.get_builder()
        inputs = with_options(cls.get_protocol_inputs(protocol, overrides), cls.spec().inputs, cls.JOBS, options)
        inputs |= {"competing": competing} if competing is not None else {}
        inputs |= {"reference": reference} if reference is not None else {}
        fill_builder(builder, {"code": as_code(code), "model": model, "structure": structure, **inputs})
        return builder

    def relax(self) -> ToContext:
        """Relax all phases in one job."""
        inputs = AttributeDict(self.exposed_inputs(RelaxBaseWorkChain, "relax"))
        inputs.relax.update(code=self.inputs.code, model=self.inputs.model, structures=_phases(self.inputs))
        return ToContext(relaxation=self.submit(RelaxBaseWorkChain, **inputs))

    def inspect_relaxation(self) -> ExitCode | None:
        """Attach and summarise the relaxed phases; one that did not relax is a result."""
        child = self.ctx.relaxation
        if not child.is_finished_ok and not did_not_converge(child):
            code: ExitCode = self.exit_codes.ERROR_RELAXATION_FAILED.format(detail=message_of(child))
            return code
        self.ctx.relaxed = relaxed_of(child)
        self.ctx.summary = summarise_relaxation(results=child.outputs.results, **self.ctx.relaxed)
        self.out("relaxed", self.ctx.relaxed)
        self.out("relaxation", self.ctx.summary)
        return None

    def is_relaxed(self) -> bool:
        """Return whether the crystal in question reached its minimum."""
        return bool(self.ctx.summary["structures"][MAIN]["outcome"] == "converged")

    def compute_phonons(self) -> ToContext:
        """Compute the phonons of the relaxed crystal; the model is not verified again."""
        inputs = AttributeDict(self.exposed_inputs(PhononWorkChain, "phonon"))
        inputs.update(
            code=self.inputs.code,
            model=self.inputs.model,
            structure=self.ctx.relaxed[MAIN],
            verification=self.ctx.verification,
        )
        return ToContext(phonons=self.submit(PhononWorkChain, **inputs))

    def inspect_phonons(self) -> ExitCode | None:
        """Attach the phonons."""
        child = self.ctx.phonons
        self.out_many(self.exposed_outputs(child, PhononWorkChain, namespace="phonon"))
        if not child.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_PHONONS_FAILED.format(detail=message_of(child))
            return code
        return None

    def assess(self) -> None:
        """Answer the questions."""
        evidence = {
            "phonons": self.ctx.phonons.outputs.summary if "phonons" in self.ctx else None,
            "reference": self.inputs.get("reference"),
        }
        given = {name: node for name, node in evidence.items() if node is not None}
        self.out(
            "summary", assess_reliability(self.ctx.summary, self.inputs.thresholds, self.ctx.verification, **given)
        )


def check_competing(structures: Mapping[str, StructureData]) -> None:
    """Refuse phases that are no crystals, or of the name that the structure itself has.

    :raises ValueError: one line.
    """
    if MAIN in structures:
        raise ValueError(f"a competing phase cannot be named {MAIN!r}: that is the crystal in question")
    for name, structure in structures.items():
        try:
            check_crystal(structure)
        except ValueError as error:
            raise ValueError(f"competing phase {name!r}: {error}") from None


def check_thresholds(thresholds: Dict) -> None:
    """Refuse thresholds that are misspelt or out of range.

    :raises ValueError: one line.
    """
    validate_thresholds(thresholds.get_dict())


def serialize_thresholds(value: Any) -> Dict:
    """Return plain thresholds as a node, complete with defaults.

    :raises ValueError: one line.
    """
    if not isinstance(value, dict):
        raise ValueError(f"thresholds are {shown(value)}: give a dict or a Dict node")
    return Dict(validate_thresholds(value))


def _phases(inputs: Mapping[str, Any]) -> dict[str, StructureData]:
    main = {MAIN: inputs["structure"]} if "structure" in inputs else {}
    return {**main, **inputs.get("competing", {})}


def _reduced_formula(structure: StructureData) -> str:
    return str(structure.get_formula(mode="hill_compact"))
