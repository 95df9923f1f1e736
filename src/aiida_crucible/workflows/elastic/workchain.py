"""Elastic tensor with one model: verified, relaxed, all strained cells in one job, fitted, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ExitCode, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, ArrayData, Dict, StructureData

from aiida_crucible.analysis.elasticity.settings import validate_elastic
from aiida_crucible.analysis.elasticity.stability import check_elastic_reference
from aiida_crucible.calculations.ports import crystal_check, settings_help, settings_input
from aiida_crucible.calculations.verifications import has_no_stress
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.elastic.calcfunctions import (
    explain_missing_elastic_tensor,
    fit_elastic_tensor,
    strain_crystal,
)
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from aiida_crucible.workflows.relax.strained import StrainedCrystalWorkChain

check_crystal = crystal_check("an elastic tensor")


class ElasticWorkChain(StrainedCrystalWorkChain):
    """Verify a model, relax a crystal with it, strain it, and fit the stresses.

    Whatever the physics says is a result: a crystal that gives way, that cannot be relaxed, or stresses that are no
    numbers, end with exit status 0 and their outcome in ``summary``.
    """

    JOBS = ("verify.verify", "relax.relax", "strained.relax", "clamped.evaluate")
    REFERENCE_HELP = (
        "What is known: `components` (GPa, by the names C11 … C66), `bulk_modulus`, `shear_modulus`, "
        "`young_modulus` (GPa), `poisson_ratio`, `source`."
    )
    check_reference = staticmethod(check_elastic_reference)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(StructureData, check_crystal, structure="A crystal; the tensor is in its axes.")
        help_ = settings_help("elasticity.settings").replace("SETTINGS", "ELASTIC")
        settings_input(spec, "parameters", validate_elastic, help_)
        RelaxBaseWorkChain.expose_in(
            spec, "strained", "How to relax strained cells, see `crucible.relax.base`; where `ions` are relaxed."
        )
        EvaluateBaseWorkChain.expose_in(
            spec, "clamped", "How to evaluate strained cells, see `crucible.evaluate.base`; where `ions` are clamped."
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(cls.strain, cls.run_strained, cls.inspect_strained),
        )
        spec.output_nodes(
            Dict,
            summary="Outcome (stable, unstable, cannot-tell, non-finite or not-relaxed) with its reason, "
            "`elastic_tensor` and its errors, `eigenvalues`, `moduli` with errors (GPa), and the answers `stability`, "
            "`precision`, `agreement`.",
        )
        spec.output_nodes(
            ArrayData,
            tensor="GPa, Voigt xx yy zz yz xz xy, engineering shears: `elastic_tensor` [6, 6], `measured` (before the "
            "symmetry), `errors`; of the strained cells `components` and `strains` (of the tensor), [n]; `stresses` "
            "[n + 1, 6], the crystal as it is first.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Refuse to let go of what is strained, or to leave stresses out."""
        super().check_inputs(inputs)
        if "code" in inputs and "model" in inputs:
            require_stress(inputs["code"], inputs["model"], inputs.get("verification"))
        relax = inputs["strained"]["relax"]["parameters"].get_dict()
        if relax.get("cell", "full") != "fixed":
            raise ValueError("parameter 'cell' of strained must be 'fixed': what is strained keeps its cell")
        if relax.get("keep_symmetry", True):
            raise ValueError("parameter 'keep_symmetry' of strained must be false: a small strain would be symmetrised")
        if not inputs["clamped"]["evaluate"]["parameters"].get_dict().get("stress", True):
            raise ValueError("parameter 'stress' of clamped must be true: an elastic tensor is made of stresses")

    def inspect_verification(self) -> ExitCode | None:
        """Stop as well where the model has no stress, of which all of this is made."""
        if (failure := super().inspect_verification()) is not None:
            return failure
        try:
            require_stress(self.inputs.code, self.inputs.model, self.ctx.verification)
        except ValueError as error:
            return self.failure("ERROR_CAPABILITY_MISSING", str(error))
        return None

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that what could not be relaxed has no elastic tensor."""
        self.out("summary", explain_missing_elastic_tensor(summary))

    def strain(self) -> None:
        """Make the cells."""
        self.ctx.cells = strain_crystal(self.ctx.structure, self.inputs.parameters)

    def run_strained(self) -> ToContext:
        """Relax the atoms of all cells in one job, or evaluate them as they are."""
        cells = self.ctx.cells
        if self.inputs.parameters["ions"] == "clamped":
            return ToContext(cells_run=self.submit_restarting(EvaluateBaseWorkChain, "clamped", structures=cells))
        return ToContext(cells_run=self.submit_restarting(RelaxBaseWorkChain, "strained", structures=cells))

    def inspect_strained(self) -> ExitCode | None:
        """Fit what came out."""
        return self.fit(self.ctx.cells_run, fit_elastic_tensor)


def require_stress(code: AbstractCode, model: ModelData, verification: Dict | None) -> None:
    """Refuse a model that had no stress when it was verified.

    :raises ValueError: one line.
    """
    if has_no_stress(code, model, verification):
        raise ValueError(f"model {model.title} gives no stress, of which an elastic tensor is made: choose another one")
