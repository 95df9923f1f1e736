"""What is before and after a training, with provenance: labels on the model's zero, and what it has brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict

from aiida_crucible.analysis.datasets.energy_shifts import fit_shift
from aiida_crucible.analysis.datasets.examination import describe_sides, examine
from aiida_crucible.analysis.datasets.training_settings import validate_training
from aiida_crucible.analysis.datasets.training_summary import summarise
from aiida_crucible.analysis.datasets.units import check_units
from aiida_crucible.calculations.train.calculation import labels_of
from aiida_crucible.nodes.training.dataset import DatasetData
from crucible_engine.tasks.train.errors import measure_errors

NUMERICS = 2
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def prepare_training(dataset: DatasetData, properties: ArrayData, parameters: Dict, about: Dict) -> dict[str, Data]:
    """Return the dataset with energies on the model's zero, and a ``report`` on its labels.

    :param properties: what the model answers for the frames, see ``crucible.evaluate``.
    :param parameters: see :data:`aiida_crucible.analysis.datasets.training_settings.SETTINGS`.
    :param about: the model's ``title`` and ``theory``.
    """
    shifted, report = prepared(dataset, properties, parameters.get_dict(), about.get_dict())
    return {"dataset": shifted, "report": Dict(report)}


@calcfunction
def summarise_training(results: Dict, dataset: DatasetData, properties: ArrayData, report: Dict) -> Dict:
    """Return what a training has brought, see :func:`aiida_crucible.analysis.datasets.training_summary.summarise`.

    :param results: of ``crucible.train``.
    :param dataset: that was trained on, with its energies on the model's zero.
    :param properties: what the parent answers for its frames.
    :param report: of :func:`prepare_training`.
    """
    frames = dataset.frames()
    before = measure_errors(labels_of(dataset), answers_of(properties), frames.numbers, frames.n_atoms)
    return Dict(summarise(results.get_dict(), before, report.get_dict()))


def prepared(
    dataset: DatasetData, properties: ArrayData, given: Mapping[str, Any], about: Mapping[str, Any]
) -> tuple[DatasetData, dict[str, Any]]:
    """Return what :func:`prepare_training` does, without provenance.

    :raises ValueError: one line: labels in other units, or energies whose shift is not determined.
    """
    settings = validate_training(given)
    frames, answers = dataset.frames(), answers_of(properties)
    if settings["check_units"]:
        check_units(frames, answers, str(about["title"]))
    shift = fit_shift(frames, answers["energies"], dataset.sides == 0, settings["energy_shift"])
    moved = frames.with_energies(frames.energies - shift.energies)
    held = {**examine(moved, dataset.sources), "sides": describe_sides(dataset.sides, dataset.blocks)}
    attributes = dataset.attributes_for(energy_shift={**shift.report, "model": about["title"]}, examination=held)
    shifted = DatasetData.of(moved, dataset.sides, dataset.blocks, attributes)
    shifted.label = dataset.label
    report = {
        "energy_shift": shift.report,
        "theory": dataset.theory,
        "model_theory": about.get("theory"),
        "elements": list(dataset.elements),
    }
    return shifted, report


def answers_of(properties: ArrayData) -> dict[str, Any]:
    """Return what a model answered as the labels are laid out: forces of all frames one after the other."""
    found = {name: properties.get_array(name) for name in ("energies", "forces")}
    found["forces"] = found["forces"].reshape(-1, 3)
    if "stresses" in properties.get_arraynames():
        found["stresses"] = properties.get_array("stresses")
    return found
