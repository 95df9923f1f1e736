"""Harmonic phonons of a model against those of a reference."""

from aiida_crucible.workflows.harmonic_comparison.workchain import HarmonicComparisonWorkChain

__all__ = ["HarmonicComparisonWorkChain"]
