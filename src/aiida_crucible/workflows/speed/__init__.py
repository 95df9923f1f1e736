"""What force calls of models cost against the number of atoms."""

from aiida_crucible.workflows.speed.workchain import SpeedWorkChain

__all__ = ["SpeedWorkChain"]
