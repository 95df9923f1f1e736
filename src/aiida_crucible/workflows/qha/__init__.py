"""Thermal expansion and heat capacity in the quasi-harmonic approximation."""

from aiida_crucible.workflows.qha.workchain import QuasiHarmonicWorkChain

__all__ = ["QuasiHarmonicWorkChain"]
