"""One verdict on a model and a material."""

from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain

__all__ = ["ReliabilityWorkChain"]
