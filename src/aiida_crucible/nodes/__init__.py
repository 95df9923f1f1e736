"""Nodes of the provenance graph, and the only place that turns them into arrays and back."""

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms, trajectory_to_atoms

__all__ = ["ModelData", "atoms_to_trajectory", "from_atoms", "to_atoms", "trajectory_to_atoms"]
