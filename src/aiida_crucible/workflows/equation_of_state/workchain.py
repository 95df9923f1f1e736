"""Equation of state with one model: verified, relaxed, all volumes in one job, fitted, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ExitCode, ProcessSpec, ToContext, if_
from aiida.orm import ArrayData, Dict, StructureData

from aiida_crucible.analysis.elasticity.settings import validate_equation_of_state
from aiida_crucible.analysis.elasticity.volumes import check_volume_reference
from aiida_crucible.calculations.ports import crystal_check, settings_help, settings_input
from aiida_crucible.workflows.equation_of_state.calcfunctions import (
    explain_missing_equation_of_state,
    fit_equation_of_state,
    scale_crystal,
)
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from aiida_crucible.workflows.relax.strained import StrainedCrystalWorkChain, require_fixed_volume

check_crystal = crystal_check("an equation of state")


class EquationOfStateWorkChain(StrainedCrystalWorkChain):
    """Verify a model, relax a crystal with it, and fit the energies of the crystal at other volumes.

    Whatever the physics says is a result: a crystal that cannot be relaxed, energies without a minimum, or volumes at
    which the crystal falls apart, end with exit status 0 and their outcome in ``summary``.
    """

    JOBS = ("verify.verify", "relax.relax", "volumes.relax")
    REFERENCE_HELP = (
        "What is known: `volume` (Å³ a formula unit), `bulk_modulus` (GPa), `bulk_modulus_derivative`, `source`."
    )
    check_reference = staticmethod(check_volume_reference)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(StructureData, check_crystal, structure="A crystal.")
        help_ = settings_help("elasticity.settings").replace("SETTINGS", "EQUATION_OF_STATE")
        settings_input(spec, "parameters", validate_equation_of_state, help_)
        RelaxBaseWorkChain.expose_in(
            spec,
            "volumes",
            "How to relax the crystal at each volume, see `crucible.relax.base`: the cell's shape too, or its atoms "
            "alone.",
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(cls.scale, cls.relax_volumes, cls.inspect_volumes),
        )
        spec.output_nodes(
            Dict,
            summary="Outcome (fitted, cannot-tell, non-finite or not-relaxed) with its reason, `equilibrium` "
            "(`volume` and `energy` of the cell in Å³ and eV, `bulk_modulus` in GPa, its `derivative`, "
            "`volume_per_formula_unit`), `errors` by these names, and the answers `minimum`, `pressure`, `agreement`.",
        )
        spec.output_nodes(
            ArrayData,
            curve="`volumes` (Å³ a cell), `energies` (eV), `pressures` (by the model's stress, GPa), `used` (whether "
            "it counts); and of the curve `fit_volumes`, `fit_energies`, `fit_pressures`.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Refuse to let go of what is fixed at each volume."""
        super().check_inputs(inputs)
        require_fixed_volume(inputs)

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that what could not be relaxed has no equation of state."""
        self.out("summary", explain_missing_equation_of_state(summary))

    def scale(self) -> None:
        """Make the cells."""
        self.ctx.cells = scale_crystal(self.ctx.structure, self.inputs.parameters)

    def relax_volumes(self) -> ToContext:
        """Relax all of them in one job."""
        return ToContext(volumes=self.submit_restarting(RelaxBaseWorkChain, "volumes", structures=self.ctx.cells))

    def inspect_volumes(self) -> ExitCode | None:
        """Fit what came out; a cell that did not converge is left out of the curve."""
        return self.fit(self.ctx.volumes, fit_equation_of_state)
