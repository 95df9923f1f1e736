"""The first step of a temperature sweep that starts from the model's own crystal instead of the one that was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida.engine import ToContext
from aiida.orm import Dict

from aiida_crucible.analysis.dynamics.start import judge_start
from aiida_crucible.analysis.dynamics.sweep_settings import validate_sweep
from aiida_crucible.analysis.verdict.answers import NO
from aiida_crucible.workflows.relax.base import SINGLE, CrystalRelaxedFirst
from aiida_crucible.workflows.sweep.run_calcfunctions import strain_unit_cell
from crucible_engine.tasks.parameters import validate_parameters


class RelaxedFirst(CrystalRelaxedFirst):
    """A sweep that relaxes its crystal first, where it is told how.

    In the context also ``not_relaxed``: why there is no crystal to run.

    :cvar RELAXED_PROTOCOLS: the protocols that relax; the others only where overrides speak of it, because a crystal
        that is given may be meant as it is (a measured lattice, a phase that the model does not hold).
    """

    RELAXED_PROTOCOLS: ClassVar[tuple[str, ...]] = ()

    RELAX_HELP = "How to relax the unit cell first, see `crucible.relax.base`; left out, it is run as it is."
    RELAXED_HELP = "The relaxed unit cell."

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that a lattice that is to be kept is not relaxed away."""
        super().check_inputs(inputs)
        if "relax" in inputs and "parameters" in inputs:
            relaxation = validate_parameters("relax", inputs["relax"]["relax"]["parameters"].get_dict())
            if validate_sweep(inputs["parameters"].get_dict())["cell_lengths"] and relaxation["cell"] != "fixed":
                raise ValueError(
                    f"relax.relax.parameters.cell is {relaxation['cell']!r}, but parameters.cell_lengths keep the "
                    "lattice: set cell to 'fixed'"
                )

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out how to relax, unless the protocol does or overrides say so."""
        inputs = super().with_children(protocol, inputs, overrides)
        if "relax" not in overrides and protocol not in cls.RELAXED_PROTOCOLS:
            del inputs["relax"]
        return inputs

    def should_relax(self) -> bool:
        """Begin with nothing run, and return whether the crystal is to be relaxed first."""
        self.ctx.not_relaxed = None
        self.ctx.analyses, self.ctx.missing, self.ctx.weighable = {}, {}, {}
        self.ctx.postponed, self.ctx.chain_end = [], None
        return super().should_relax()

    def relax(self) -> ToContext:
        """Relax the unit cell, in the lattice that it is to be kept at."""
        structure = self.inputs.structure
        if validate_sweep(self.inputs.parameters.get_dict())["cell_lengths"]:
            structure = strain_unit_cell(structure, self.inputs.parameters)
        return self.submit_relaxation({SINGLE: structure}, call="relax")

    def explain_no_crystal(self, summary: Dict) -> None:
        """Note why no temperature is run."""
        self.ctx.not_relaxed = f"the crystal could not be relaxed: {summary['outcome']}"
        self.report(self.ctx.not_relaxed)

    def warn_of_start(self, analysis: Dict) -> None:
        """Warn with the first temperature, not days later, that the crystal was not relaxed."""
        dynamics = validate_parameters("dynamics", self.inputs.base.dynamics.parameters.get_dict())
        answer = judge_start(analysis["start"], dynamics)
        if answer.answer == NO:
            self.report(f"warning: {answer.reason}")
