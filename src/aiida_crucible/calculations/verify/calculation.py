"""Verification of a model in an environment, before its numbers are believed: the CalcJob and its parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiida.engine import CalcJobProcessSpec
from aiida.orm import Data
from ase import Atoms

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation
from aiida_crucible.calculations.parser import EngineParser
from aiida_crucible.calculations.ports import structures_input
from aiida_crucible.nodes.structures import to_atoms


class VerifyCalculation(EngineCalculation):
    """Verify a model on small random crystals of its elements, and on structures where some are given.

    A model that fails is a result and no failed job: ``results`` has the outcome ``failed``, and in its summary the
    checks and the names of the faults.
    """

    TASK = "verify"
    VERIFIES = True

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to verify on."""
        super().define(spec)
        structures_input(
            spec,
            "What to verify the model on as well, slightly distorted; the random crystals are then of their elements.",
            required=False,
        )

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure."""
        return validation.symbols_of(inputs.get("structures"))

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the structures in the order of their sorted keys."""
        for key, structure in sorted(self.inputs.get("structures", {}).items()):
            yield key, to_atoms(structure)


class VerifyParser(EngineParser):
    """All that a verification says is in ``results``."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return no further outputs."""
        del temporary
        return {}
