"""The CalcJob ``crucible.evaluate`` and its parser."""

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation

__all__ = ["EvaluateCalculation"]
