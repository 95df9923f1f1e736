"""ASE's effective medium theory: a toy for tests and for a first try without torch."""

from __future__ import annotations

import hashlib
import json

from ase.calculators.emt import EMT, parameters
from ase.data import atomic_numbers

from crucible_engine.models.base import Identity
from crucible_engine.models.calculator_model import CalculatorModel
from crucible_engine.models.weights import require_digest
from crucible_engine.schema import Condition, EngineError, ModelReference


def load(reference: ModelReference, device: str) -> CalculatorModel:
    """Return the toy.

    It has no file of weights; its digest is that of ASE's table of parameters.

    :raises EngineError: ``DEVICE_UNAVAILABLE`` for any other device than the CPU, ``WEIGHTS_MISMATCH``.
    """
    if device not in ("auto", "cpu"):
        raise EngineError(Condition.DEVICE_UNAVAILABLE, f"device {device!r} is not there: emt runs on the cpu only")
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
    require_digest(digest, reference.sha256, "emt")
    identity = Identity("emt", digest, reference.dtype, "cpu", reference.name)
    return CalculatorModel(EMT(), identity, frozenset(atomic_numbers[symbol] for symbol in parameters))
