"""Molecular dynamics, continued where it was interrupted."""

from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain

__all__ = ["DynamicsBaseWorkChain"]
