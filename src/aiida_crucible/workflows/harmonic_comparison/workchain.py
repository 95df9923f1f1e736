"""Phonons of a crystal with one model, compared with the force constants of a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode, ArrayData, Dict, StructureData
from phonopy import Phonopy

from aiida_crucible.analysis.comparison.settings import validate_comparison
from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms as from_phonopy
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.calculations.ports import settings_help, settings_input
from aiida_crucible.environments.codes import as_code
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.protocols import ProtocolMixin, merged, with_checked_arguments
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain, message_of
from aiida_crucible.workflows.harmonic_comparison.calcfunctions import (
    compare_harmonic,
    explain_missing_comparison,
    restored,
)
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain, check_crystal


class HarmonicComparisonWorkChain(ProtocolMixin, CrucibleWorkChain):
    """Compute the phonons of a model in the reference's supercell, and say how far they are from the reference's.

    A model that gives no phonons has answered too: the exit status is 0 and ``summary`` says why.
    """

    JOBS = tuple(f"phonon.{job}" for job in PhononWorkChain.JOBS)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(
            StructureData,
            check_crystal,
            reference_structure="The unit cell that the reference's force constants belong to.",
        )
        spec.input_nodes(
            ArrayData,
            reference_force_constants="As `crucible.phonon` puts them out, or as `aiida-crucible reference import "
            "phonons` imports them.",
        )
        settings_input(spec, "parameters", validate_comparison, settings_help("comparison.settings"))
        spec.expose_inputs(PhononWorkChain, namespace="phonon")
        spec.outline(cls.compute_phonons, cls.compare)
        spec.expose_outputs(PhononWorkChain, namespace="phonon")
        spec.output(
            "summary",
            valid_type=Dict,
            help="Outcome (compared or no-phonons), errors of ω² (THz, THz²), ω (THz) and group velocities (Å THz) by "
            "order and by overlap, least, mean and highest frequencies, thermal properties, imaginary modes.",
        )
        spec.output_nodes(
            ArrayData,
            modes="For every wave vector and mode frequencies (THz), group velocities (Å THz), matches and errors.",
        )
        spec.exit_code(322, "ERROR_PHONONS_FAILED", message="the phonons of the model failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that the reference's force constants belong to its structure, and that the model's can be compared.

        :raises ValueError: one line for the user.
        """
        if "reference_structure" in inputs and "reference_force_constants" in inputs:
            settings = validate_comparison(inputs["parameters"].get_dict() if "parameters" in inputs else {})
            reference = restored(
                "reference",
                inputs["reference_structure"],
                inputs["reference_force_constants"],
                settings["symmetry_tolerance"],
            )
            phonon = inputs.get("phonon") or {}
            if "structure" in phonon and "parameters" in phonon:
                check_primitive_cells(reference, phonon["structure"], phonon["parameters"])

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the phonons' protocol: there are no others."""
        return {"phonon": PhononWorkChain.get_protocol_inputs(protocol)}

    @classmethod
    def read_protocols(cls) -> dict[str, Any]:
        """Return the content of the phonons' file."""
        return PhononWorkChain.read_protocols()

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        reference_structure: StructureData,
        reference_force_constants: ArrayData,
        protocol: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        The model's crystal is the reference's, relaxed with the model, in the reference's supercell, with bands of the
        unit cell where the reference's are.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param reference_structure: the reference's unit cell.
        :param reference_force_constants: see the port's help.
        """
        restored("reference", reference_structure, reference_force_constants, 1e-5)
        matrices = {name: reference_force_constants.get_array(f"{name}_matrix") for name in ("supercell", "primitive")}
        has_own_primitive = not np.allclose(matrices["primitive"], np.eye(3))
        own = {"parameters": {"supercell_matrix": matrices["supercell"].tolist(), "primitive": has_own_primitive}}
        inputs = cls.get_protocol_inputs(protocol, merged({"phonon": own}, overrides or {}))
        made = {"code": as_code(code), "model": model, "structure": reference_structure}
        given = {
            "reference_structure": reference_structure,
            "reference_force_constants": reference_force_constants,
        }
        return cls.build({**inputs, "phonon": {**made, **inputs["phonon"]}}, options, **given)

    def compute_phonons(self) -> ToContext:
        """Compute the phonons of the model."""
        inputs = AttributeDict(self.exposed_inputs(PhononWorkChain, "phonon"))
        return ToContext(phonons=self.submit(PhononWorkChain, **inputs))

    def compare(self) -> ExitCode | None:
        """Attach the phonons and the comparison."""
        child = self.ctx.phonons
        self.out_many(self.exposed_outputs(child, PhononWorkChain, "phonon"))
        if not child.is_finished_ok:
            return self.failure("ERROR_PHONONS_FAILED", message_of(child))
        if "force_constants" not in child.outputs:
            self.out("summary", explain_missing_comparison(child.outputs.summary))
            return None
        structure = child.outputs.structure if "structure" in child.outputs else child.inputs.structure
        self.out_many(
            compare_harmonic(
                self.inputs.reference_structure,
                self.inputs.reference_force_constants,
                structure,
                child.outputs.force_constants,
                self.inputs.parameters,
            )
        )
        return None


def check_primitive_cells(reference: Phonopy, structure: StructureData, parameters: Dict) -> None:
    """Refuse a model's crystal whose primitive cell would hold other atoms than the reference's.

    :param reference: with its cells.
    :param structure: that the model's phonons are of, before it is relaxed.
    :param parameters: of the model's phonons.
    :raises ValueError: one line.
    """
    settings = validate_settings(parameters.get_dict())
    own = build_phonopy(
        to_atoms(structure), np.eye(3, dtype=int), settings["symmetry_tolerance"], settings["primitive"]
    )
    formulas = [from_phonopy(cell).get_chemical_formula() for cell in (own.primitive, reference.primitive)]
    if formulas[0] != formulas[1]:
        raise ValueError(
            f"the model's primitive cell would be {formulas[0]}, the reference's is {formulas[1]}: give the same "
            "crystal, and phonon.parameters.primitive as the reference has it (False for bands of the unit cell)"
        )
