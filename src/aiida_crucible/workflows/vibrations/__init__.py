"""Vibrations of what is no crystal."""

from aiida_crucible.workflows.vibrations.workchain import VibrationsWorkChain

__all__ = ["VibrationsWorkChain"]
