"""The models of ASE's EMT that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

from pathlib import Path

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case

CASES = (Case("emt", "emt", "emt", metals=True),)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator."""
    from ase.calculators.emt import EMT

    return EMT()
