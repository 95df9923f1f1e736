"""Labelled frames from files of other programs and from nodes, as columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aiida.orm import Data, TrajectoryData
from ase import Atoms

from aiida_crucible.analysis.datasets.frames import LabelledFrames, joined
from aiida_crucible.nodes.structures import trajectory_to_atoms
from aiida_crucible.nodes.training.dataset import DatasetData
from aiida_crucible.references.labels import Group, read_labels

KELVIN = re.compile(r"(?<![\w.])(?:\w*[-_])?(\d+(?:\.\d+)?) ?K(?![\w])")
"""A temperature in the name of a source: ``PT-300K``, ``450 K``."""


def read_file(path: Path, settings: Mapping[str, Any]) -> tuple[LabelledFrames, list[str]]:
    """Return the frames of a file in their order, and the names of their sources.

    :param path: see :func:`aiida_crucible.references.labels.read_labels`.
    :param settings: of the labels, complete.
    :raises ValueError: one line that names the file and the frame.
    """
    groups = read_labels(path, settings)
    sources = sorted({name for group in groups for name in group.subsets})
    parts = [_of_group(group, sources) for group in groups]
    frames = joined(parts)
    return frames.taken(np.argsort(frames.places, kind="stable")), sources


def _of_group(group: Group, sources: Sequence[str]) -> LabelledFrames:
    n, n_atoms = len(group.energies), len(group.atoms)
    stresses = np.full((n, 6), np.nan) if group.stresses is None else group.stresses
    return LabelledFrames(
        numbers=np.tile(group.atoms.numbers.astype(np.int64), n),
        positions=group.positions.reshape(-1, 3),
        forces=group.forces.reshape(-1, 3),
        n_atoms=np.full(n, n_atoms, dtype=np.int64),
        cells=group.cells,
        pbc=np.tile(group.atoms.pbc, (n, 1)),
        energies=group.energies,
        stresses=stresses,
        files=np.zeros(n, dtype=np.int64),
        places=group.places,
        sources=np.array([sources.index(name) for name in group.subsets] or [0] * n, dtype=np.int64),
        temperatures=group.temperatures,
    )


def read_node(node: Data) -> tuple[LabelledFrames, list[str]]:
    """Return the frames of a node that has labels, and the names of their sources.

    :param node: a dataset, or a trajectory with arrays ``energies`` (eV), ``forces`` (eV/Å) and perhaps ``stresses``
        (eV/Å³), as imported references and labelled sets have them.
    :raises ValueError: one line.
    """
    if isinstance(node, DatasetData):
        return node.frames(), list(node.sources)
    if not isinstance(node, TrajectoryData):
        raise ValueError(f"node {node.pk} is a {type(node).__name__}: give a dataset, or a trajectory with labels")
    names = node.get_arraynames()
    missing = [name for name in ("energies", "forces") if name not in names]
    if missing:
        raise ValueError(
            f"trajectory {node.pk} has no {' and no '.join(missing)}: give one with labels, or evaluate it with the "
            "model that is to teach"
        )
    geometries: list[Atoms] = list(trajectory_to_atoms(node))
    n, n_atoms = len(geometries), len(geometries[0])
    frames = LabelledFrames(
        numbers=np.tile(geometries[0].numbers.astype(np.int64), n),
        positions=np.concatenate([atoms.positions for atoms in geometries]),
        forces=np.asarray(node.get_array("forces"), dtype=float).reshape(-1, 3),
        n_atoms=np.full(n, n_atoms, dtype=np.int64),
        cells=np.array([atoms.cell.array for atoms in geometries]),
        pbc=np.array([atoms.pbc for atoms in geometries]),
        energies=np.asarray(node.get_array("energies"), dtype=float),
        stresses=np.asarray(node.get_array("stresses"), dtype=float)
        if "stresses" in names
        else np.full((n, 6), np.nan),
        files=np.zeros(n, dtype=np.int64),
        places=np.asarray(node.get_stepids(), dtype=np.int64),
        sources=np.zeros(n, dtype=np.int64),
        temperatures=np.full(n, np.nan),
    )
    for name, values in (("energies", frames.energies), ("forces", frames.forces), ("positions", frames.positions)):
        if not np.isfinite(values).all():
            raise ValueError(f"trajectory {node.pk} has {name} that are no finite numbers: leave such frames out")
    return frames, [node.label or f"trajectory {node.pk}"]


def temperature_of(source: str) -> float:
    """Return the temperature that the name of a source tells, K; NaN where it tells none."""
    found = KELVIN.findall(source)
    return float(found[0]) if len(found) == 1 else float("nan")


def gathered(
    parts: Sequence[tuple[LabelledFrames, Sequence[str]]], temperature: float | None
) -> tuple[LabelledFrames, list[str]]:
    """Return the frames of several files together, with the sources of all of them.

    :param temperature: of all frames, K; ``None`` where frames or the names of their sources tell.
    """
    sources = sorted({name for _, names in parts for name in names}) or [""]
    renumbered = []
    for number, (frames, names) in enumerate(parts):
        own = np.array([sources.index(name) for name in names] or [0])
        told = np.array([temperature_of(sources[index]) for index in own[frames.sources]])
        known = np.where(np.isnan(frames.temperatures), told, frames.temperatures)
        columns = {**frames.__dict__, "files": np.full(len(frames), number), "sources": own[frames.sources]}
        columns["temperatures"] = known if temperature is None else np.full(len(frames), temperature)
        renumbered.append(LabelledFrames(**columns))
    return joined(renumbered), sources
