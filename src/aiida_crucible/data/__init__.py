"""Data types of the provenance graph."""

from aiida_crucible.data.model import ModelData

__all__ = ("ModelData",)
