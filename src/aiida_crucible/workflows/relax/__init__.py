"""Relaxation."""

from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain

__all__ = ["RelaxBaseWorkChain", "RelaxWorkChain"]
