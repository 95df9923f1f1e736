"""What choosing between a model's two kinds of forces, or using both, needs: refused before any model is loaded.

Only the standard library is imported, since both sides of the wire refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.families.registry import require_direct_forces
from crucible_engine.wire.rules import Parameter
from crucible_engine.wire.schema import Condition, EngineError

PARAMETERS: dict[str, Parameter] = {
    "forces": Parameter(
        str,
        None,
        "of a model that has both kinds; null is what its settings choose",
        choices=("conservative", "direct"),
    ),
    "direct_steps": Parameter(
        int,
        None,
        "multiple time stepping: steps with the model's direct forces between two corrections to conservative ones; "
        "null is none",
        minimum=1,
        maximum=1000,
    ),
}

SUPPORTED = ("nve", "nvt-langevin", "nvt-bussi")
"""Ensembles that multiple time stepping knows."""

WHOLE = ("steps", "series_interval", "frame_interval")
"""Parameters that are multiples of ``direct_steps``: between two corrections there is no energy that is conserved."""


def needs_both_forces(values: Mapping[str, Any]) -> str | None:
    """Return what of the complete parameters of dynamics needs a model with both kinds of forces; ``None`` if nothing.

    :return: words that begin with the task's name.
    """
    asked = next((name for name in ("direct_steps", "forces") if values[name] is not None), None)
    return None if asked is None else f"dynamics with {asked} {values[asked]!r}"


def complaint_about(values: Mapping[str, Any]) -> str | None:
    """Return one line about parameters of dynamics, complete, that cannot be right together; ``None`` if they can."""
    steps, asked = values["direct_steps"], needs_both_forces(values)
    if asked is not None and values["backend"] == "lammps":
        return f"{asked} means nothing to LAMMPS, which knows one kind of forces: leave it out, or choose backend 'ase'"
    if steps is None:
        return None
    if values["forces"] is not None:
        return (
            f"parameter 'forces' of dynamics is {values['forces']!r}, but direct_steps uses both kinds: leave one of "
            "them out"
        )
    if values["ensemble"] not in SUPPORTED:
        return (
            f"parameter 'direct_steps' of dynamics means nothing to {values['ensemble']}: leave it out, or choose "
            f"{' or '.join(SUPPORTED)}"
        )
    for name in WHOLE:
        if values[name] % steps:
            return (
                f"parameter {name!r} of dynamics is {values[name]}, which is no multiple of direct_steps {steps}: only "
                f"there are energies those of the conservative forces: give {next_multiple(values[name], steps)}"
            )
    return None


def check_family(values: Mapping[str, Any], family: str, settings: dict[str, Any] | None = None) -> None:
    """Refuse a family whose models have one kind of forces where both are needed.

    :param settings: of the model; ``None`` where they are not known.
    :raises EngineError: ``CAPABILITY_MISSING``.
    """
    needed = needs_both_forces(values)
    if needed is None:
        return
    try:
        require_direct_forces(family, settings)
    except ValueError as error:
        raise EngineError(Condition.CAPABILITY_MISSING, f"{needed} needs both kinds of forces: {error}") from None


def next_multiple(value: int, steps: int) -> int:
    """Return the smallest multiple of ``direct_steps`` that is no less than a number of steps."""
    return -(-value // steps) * steps
