"""One crystal and its phases with many models, beside each other."""

from aiida_crucible.workflows.comparison.workchain import ComparisonWorkChain

__all__ = ["ComparisonWorkChain"]
