"""What ``aiida-crucible dataset import`` does, as Python functions.

Everything is read before anything is stored, so that what does not fit leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiida.orm import Data, Dict, FolderData, SinglefileData

from aiida_crucible.analysis.datasets.settings import validate_split
from aiida_crucible.datasets import calcfunctions
from aiida_crucible.datasets.settings import validate_dataset
from aiida_crucible.nodes.file_digest import describe_file, is_file, is_folder
from aiida_crucible.nodes.lookup import find_node
from aiida_crucible.nodes.training.dataset import DatasetData
from aiida_crucible.references.trajectories.deepmd import files_of

LARGEST_FILE = 500_000_000
"""Bytes of a file, which enters the provenance."""


def import_dataset(sources: Sequence[str | Path | int | Data], **settings: Any) -> DatasetData:
    """Import labelled frames as one dataset.

    :param sources: files (extxyz, an ASE trajectory, a vasprun.xml …), nodes with labels, or their PKs.
    :param settings: see :data:`aiida_crucible.datasets.settings.DATASET`; ``theory`` is required.
    :return: the stored node.
    :raises ValueError: one line that names the file, the frame and what does not fit.
    """
    if not sources:
        raise ValueError("there is nothing to import: give a file, or the PK of a trajectory with labels")
    complete = validate_dataset(settings)
    nodes = {f"file_{number:04d}": _node_of(source) for number, source in enumerate(sources)}
    parameters = Dict(complete)
    made = calcfunctions.make_dataset(nodes, complete)
    with calcfunctions.already_made(parameters, made):
        dataset: DatasetData = calcfunctions.import_dataset(parameters, **nodes)
    return dataset


def split_dataset(dataset: DatasetData, **settings: Any) -> DatasetData:
    """Make a dataset with the frames of another on other sides.

    :param settings: see :data:`aiida_crucible.analysis.datasets.settings.SPLIT`.
    :raises ValueError: one line, if a side would be empty.
    """
    complete = validate_split(settings)
    calcfunctions.divided(dataset.frames(), list(dataset.sources), complete, {})
    divided: DatasetData = calcfunctions.split_dataset(dataset, Dict(complete))
    return divided


def find_dataset(name: str) -> DatasetData:
    """Return the dataset that a user names by PK, UUID or label.

    :raises ValueError: one line, if there is none.
    """
    node = find_node(name, "dataset", "`aiida-crucible dataset list` shows them")
    if not isinstance(node, DatasetData):
        raise ValueError(
            f"node {name} is a {type(node).__name__}, no dataset: `aiida-crucible dataset list` shows them"
        )
    return node


def _node_of(source: str | Path | int | Data) -> Data:
    if isinstance(source, Data):
        return source
    source = str(source)
    if source.isdigit() and not is_file(Path(source)):
        return find_node(source, "trajectory or dataset", "or a file")
    if is_folder(Path(source)):
        return _folder(Path(source).resolve())
    file = describe_file(source)
    if file.size > LARGEST_FILE:
        raise ValueError(f"{file.path.name} has more than {LARGEST_FILE} bytes: give a part of it, or thin it out")
    return SinglefileData(file.path)


def _folder(path: Path) -> FolderData:
    """Return a folder of deepmd, with the files that are read."""
    node, total = FolderData(), 0
    for name in files_of(path):
        total += (path / name).stat().st_size
        if total > LARGEST_FILE:
            raise ValueError(f"folder {path.name} has more than {LARGEST_FILE} bytes: give a part of it")
        node.base.repository.put_object_from_file(str(path / name), name)
    node.label = path.name
    return node
