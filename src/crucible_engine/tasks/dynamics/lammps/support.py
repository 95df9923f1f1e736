"""Which families LAMMPS computes with, and which structures: what is refused before any model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_engine.families.facts import Family, PairStyle
from crucible_engine.families.registry import FAMILIES, find_family
from crucible_engine.wire.schema import Condition, EngineError

if TYPE_CHECKING:
    from crucible_engine.job.preflight import Survey


def require_pair_style(family: Family) -> PairStyle:
    """Return the pair style of a family.

    :raises EngineError: ``CAPABILITY_MISSING``.
    """
    if family.pair_style is None:
        having = ", ".join(name for name, known in FAMILIES.items() if known.pair_style is not None)
        raise EngineError(
            Condition.CAPABILITY_MISSING,
            f"no pair style of LAMMPS is known for family {family.name!r} (one is for {having}): choose backend 'ase'",
        )
    return family.pair_style


def check_support(survey: Survey, family: str) -> None:
    """Refuse what LAMMPS is not asked for here.

    :raises EngineError: ``CAPABILITY_MISSING`` for a family without a pair style, ``INVALID_STRUCTURE`` for what is not
        periodic in three directions.
    """
    require_pair_style(find_family(family))
    if survey.not_periodic is not None:
        raise EngineError(
            Condition.INVALID_STRUCTURE,
            f"structure {survey.not_periodic!r} is not periodic in three directions, and LAMMPS is given crystals "
            "only: choose backend 'ase'",
        )
