"""A temperature sweep with provenance: its curves, transitions and answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData

from aiida_crucible.analysis.crystal.cells import space_group
from aiida_crucible.analysis.dynamics.start import begins_in_given_crystal, first_start, judge_start
from aiida_crucible.analysis.dynamics.sweep_settings import (
    temperature_label,
    validate_sweep,
)
from aiida_crucible.analysis.dynamics.temperature_record import DONE, NOT_RUN, TemperatureRecord
from aiida_crucible.analysis.dynamics.temperature_sweep import answer_questions, curves, find_transitions
from aiida_crucible.nodes.structures import to_atoms
from crucible_engine.tasks.parameters import validate_parameters

SYMMETRY_TOLERANCE = 1e-3
"""Å; with which the space group of the given structure is found."""

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def summarise_sweep(
    structure: StructureData, parameters: Dict, missing: Dict, dynamics: Dict, **analyses: Dict
) -> dict[str, Data]:
    """Return what the runs of a sweep say together.

    :param structure: the unit cell that was run.
    :param parameters: see :mod:`aiida_crucible.analysis.dynamics.sweep_settings`.
    :param missing: for each temperature that has no analysis, by label, ``state`` and ``reason``.
    :param dynamics: parameters of the runs, see :mod:`crucible_engine.tasks.dynamics.parameters`.
    :param analyses: of the others, by label, see
        :func:`aiida_crucible.workflows.sweep.calcfunctions.analyse_temperature`.
    :return: ``curves``, ``analysis`` (by label), ``transitions`` and ``summary``, see
        :class:`aiida_crucible.workflows.sweep.workchain.TemperatureSweepWorkChain`.
    """
    settings = validate_sweep(parameters.get_dict())
    given = missing.get_dict()
    by_label: dict[str, dict[str, Any]] = {}
    records = []
    for temperature in settings["temperatures"]:
        label = temperature_label(temperature)
        values = analyses[label].get_dict() if label in analyses else {}
        entry = (
            {"state": DONE, "reason": values["reason"]}
            if values
            else given.get(label, {"state": NOT_RUN, "reason": ""})
        )
        by_label[label] = {"temperature": temperature, **entry, **values}
        # What acts on a hot crystal is no cause of what becomes of it.
        told = values if begins_in_given_crystal(settings, label) else {**values, "start": None}
        records.append(
            TemperatureRecord(label, temperature, entry["state"], entry["reason"], values.get("outcome"), told)
        )
    transitions = find_transitions(records)
    group = space_group(to_atoms(structure), SYMMETRY_TOLERANCE)
    answers = answer_questions(records, transitions, group, settings["stability_time"])
    answers["start"] = asdict(
        judge_start(first_start(settings, by_label), validate_parameters("dynamics", dynamics.get_dict()))
    )
    return {
        "curves": ArrayData(curves(records)),
        "analysis": Dict(by_label),
        "transitions": Dict(transitions.as_dict()),
        "summary": Dict({**answers, "outcomes": {label: entry.get("outcome") for label, entry in by_label.items()}}),
    }
