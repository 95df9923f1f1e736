"""Verification of a model in an environment."""

from aiida_crucible.workflows.verify.workchain import VerifyWorkChain

__all__ = ["VerifyWorkChain"]
