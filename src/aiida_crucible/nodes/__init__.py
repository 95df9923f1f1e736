"""Nodes of the provenance graph, and the only place that turns them into arrays and back."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida_crucible.nodes.model import ModelData
    from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms, trajectory_to_atoms

__all__ = ["ModelData", "atoms_to_trajectory", "from_atoms", "to_atoms", "trajectory_to_atoms"]


def __getattr__(name: str) -> Any:
    """Return what the package offers, imported when it is first asked for: ASE takes half a second."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aiida_crucible.nodes import model, structures

    return getattr(model if name == "ModelData" else structures, name)
