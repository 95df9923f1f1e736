"""The adapter of the family ``ase``: imports the factory that the settings name, and asks it for a calculator."""

from __future__ import annotations

import importlib
from typing import Any

from ase.calculators.calculator import Calculator

from crucible_engine.families.ase.code_digest import digest_of_code
from crucible_engine.families.base import Identity
from crucible_engine.families.calculators import CalculatorModel, gives
from crucible_engine.families.facts import CONSERVATIVE, DIRECT_ARGUMENTS, FORCES
from crucible_engine.wire.schema import Condition, EngineError, ModelReference


def load(reference: ModelReference, device: str) -> CalculatorModel:
    """Return the model whose settings name a factory of ASE calculators.

    What it was trained on and whether it heeds ``dtype`` and ``device`` is unknown: verification has to tell. Its
    digest is that of the code and the packages behind it and of its arguments, the nearest thing to weights that can be
    seen from outside, see :mod:`crucible_engine.families.ase.code_digest`.

    :raises EngineError: ``INVALID_JOB``, if the factory cannot be imported or fails; ``WEIGHTS_MISMATCH``, if it is not
        what the reference says.
    """
    path, arguments = reference.settings["factory"], reference.settings.get("arguments", {})
    factory, direct_arguments = _import_factory(path), reference.settings.get(DIRECT_ARGUMENTS)
    calculator = _make(path, factory, arguments)
    named = arguments if direct_arguments is None else {**arguments, DIRECT_ARGUMENTS: direct_arguments}
    digest = digest_of_code(path, factory, calculator, named)
    if reference.sha256 not in (None, digest):
        raise EngineError(
            Condition.WEIGHTS_MISMATCH,
            f"{path} has sha256 {digest}, but had {reference.sha256} when it was verified: its code, a package or a "
            "file that its arguments name has changed; `aiida-crucible model verify --again` verifies what it is now",
        )
    identity = Identity(
        family=reference.family,
        sha256=digest,
        dtype=reference.dtype,
        device="cpu" if device == "auto" else device,
        settings=reference.settings,
    )
    model = CalculatorModel(calculator, identity, remembers=True)
    if direct_arguments is None:
        return model
    direct = _make(path, factory, {**arguments, **direct_arguments})
    model.beside(CalculatorModel(direct, identity, conservative=False, remembers=True))
    return model.with_forces(reference.settings.get(FORCES, CONSERVATIVE))


def _make(path: str, factory: Any, arguments: dict[str, Any]) -> Calculator:
    try:
        calculator = factory(**arguments)
    except Exception as error:
        raise EngineError(Condition.INVALID_JOB, f"{path} made no calculator: {error}") from error
    if not hasattr(calculator, "get_property"):
        raise EngineError(
            Condition.INVALID_JOB, f"{path} returned {type(calculator).__name__}, which is no ASE calculator"
        )
    for name in ("energy", "forces"):
        if not gives(calculator, name):
            raise EngineError(
                Condition.CAPABILITY_MISSING,
                f"the calculator of {path} gives no {name}, which every task needs: choose another calculator",
            )
    return calculator


def _import_factory(path: str) -> Any:
    module_name, _, attribute = path.partition(":")
    if not attribute:
        raise EngineError(Condition.INVALID_JOB, f"factory {path!r} is not of the form 'package.module:callable'")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            Condition.INVALID_JOB, f"factory {path!r} cannot be imported, {error}: check its spelling and environment"
        ) from error
