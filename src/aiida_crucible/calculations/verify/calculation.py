"""Verification of a model in an environment, before its numbers are believed: the CalcJob and its parser."""

from __future__ import annotations

from aiida.engine import CalcJobProcessSpec
from aiida.orm import StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation
from aiida_crucible.calculations.parser import EngineParser


class VerifyCalculation(EngineCalculation):
    """Verify a model on small random crystals of its elements, and on structures where some are given.

    A model that fails is a result and no failed job: ``results`` has the outcome ``failed``, and in its summary the
    checks and the names of the faults.
    """

    TASK = "verify"
    VERIFIES = True

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to verify on."""
        super().define(spec)
        spec.inputs_by_label(
            StructureData,
            validation.check_structures,
            required=False,
            structures="What to verify the model on as well, slightly distorted; the random crystals are then of their "
            "elements.",
        )


class VerifyParser(EngineParser):
    """All that a verification says is in ``results``."""
