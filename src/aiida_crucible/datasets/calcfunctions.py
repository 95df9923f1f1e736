"""Datasets with provenance: the files or nodes, how they were read, and what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Data, Dict, FolderData, SinglefileData

from aiida_crucible.analysis.datasets.examination import describe_sides, examine, find_duplicates
from aiida_crucible.analysis.datasets.frames import LabelledFrames
from aiida_crucible.analysis.datasets.settings import SPLIT, validate_split
from aiida_crucible.analysis.datasets.splits import blocks_of, split_frames
from aiida_crucible.datasets.reading import gathered, read_file, read_node
from aiida_crucible.datasets.settings import labels_settings, validate_dataset
from aiida_crucible.nodes.file_digest import describe_file
from aiida_crucible.nodes.training.dataset import DatasetData
from aiida_crucible.references.settings import citation_of

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""

Read = tuple[LabelledFrames, list[str]]

_READ: dict[str, DatasetData] = {}
"""What was made already, by the UUID of its parameters: a large file is not read twice."""


@calcfunction
def import_dataset(parameters: Dict, **nodes: Data) -> DatasetData:
    """Return the labelled frames of files and nodes as one dataset, examined and split.

    :param parameters: see :data:`aiida_crucible.datasets.settings.DATASET`.
    :param nodes: ``file_0`` …: files, trajectories with labels, or datasets, in the order of their names.
    """
    made = _READ.pop(parameters.uuid, None)
    return made if made is not None else make_dataset(nodes, parameters.get_dict())


@calcfunction
def split_dataset(dataset: DatasetData, parameters: Dict) -> DatasetData:
    """Return the same frames on other sides.

    :param parameters: see :data:`aiida_crucible.analysis.datasets.settings.SPLIT`.
    """
    settings = validate_split(parameters.get_dict())
    return divided(dataset.frames(), list(dataset.sources), settings, dataset.attributes_for())


def make_dataset(nodes: Mapping[str, Data], given: Mapping[str, Any]) -> DatasetData:
    """Return what :func:`import_dataset` does, without provenance.

    :raises ValueError: one line that names the file or node and what is wrong.
    """
    settings = validate_dataset(given)
    parts: list[Read] = []
    files = []
    for name in sorted(nodes):
        node = nodes[name]
        if isinstance(node, SinglefileData | FolderData):
            with as_path(node) as path:
                parts.append(read_file(path, labels_settings(settings)))
                files.append(describe_file(path).as_dict() if path.is_file() else {"name": path.name})
        else:
            parts.append(read_node(node))
            files.append({"name": node.label or type(node).__name__, "uuid": node.uuid})
    frames, sources = gathered(parts, settings["temperature"])
    attributes = {"theory": settings["theory"], "files": files, "citation": citation_of(settings)}
    return divided(frames, sources, {name: settings[name] for name in SPLIT}, attributes)


def divided(
    frames: LabelledFrames, sources: list[str], settings: Mapping[str, Any], attributes: Mapping[str, Any]
) -> DatasetData:
    """Return a new dataset of frames, examined and split.

    :param settings: of the split, complete.
    :param attributes: what else the node says, see :class:`aiida_crucible.nodes.training.dataset.DatasetData`.
    :raises ValueError: one line, if a side would be empty.
    """
    blocks = blocks_of(frames, settings, find_duplicates(frames))
    sides = split_frames(frames, blocks, sources, settings)
    said = {
        "sources": sources,
        "examination": {**examine(frames, sources), "sides": describe_sides(sides, blocks)},
        "split": dict(settings),
    }
    return DatasetData.of(frames, sides, blocks, {**attributes, **said})


@contextmanager
def as_path(node: SinglefileData | FolderData) -> Iterator[Path]:
    """Write a file or a folder to a place where a reader finds it under its own name."""
    with TemporaryDirectory() as folder:
        if isinstance(node, SinglefileData):
            path = Path(folder) / node.filename
            with node.open(mode="rb") as stream, path.open("wb") as target:
                shutil.copyfileobj(stream, target)
        else:
            path = Path(folder) / (Path(node.label).name or "folder")
            node.base.repository.copy_tree(path)
        yield path


@contextmanager
def already_made(parameters: Dict, dataset: DatasetData) -> Iterator[None]:
    """Hand what was made to :func:`import_dataset`, which would make the same again.

    :param parameters: those of the import, which belong to it alone.
    """
    _READ[parameters.uuid] = dataset
    try:
        yield
    finally:
        _READ.pop(parameters.uuid, None)
