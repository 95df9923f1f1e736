"""Lattice thermal conductivity with one model: verified, relaxed, phonons, third order in one job, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ExitCode, ProcessSpec, ToContext, if_
from aiida.orm import ArrayData, Dict, StructureData

from aiida_crucible.analysis.conductivity.answers import check_reference, in_words
from aiida_crucible.analysis.conductivity.settings import validate_conductivity
from aiida_crucible.analysis.conductivity.third_order import require_phono3py
from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix
from aiida_crucible.analysis.phonons.stability import Verdict
from aiida_crucible.calculations.ports import crystal_check, settings_help, settings_input
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.protocols import merged, without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.conductivity.calcfunctions import (
    conduct_heat,
    displace_pairs,
    explain_missing_conductivity,
)
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.relax.strained import ComparedCrystalWorkChain

check_crystal = crystal_check("a thermal conductivity")


class ConductivityWorkChain(ComparedCrystalWorkChain):
    """Verify a model, relax a crystal with it, and compute the heat that its phonons carry.

    Whatever the physics says is a result: a crystal that cannot be relaxed, or imaginary modes, of which no
    conductivity is claimed, end with exit status 0 and their outcome in ``summary``.
    """

    JOBS = ("verify.verify", "relax.relax", "phonon.forces.evaluate", "third_order.evaluate")
    REFERENCE_HELP = (
        "What is known at `temperature` of the parameters, W/(m K): `conductivity` (the mean of the diagonal), `xx`, "
        "`yy`, `zz`, `source`."
    )
    check_reference = staticmethod(check_reference)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(StructureData, check_crystal, structure="A crystal; the tensor is in its axes.")
        help_ = settings_help("conductivity.settings").replace("SETTINGS", "CONDUCTIVITY")
        settings_input(spec, "parameters", validate_conductivity, help_)
        filled = ("code", "model", "structure", "verification", "verify", "relax")
        spec.expose_child(PhononWorkChain, "phonon", "How to compute the phonons, see `crucible.phonon`.", filled)
        EvaluateBaseWorkChain.expose_in(
            spec, "third_order", "How to evaluate the supercells of the third order, see `crucible.evaluate.base`."
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(
                cls.compute_phonons,
                cls.inspect_phonons,
                if_(cls.has_phonons)(cls.displace, cls.evaluate, cls.inspect_forces),
            ),
        )
        spec.expose_outputs(
            PhononWorkChain, namespace="phonon", exclude=("verification",), namespace_options={"required": False}
        )
        spec.output_nodes(
            Dict,
            summary="Outcome (computed, imaginary, cannot-tell, non-finite or not-relaxed), its reason, `values` and "
            "`errors` at `temperature` (W/(m K): `conductivity`, the mean of the diagonal, `xx`, `yy`, `zz`), and the "
            "answers `stability`, `convergence`, `agreement`.",
        )
        spec.output_nodes(
            ArrayData,
            conductivity="At `temperatures` (K, [n]): `conductivity` and `conductivity_error`, its change by the mesh "
            "(W/(m K), [n, 3, 3]); at the irreducible wave vectors `qpoints`, `weights`, `frequencies` (THz) and "
            "`linewidths` Γ (THz, [n, n_q, n_modes]; the lifetime is 1/(4πΓ)).",
        )
        spec.exit_code(321, "ERROR_EVALUATION_FAILED", message="the forces of the supercells failed: {detail}")
        spec.exit_code(322, "ERROR_PHONONS_FAILED", message="the phonons failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other, the size of the supercell and that phono3py is there among them."""
        require_phono3py()
        super().check_inputs(inputs)
        if "structure" in inputs and "parameters" in inputs:
            settings = validate_conductivity(inputs["parameters"].get_dict())
            chosen_supercell_matrix(settings, to_atoms(inputs["structure"]).cell.array)
            PhononWorkChain.check_inputs({**inputs["phonon"], **without_none(structure=inputs["structure"])})

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Add those of the phonons' protocol of the same name, its relaxation as that of the crystal."""
        phonon = PhononWorkChain.get_protocol_inputs(cls.VERIFY_PROTOCOLS.get(protocol, protocol))
        del phonon["verify"]
        own = {"relax": phonon.pop("relax"), "phonon": phonon}
        return merged(own, super().with_children(protocol, inputs, overrides))

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that what could not be relaxed conducts no heat."""
        self.out("summary", explain_missing_conductivity(summary))

    def compute_phonons(self) -> ToContext:
        """Compute the phonons of the relaxed crystal; the model is not verified again."""
        return ToContext(phonon=self.submit_verified(PhononWorkChain, "phonon", self.ctx.structure))

    def inspect_phonons(self) -> ExitCode | None:
        """Attach the phonons; imaginary ones end it here, as a result."""
        child = self.ctx.phonon
        self.out_many(self.exposed_outputs(child, PhononWorkChain, namespace="phonon"))
        if not child.is_finished_ok:
            return self.failure("ERROR_PHONONS_FAILED", message_of(child))
        if not self.has_phonons():
            self.out("summary", explain_missing_conductivity(child.outputs.summary))
        return None

    def has_phonons(self) -> bool:
        """Return whether the phonons are not known to be imaginary."""
        return self.ctx.phonon.outputs.summary["outcome"] in (Verdict.STABLE.value, Verdict.CANNOT_TELL.value)

    def displace(self) -> None:
        """Make the supercells of the third order."""
        constants = self.ctx.phonon.outputs.force_constants
        phonons = self.inputs.phonon.parameters
        self.ctx.supercells = displace_pairs(self.ctx.structure, self.inputs.parameters, phonons, constants)
        cells = self.ctx.supercells
        self.report(f"the third order takes {cells.numsteps} supercells of {len(cells.symbols)} atoms")

    def evaluate(self) -> ToContext:
        """Evaluate all of them in one job."""
        job = self.submit_restarting(EvaluateBaseWorkChain, "third_order", trajectory=self.ctx.supercells)
        return ToContext(evaluation=job)

    def inspect_forces(self) -> ExitCode | None:
        """Attach all that follows from the forces."""
        child, phonon = self.ctx.evaluation, self.ctx.phonon.outputs
        if not child.is_finished_ok:
            return self.failure("ERROR_EVALUATION_FAILED", message_of(child))
        settings = self.inputs.parameters
        meshes = ", ".join(in_words(mesh) for mesh in [*settings["other_meshes"], settings["mesh"]])
        self.report(f"the forces are there; the transport equation follows on {meshes} wave vectors")
        known = without_none(
            reference=self.inputs.get("reference"), born_charges=self.inputs.phonon.get("born_charges")
        )
        crystal = (self.ctx.structure, settings, self.inputs.phonon.parameters, phonon.force_constants)
        self.out_many(conduct_heat(*crystal, harmonic=phonon.summary, properties=child.outputs.properties, **known))
        return None
