"""Harmonic phonons."""

from aiida_crucible.workflows.phonon.workchain import PhononWorkChain

__all__ = ["PhononWorkChain"]
