"""Lattice thermal conductivity."""

from aiida_crucible.workflows.conductivity.workchain import ConductivityWorkChain

__all__ = ["ConductivityWorkChain"]
