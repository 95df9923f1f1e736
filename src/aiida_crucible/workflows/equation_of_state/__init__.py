"""Equation of state."""

from aiida_crucible.workflows.equation_of_state.workchain import EquationOfStateWorkChain

__all__ = ["EquationOfStateWorkChain"]
