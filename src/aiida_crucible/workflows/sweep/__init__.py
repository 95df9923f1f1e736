"""Molecular dynamics at many temperatures."""

from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain

__all__ = ["TemperatureSweepWorkChain"]
