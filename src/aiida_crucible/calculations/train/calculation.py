"""Training of a model on a dataset, by its package's own trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, RemoteData
from ase import Atoms

from aiida_crucible.analysis.datasets.frames import SPLITS
from aiida_crucible.calculations.base import EngineCalculation
from aiida_crucible.calculations.run_folder import ContinuesRunFolder, name_of, restart_folder_check
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.training.dataset import DatasetData
from crucible_engine.families.registry import find_family
from crucible_engine.job.preflight import check_structure
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.tasks.train.parameters import DETAILS
from crucible_engine.tasks.train.settings import settings_for
from crucible_engine.wire.labels import Labels, write_labels
from crucible_engine.wire.schema import LABELS_FILE, REACHED_FILE, RUN_FOLDER, TRAINED_FILE, EngineError


class TrainCalculation(ContinuesRunFolder, EngineCalculation):
    """Train a model on a dataset: fine-tuned, or one like it from scratch.

    A training that diverges is a result and no failed job: `results` says at which step. What a training keeps on the
    computer (its checkpoint, in the folder ``run``) is copied there into the job that continues it.
    """

    TASK = "train"
    TREATED = ("dataset",)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what is trained on and what comes of it."""
        super().define(spec)
        spec.input_nodes(
            DatasetData,
            check_dataset,
            dataset="Labelled frames, with the energies on the model's zero and each frame on its side.",
        )
        spec.input_nodes(
            RemoteData,
            restart_folder_check(cls.TASK),
            required=False,
            restart_from="The `remote_folder` of an unfinished job with the same inputs, which is continued.",
        )
        spec.output_nodes(
            ModelData,
            trained="The trained potential: the weights with the smallest loss of the validation. None comes of a "
            "training that diverged in its first epoch.",
        )
        spec.output_nodes(
            ArrayData,
            curves="A number an epoch, arrays of `crucible_engine.wire.training.CURVES`: losses and mean absolute "
            "errors of training and validation (eV/atom, eV/Å, eV/Å³), learning rate, duration (s).",
            properties="What the trained potential answers for the frames of the dataset, in their order: `energies` "
            "[n] (eV), `forces` [n_atoms_total, 3] (eV/Å), `stresses` [n, 6] (eV/Å³), `n_atoms` [n].",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that the model's family can train so, and a continued training its own past."""
        super().check_inputs(inputs, ports)
        if "model" in inputs and inputs.get("parameters") is not None:
            check_method(inputs["model"], inputs["parameters"].get_dict())
        check_continuation(inputs)

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of the dataset."""
        dataset: DatasetData | None = inputs.get("dataset")
        return {} if dataset is None else {f"dataset {dataset.title}": set(dataset.elements)}

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the frames."""
        for index, atoms in enumerate(self.inputs.dataset.frames().atoms()):
            yield f"frame {index}", atoms

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the job and the labels."""
        info = super().prepare_for_submission(folder)
        with folder.open(LABELS_FILE, "wb") as stream:
            write_labels(stream, labels_of(self.inputs.dataset))
        info.provenance_exclude_list.append(LABELS_FILE)
        info.retrieve_temporary_list += [TRAINED_FILE, f"{RUN_FOLDER}/{REACHED_FILE}"]
        return info


def labels_of(dataset: DatasetData) -> Labels:
    """Return the labels of a dataset as they cross the wire."""
    frames = dataset.frames()
    return Labels(frames.energies, frames.forces, frames.stresses, dataset.sides)


def check_dataset(dataset: DatasetData) -> None:
    """Refuse a dataset that nothing can be trained on.

    :raises ValueError: one line.
    """
    frames = dataset.frames()
    for side in SPLITS[:2]:
        if not dataset.count(side):
            raise ValueError(
                f"dataset {dataset.title} has no frame for {side}: `aiida-crucible dataset split {dataset.pk}` puts "
                "its frames on other sides"
            )
    for index, atoms in enumerate(frames.atoms()):
        try:
            check_structure(f"frame {index}", atoms)
        except EngineError as error:
            raise ValueError(f"dataset {dataset.title}: {error.message}: leave the frame out") from None


def check_method(model: ModelData, given: Mapping[str, Any]) -> None:
    """Refuse what the family of a model cannot train.

    :raises ValueError: one line.
    """
    if model.n_members:
        raise ValueError(f"model {model.title} has {model.n_members} members: train each of them on its own")
    settings_for(find_family(model.family), validate_parameters("train", dict(given)))


def check_continuation(inputs: Mapping[str, Any]) -> None:
    """Refuse to continue what is on another computer, or of another dataset, model or parameters.

    :raises ValueError: one line.
    """
    restart_from: RemoteData | None = inputs.get("restart_from")
    if restart_from is None:
        return
    name, code, job = name_of(restart_from), inputs.get("code"), restart_from.creator
    if code is not None and code.computer is not None and code.computer.uuid != restart_from.computer.uuid:
        raise ValueError(
            f"{name} is on computer {restart_from.computer.label!r}, but the code runs on {code.computer.label!r}: use "
            "a code where the checkpoint is"
        )
    if job is None:
        return
    begun = f"{name} was begun by {job.process_label}<{job.pk}>"
    for label in ("dataset", "model"):
        given = inputs.get(label)
        if given is not None and given.uuid != job.inputs[label].uuid:
            raise ValueError(f"{begun} with another {label}: give the same, or start anew")
    if inputs.get("parameters") is not None:
        ours, theirs = (
            validate_parameters("train", node.get_dict()) for node in (inputs["parameters"], job.inputs.parameters)
        )
        different = [key for key in ours if key not in DETAILS and ours[key] != theirs[key]]
        if different:
            raise ValueError(
                f"{begun} with {different[0]} {theirs[different[0]]!r}, not {ours[different[0]]!r}: give the same, or "
                "start anew"
            )
