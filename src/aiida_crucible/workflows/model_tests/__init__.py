"""Tests of a model whatever the material."""

from aiida_crucible.workflows.model_tests.workchain import ModelTestsWorkChain

__all__ = ["ModelTestsWorkChain"]
