"""What the members of an ensemble make of a sweep's averages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import ArrayData, Dict, Str, StructureData, TrajectoryData

from aiida_crucible.analysis.crystal.cells import formula_units
from aiida_crucible.analysis.crystal.mapping import find_sites
from aiida_crucible.analysis.dynamics.lattice_series import lattice_series
from aiida_crucible.analysis.dynamics.sweep_settings import strained_unit_cell, validate_sweep
from aiida_crucible.analysis.dynamics.temperature_run import evenly_spaced
from aiida_crucible.analysis.statistics.reweighting import FEWEST_EFFECTIVE, reweight
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, YES, Answer
from aiida_crucible.nodes.structures import to_atoms

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def weigh_members(
    structure: StructureData,
    supercell: StructureData,
    parameters: Dict,
    *,
    results: Dict,
    replica: Str,
    trajectory: TrajectoryData,
    properties: ArrayData,
) -> Dict:
    """Return the lattice parameters that each member would have found in a run at one temperature.

    :param structure: the unit cell.
    :param supercell: made of it.
    :param parameters: see :mod:`aiida_crucible.analysis.dynamics.sweep_settings`.
    :param results: of the job that ran.
    :param replica: label of the run in the job.
    :param trajectory: its frames.
    :param properties: what the model and its members say of them, see ``crucible.evaluate``.
    :return: ``temperature`` (K), and see :meth:`aiida_crucible.analysis.statistics.reweighting.Reweighted.describe`.
    """
    summary = results.get_dict()["summary"]["replicas"][replica.value]
    unit_cell = strained_unit_cell(validate_sweep(parameters.get_dict()), to_atoms(structure))
    frames = evenly_spaced(trajectory.get_stepids(), int(summary["averages"]["from_step"]))
    sites = find_sites(to_atoms(supercell), unit_cell)
    lattice = lattice_series(trajectory.get_cells()[frames], sites.matrix, formula_units(unit_cell))
    found = reweight(
        properties.get_array("energies")[frames],
        properties.get_array("ensemble_energies")[frames],
        summary["temperature"],
        lattice.values,
    )
    return Dict({"temperature": summary["temperature"], **found.describe()})


@calcfunction
def summarise_members(**members: Dict) -> Dict:
    """Return whether the members say how far a sweep's averages may be off.

    :param members: by temperature, see :func:`weigh_members`.
    :return: ``question``, ``answer`` (yes, cannot-tell), ``reason``, and as ``evidence`` for each temperature what its
        run says.
    """
    by_label = {label: node.get_dict() for label, node in members.items()}
    open_ones = [entry for entry in by_label.values() if not entry["known"]]
    return Dict(asdict(_answer(by_label, open_ones)))


def _answer(by_label: dict[str, Any], open_ones: list[dict[str, Any]]) -> Answer:
    question = "Do the members of the ensemble say how far the averages may be off?"
    if not open_ones:
        widths = [entry["intervals"]["volume"] / entry["means"]["volume"] for entry in by_label.values()]
        reason = f"another member's volume would differ by at most {100 * max(widths):.2g} %"
        return Answer(question, YES, reason, by_label)
    worst = min(open_ones, key=lambda entry: min(entry["effective_samples"]))
    where, counted = f"at {worst['temperature']:g} K", min(worst["effective_samples"])
    if worst["n_independent"] < FEWEST_EFFECTIVE:
        found = f"{worst['n_independent']:.2g} of the frames are independent"
        reason = f"{where} {found}, where {FEWEST_EFFECTIVE:g} are needed: run longer, and keep more frames"
    else:
        reason = (
            f"{where} {counted:.2g} of {worst['n_independent']:.3g} independent frames count for a member, where "
            f"{FEWEST_EFFECTIVE:g} are needed: its energy of the cell strays by {max(worst['spreads']):.2g} kT; take a "
            "smaller cell, or members that agree better"
        )
    return Answer(question, CANNOT_TELL, reason, by_label)
