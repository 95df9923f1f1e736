"""Environments: one Python environment a model family, built from a lock, registered as an AiiDA Code.

Only :mod:`aiida_crucible.environments.codes`, ``remote`` and ``check`` need AiiDA; :func:`ensure` does not.
"""

from __future__ import annotations

from aiida_crucible.environments.local import ensure
from aiida_crucible.environments.problems import CudaRefusedError, ModelEnvironmentError
from aiida_crucible.environments.specification import Specification, TorchBuild

__all__ = ["CudaRefusedError", "ModelEnvironmentError", "Specification", "TorchBuild", "ensure"]
