"""Energies, forces and stresses, restarted where they were interrupted."""

from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain

__all__ = ["EvaluateBaseWorkChain"]
