"""Time and memory of a model's force calls against the number of atoms: the CalcJob and its parser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import CalcJobNode, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation, unfinished_input
from aiida_crucible.calculations.parser import EngineParser, Unfinished
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import SIZE_TIMED, Check, speed_check


class SpeedCalculation(EngineCalculation):
    """Time the force calls of a model for a crystal repeated again and again, on an otherwise idle computer.

    All is in ``results``, see :mod:`crucible_engine.tasks.speed.run`; a size that does not fit into the memory is a
    result, too.
    """

    TASK = "speed"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to time."""
        super().define(spec)
        spec.inputs_by_label(
            StructureData, validation.check_structures, structures="What is repeated, each in all periodic directions."
        )
        unfinished_input(spec)

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there is something to time."""
        if "structures" in ports and not inputs.get("structures"):
            raise ValueError("there is nothing to time: give structures")
        super().check_inputs(inputs, ports)

    @classmethod
    def is_valid_cache(cls, node: CalcJobNode) -> bool:
        """Return no: AiiDA hashes neither cores nor what else a computer was doing, and a time depends on both."""
        del node
        return False


class SpeedParser(EngineParser):
    """The sizes that were timed; there are no nodes beside ``results``."""

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Return the sizes that were done."""
        del temporary
        labels = sorted(self.node.inputs.structures)
        done: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            if record.kind == SIZE_TIMED:
                entry = {name: value for name, value in record.fields.items() if name != "index"}
                done.setdefault(labels[record.fields["index"]], []).append(entry)
        return {}, {"sizes": done}

    def record_check(self) -> Check:
        """Return the check of the records of the sizes."""
        inputs = self.node.inputs
        parameters = validate_parameters("speed", inputs.parameters.get_dict())
        return speed_check(len(inputs.structures), parameters["repeats"])
