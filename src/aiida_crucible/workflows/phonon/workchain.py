"""Phonons of a crystal with one model: verified, relaxed, displaced, evaluated in one job, analysed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, ArrayData, BandsData, Dict, SinglefileData, StructureData, XyData

from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix
from aiida_crucible.analysis.phonons.born_charges import check_born_charges
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.calculations.ports import crystal_check, settings_help, settings_input
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.protocols import with_checked_arguments
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.calcfunctions import analyse_phonons, displace_supercells, explain_missing_phonons
from aiida_crucible.workflows.relax.base import CrystalRelaxedFirst

check_crystal = crystal_check("a phonon calculation")


class PhononWorkChain(CrystalRelaxedFirst):
    """Verify a model, relax a crystal with it tightly, and compute the phonons of what comes out.

    Whatever the physics says is a result: a crystal that cannot be relaxed, or forces that are no numbers, end with
    exit status 0 and their outcome in ``summary``.
    """

    JOBS = ("verify.verify", "relax.relax", "forces.evaluate")
    RELAX_HELP = "How to relax first, see `crucible.relax.base`; left out, the structure is taken as it is."
    RELAXED_HELP = "The relaxed crystal."

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(
            StructureData,
            check_crystal,
            structure="A crystal, in the setting that the supercell matrix and the band path refer to.",
        )
        settings_input(spec, "parameters", validate_settings, settings_help("phonons.settings"))
        spec.input_nodes(
            ArrayData,
            check_born_arrays,
            required=False,
            born_charges="For the non-analytical correction: arrays `charges` (e, [n_atoms, 3, 3]) and `dielectric` "
            "([3, 3]).",
        )
        EvaluateBaseWorkChain.expose_in(spec, "forces", "How to evaluate the supercells, see `crucible.evaluate.base`.")
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(cls.displace, cls.evaluate, cls.inspect_forces),
        )
        spec.output_nodes(
            Dict,
            summary="Outcome (stable, imaginary, cannot-tell, non-finite or not-relaxed), the verdict with its mode "
            "and reason, force noise, residuals, lowest and Γ frequencies (THz).",
        )
        spec.output_nodes(
            ArrayData,
            force_constants="`force_constants` (eV/Å², [n_primitive, n_supercell, 3, 3], symmetrised), "
            "`supercell_matrix`, `primitive_matrix`; attributes: the residuals before symmetrisation.",
            mesh="At irreducible wave vectors: `qpoints`, `weights`, `frequencies` and `resolvable` (THz), "
            "`group_velocities` (Å THz), with several amplitudes `error_bars` (THz), of a committee `spread` (THz).",
        )
        spec.output_nodes(
            BandsData,
            bands="THz, imaginary ones negative; array `resolvable`: below it the sign of a mode's ω² is not known; of "
            "a committee `spread`: standard deviation over its members.",
        )
        spec.output_nodes(
            XyData,
            dos="Density of states, 1/THz a primitive cell.",
            thermal_properties="Free energy (eV), entropy and heat capacity (eV/K) of a primitive cell against "
            "temperature (K).",
        )
        spec.output_nodes(SinglefileData, phonopy_params="`phonopy_params.yaml` for `phonopy.load`.")
        spec.exit_code(321, "ERROR_EVALUATION_FAILED", message="the forces of the supercells failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other, the size of the supercell among them."""
        super().check_inputs(inputs)
        if "structure" in inputs and "parameters" in inputs:
            atoms = to_atoms(inputs["structure"])
            settings = validate_settings(inputs["parameters"].get_dict())
            chosen_supercell_matrix(settings, atoms.cell.array)
            if atoms.has("masses"):
                build_phonopy(atoms, np.eye(3, dtype=int), settings["symmetry_tolerance"], settings["primitive"])
            if "born_charges" in inputs:
                born = inputs["born_charges"]
                check_born_charges(born.get_array("charges"), born.get_array("dielectric"), len(atoms))

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData,
        protocol: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run; ``builder.pop("relax")`` takes the structure as it is.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: a crystal.
        """
        return cls.build(
            cls.get_protocol_inputs(protocol, overrides), options, code=code, model=model, structure=structure
        )

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that what could not be relaxed has no phonons."""
        self.out("summary", explain_missing_phonons(summary))

    def displace(self) -> None:
        """Make the supercells."""
        self.ctx.supercells = displace_supercells(self.ctx.structure, self.inputs.parameters)

    def evaluate(self) -> ToContext:
        """Evaluate all supercells in one job."""
        job = self.submit_restarting(EvaluateBaseWorkChain, "forces", trajectory=self.ctx.supercells)
        return ToContext(evaluation=job)

    def inspect_forces(self) -> ExitCode | None:
        """Attach all that follows from the forces."""
        child = self.ctx.evaluation
        if not child.is_finished_ok:
            return self.failure("ERROR_EVALUATION_FAILED", message_of(child))
        born = {"born_charges": self.inputs.born_charges} if "born_charges" in self.inputs else {}
        analysed = analyse_phonons(self.ctx.structure, self.inputs.parameters, child.outputs.properties, **born)
        self.out_many(analysed)
        return None


def check_born_arrays(node: ArrayData) -> None:
    """Refuse arrays of other names than Born charges with a dielectric tensor have.

    :raises ValueError: one line.
    """
    names = node.get_arraynames()
    if set(names) != {"charges", "dielectric"}:
        raise ValueError(
            f"born_charges has the arrays {', '.join(names) or 'none'}: give `charges` [n_atoms, 3, 3] and "
            "`dielectric` [3, 3]"
        )
