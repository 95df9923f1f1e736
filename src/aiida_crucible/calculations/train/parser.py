"""Parser of ``crucible.train``: the trained potential as a node, its curves, and what it answers for the frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.orm import ArrayData, Data

from aiida_crucible.calculations.exit_codes import ARRAYS_MISMATCH, ARRAYS_UNREADABLE, RESULTS_UNREADABLE
from aiida_crucible.calculations.output_files import (
    Arrays,
    OutputError,
    bytes_of_properties,
    read_arrays,
    require_arrays,
)
from aiida_crucible.calculations.parser import EngineParser, Unfinished
from aiida_crucible.nodes.bounds import LARGEST_ANSWER
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.training.dataset import DatasetData
from crucible_engine.families.weights import digest
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.arrays import Layout
from crucible_engine.wire.journal import Record
from crucible_engine.wire.schema import ARRAYS_FILE, REACHED_FILE, TRAINED_FILE, Results
from crucible_engine.wire.training import CURVES
from crucible_engine.wire.value_types import parse_json, require_type

PROPERTIES = ("energies", "forces", "stresses", "n_atoms")

WAYS = {"full": "fine-tuned", "frozen": "last layers fine-tuned", "scratch": "trained from scratch"}


class TrainParser(EngineParser):
    """The trained potential, its curves and its answers; of an unfinished job how far its checkpoint is."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return what a training has left; one that diverged in its first epoch leaves no potential."""
        sizes = self._dataset.sizes
        n_epochs: int = validate_parameters("train", self.node.inputs.parameters.get_dict())["epochs"]
        arrays = read_arrays(temporary / ARRAYS_FILE, bytes_of_properties(sizes) + 8 * len(CURVES) * n_epochs)
        check_curves(arrays, n_epochs)
        outputs: dict[str, Data] = {}
        if len(arrays["epoch"]):
            outputs["curves"] = ArrayData({name: np.asarray(arrays[name]) for name in CURVES})
        wanted = self._results.summary.get("weights")
        if wanted is None:
            return outputs
        check_answers(arrays, sizes)
        outputs["properties"] = ArrayData({name: np.asarray(arrays[name]) for name in PROPERTIES})
        outputs["trained"] = self._trained(temporary / TRAINED_FILE, str(wanted))
        return outputs

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Say in the summary how far the checkpoint is, which stays on the computer."""
        del records
        reached = read_reached(temporary / REACHED_FILE)
        return {}, {} if reached is None else {"checkpoint": reached}

    @property
    def _dataset(self) -> DatasetData:
        dataset: DatasetData = self.node.inputs.dataset
        return dataset

    def _read_results(self) -> Results | None:
        results = super()._read_results()
        if results is not None:
            self._results = results
        return results

    def _trained(self, path: Path, wanted: str) -> ModelData:
        """Return the node of the trained potential, a new one whether there is another of the same weights or not.

        :raises OutputError: if the file is missing, or is not the one that the engine has written.
        """
        if not path.is_file():
            raise OutputError(ARRAYS_UNREADABLE, f"{path.name} was not retrieved")
        if digest(path) != wanted:
            raise OutputError(ARRAYS_MISMATCH, f"{path.name} has another sha256 than the results say")
        parent, dataset = self.node.inputs.model, self._dataset
        method = str(self._results.summary.get("method"))
        known = description_of(parent, dataset, method)
        try:
            node = ModelData.of_file(parent.family, path, parent.dtype, parent.settings, **known)
        except ValueError as error:
            raise OutputError(RESULTS_UNREADABLE, str(error)) from None
        node.label = f"{parent.label or parent.title}, {WAYS.get(method, method)} on {dataset.label or dataset.title}"
        return node


def description_of(parent: ModelData, dataset: DatasetData, method: str) -> dict[str, Any]:
    """Return what is known of a potential that was trained.

    A fine-tuned one still has the weights of the elements that its parent knew; one from scratch has the dataset's
    alone.
    """
    functional, _, corrections = dataset.theory.partition("+")
    elements = dataset.elements if method == "scratch" or parent.elements is None else parent.elements
    before = "" if method == "scratch" or not parent.training_set else f"{parent.training_set}, then "
    found = {
        "functional": functional,
        "hubbard_u": "U" in corrections.split("+"),
        "dispersion": "D" in corrections.split("+"),
        "training_set": f"{before}{dataset.title}",
        "elements": elements,
    }
    return found if method == "scratch" or not parent.licence else {**found, "licence": parent.licence}


def check_curves(arrays: Arrays, n_epochs: int) -> None:
    """Check that curves belong to each other and to the job.

    :raises OutputError: one line that names the array.
    """
    require_arrays(arrays, {"epoch": Layout("f", (None,))})
    done = len(arrays["epoch"])
    if done > n_epochs:
        raise OutputError(ARRAYS_MISMATCH, f"there are {done} epochs where {n_epochs} were asked for")
    require_arrays(arrays, dict.fromkeys(CURVES, Layout("f", (done,))))


def check_answers(arrays: Arrays, sizes: list[int]) -> None:
    """Check that what a potential answers belongs to the frames.

    :raises OutputError: one line that names the array.
    """
    n, total = len(sizes), sum(sizes)
    layouts = {"energies": ("f", (n,)), "forces": ("f", (total, 3)), "stresses": ("f", (n, 6)), "n_atoms": ("i", (n,))}
    require_arrays(arrays, {name: Layout(*layout) for name, layout in layouts.items()})
    if arrays["n_atoms"].tolist() != sizes:
        raise OutputError(ARRAYS_MISMATCH, "the frames have other numbers of atoms than the dataset")


def read_reached(path: Path) -> dict[str, int] | None:
    """Return how far a checkpoint is: ``epoch`` and ``step``; ``None`` where none is there, or a damaged one."""
    try:
        with path.open("rb") as stream:
            content = parse_json(stream.read(LARGEST_ANSWER))
        require_type("the file", content, dict[str, int])
        return {"epoch": content["epoch"], "step": content["step"]}
    except (OSError, ValueError, KeyError):
        return None
