"""The CalcJob ``crucible.speed`` and its parser."""

from aiida_crucible.calculations.speed.calculation import SpeedCalculation

__all__ = ["SpeedCalculation"]
