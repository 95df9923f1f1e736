"""The CalcJob ``crucible.verify`` and its parser."""

from aiida_crucible.calculations.verify.calculation import VerifyCalculation

__all__ = ["VerifyCalculation"]
