"""The CalcJob ``crucible.similarity`` and its parser."""

from aiida_crucible.calculations.similarity.calculation import SimilarityCalculation

__all__ = ["SimilarityCalculation"]
