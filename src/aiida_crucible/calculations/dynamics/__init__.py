"""The CalcJob ``crucible.dynamics``, its monitor and its parser."""

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation

__all__ = ["DynamicsCalculation"]
