"""A crystal that is heated, with one model: verified, relaxed, expanded, phonons at each volume in one job, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_
from aiida.orm import ArrayData, Data, Dict, StructureData

from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.quasi_harmonic.answers import check_reference
from aiida_crucible.analysis.quasi_harmonic.settings import check_temperatures, validate_quasi_harmonic
from aiida_crucible.calculations.ports import crystal_check, settings_help, settings_input
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.protocols import without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.calcfunctions import displace_supercells
from aiida_crucible.workflows.qha.calcfunctions import (
    CRYSTAL,
    FORCES,
    expand_crystal,
    explain_missing_heating,
    heat_crystal,
    settle_supercell,
)
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain, relaxed_of
from aiida_crucible.workflows.relax.strained import StrainedCrystalWorkChain, require_fixed_volume

check_crystal = crystal_check("a quasi-harmonic calculation")


class QuasiHarmonicWorkChain(StrainedCrystalWorkChain):
    """Verify a model, relax a crystal with it, and find from phonons at several volumes what it does when heated.

    Whatever the physics says is a result: a crystal that cannot be relaxed, volumes with imaginary modes, or a volume
    that grows beyond those that were sampled, end with exit status 0 and their outcome in ``summary``.
    """

    JOBS = ("verify.verify", "relax.relax", "volumes.relax", "forces.evaluate")
    REFERENCE_HELP = (
        "What is known at `temperature` of the parameters: `volume` (Å³ a formula unit), `thermal_expansion` (of the "
        "volume, 1/K), `bulk_modulus` (GPa), `heat_capacity` (at constant pressure, J/(K mol) of formula units), "
        "`gruneisen`, `source`."
    )
    check_reference = staticmethod(check_reference)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(StructureData, check_crystal, structure="A crystal.")
        help_ = settings_help("quasi_harmonic.settings").replace("SETTINGS", "QUASI_HARMONIC")
        settings_input(spec, "parameters", validate_quasi_harmonic, help_)
        of_phonons = f"At each volume; its temperatures count. {settings_help('phonons.settings')}"
        settings_input(spec, "phonons", validate_settings, of_phonons)
        RelaxBaseWorkChain.expose_in(
            spec,
            "volumes",
            "How to relax the crystal at each volume, see `crucible.relax.base`: the cell's shape too, or its atoms "
            "alone.",
        )
        EvaluateBaseWorkChain.expose_in(spec, "forces", "How to evaluate the supercells, see `crucible.evaluate.base`.")
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(
                cls.expand, cls.relax_volumes, cls.displace, if_(cls.has_volumes)(cls.evaluate), cls.inspect_forces
            ),
        )
        spec.output_nodes(
            Dict,
            summary="Outcome (computed, cannot-tell, non-finite or not-relaxed) with its reason, `values` and `errors` "
            "at `temperature` by the names of the arrays of `thermal`, the `highest_temperature` (K) that is known, "
            "what became of each of `volumes`, and the answers `stability`, `range`, `curve`, `agreement`.",
        )
        spec.output_nodes(
            ArrayData,
            thermal="At `temperatures` (K, [n]), of a formula unit: `volume` (Å³), `thermal_expansion` (of the volume, "
            "1/K), `bulk_modulus` (GPa), `gibbs_energy` (eV), `heat_capacity` (at constant pressure, J/(K mol)), "
            "`gruneisen`; the error of each as `…_error`, NaN where it is not known; and of the `volumes` [m] that "
            "count `free_energies` [n, m] (eV).",
        )
        spec.exit_code(321, "ERROR_EVALUATION_FAILED", message="the forces of the supercells failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other, the size of the supercell among them."""
        super().check_inputs(inputs)
        require_fixed_volume(inputs)
        settings = validate_settings(inputs["phonons"].get_dict())
        check_temperatures(validate_quasi_harmonic(inputs["parameters"].get_dict()), settings)
        if "structure" in inputs:
            atoms = to_atoms(inputs["structure"])
            chosen_supercell_matrix(settings, atoms.cell.array)
            if atoms.has("masses"):
                build_phonopy(atoms, np.eye(3, dtype=int), settings["symmetry_tolerance"], settings["primitive"])

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that what could not be relaxed cannot be heated."""
        self.out("summary", explain_missing_heating(summary))

    def expand(self) -> None:
        """Make the cells, and choose the supercell that all volumes share."""
        self.ctx.cells = expand_crystal(self.ctx.structure, self.inputs.parameters)
        self.ctx.phonons = settle_supercell(self.ctx.structure, self.inputs.phonons)

    def relax_volumes(self) -> ToContext:
        """Relax all of them in one job."""
        return ToContext(volumes=self.submit_restarting(RelaxBaseWorkChain, "volumes", structures=self.ctx.cells))

    def displace(self) -> ExitCode | None:
        """Make the supercells of each volume at which the crystal could be relaxed."""
        child = self.ctx.volumes
        if (failure := self.require_cells(child)) is not None:
            return failure
        ends = child.outputs.results.get_dict()["summary"]["structures"]
        relaxed = relaxed_of(child)
        self.ctx.relaxed = {label: relaxed[label] for label in relaxed if ends[label]["outcome"] == "converged"}
        self.ctx.supercells = {
            label: displace_supercells(crystal, self.ctx.phonons) for label, crystal in self.ctx.relaxed.items()
        }
        self.report(f"the crystal could be relaxed at {len(self.ctx.relaxed)} of {len(ends)} volumes")
        return None

    def has_volumes(self) -> bool:
        """Return whether there is a volume at which the crystal has phonons."""
        return bool(self.ctx.supercells)

    def evaluate(self) -> ToContext:
        """Evaluate the supercells of all volumes in one job."""
        job = self.submit_restarting(EvaluateBaseWorkChain, "forces", trajectories=self.ctx.supercells)
        return ToContext(evaluation=job)

    def inspect_forces(self) -> ExitCode | None:
        """Attach all that follows from the forces; where no volume could be relaxed there are none."""
        nodes: dict[str, Data] = {}
        if self.has_volumes():
            child = self.ctx.evaluation
            if not child.is_finished_ok:
                return self.failure("ERROR_EVALUATION_FAILED", message_of(child))
            forces = child.outputs.properties_of
            nodes |= {f"{CRYSTAL}{label}": crystal for label, crystal in self.ctx.relaxed.items()}
            nodes |= {f"{FORCES}{label}": forces[label] for label in self.ctx.relaxed}
        shared = {"structure": self.ctx.structure, "parameters": self.inputs.parameters, "phonons": self.ctx.phonons}
        outputs, known = self.ctx.volumes.outputs, without_none(reference=self.inputs.get("reference"))
        heated = heat_crystal(**shared, properties=outputs.properties, results=outputs.results, **known, **nodes)
        self.out_many(heated)
        return None
