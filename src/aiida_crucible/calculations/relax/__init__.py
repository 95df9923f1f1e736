"""The CalcJob ``crucible.relax`` and its parser."""

from aiida_crucible.calculations.relax.calculation import RelaxCalculation

__all__ = ["RelaxCalculation"]
