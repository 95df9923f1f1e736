"""Reading what the engine wrote, without AiiDA: every way a file can be damaged has a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.calculations.dynamics.size import size_of
from aiida_crucible.calculations.exit_codes import (
    ARRAYS_MISMATCH,
    ARRAYS_UNREADABLE,
    PROTOCOL_DIFFERS,
    RESULTS_UNREADABLE,
    Failure,
)
from aiida_crucible.nodes.bounds import LARGEST_MARGIN
from crucible_engine.wire import arrays as arrays_file
from crucible_engine.wire.arrays import Layout, require_layout
from crucible_engine.wire.journal import Record, read_journal
from crucible_engine.wire.records import Check, property_layouts
from crucible_engine.wire.rules import as_line, shown
from crucible_engine.wire.schema import PROTOCOL, RESULTS_FILE, Condition, Results
from crucible_engine.wire.value_types import parse_json, require_fields, require_type

Arrays = Mapping[str, NDArray[Any]]

SUMMARIES: dict[str, Any] = {
    "checks": list[dict[str, Any]],
    "faults": list[str],
    "non_finite": list[str],
    "not_run": list[str],
    "overlaps": list[dict[str, Any]],
    "replicas": dict[str, dict[str, Any]],
    "samplers": dict[str, dict[str, Any]],
    "structures": dict[str, dict[str, Any]],
    "warnings": list[str],
}
"""What the parts of a summary are that WorkChains and reports look into, whichever task they are of."""


class OutputError(Exception):
    """Something that the engine wrote cannot be used.

    :param failure: the exit code.
    :param detail: one line that goes into its message.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def read_results(text: str) -> Results:
    """Return the content of ``results.json``.

    :raises OutputError: if it is truncated, no such file, or of another protocol.
    """
    try:
        content = parse_json(text)
        protocol = content["protocol"]
    except (ValueError, TypeError, KeyError) as error:
        raise OutputError(RESULTS_UNREADABLE, f"{RESULTS_FILE} is damaged ({error})") from None
    if protocol != PROTOCOL or isinstance(protocol, bool):
        raise OutputError(PROTOCOL_DIFFERS, f"the engine wrote {shown(protocol)}, this package reads {PROTOCOL}")
    try:
        require_fields(Results, content, "results")
        results = Results(**content)
        Condition(results.condition)
        _require_summary(results)
    except ValueError as error:
        raise OutputError(RESULTS_UNREADABLE, f"{RESULTS_FILE} has unexpected fields ({error})") from None
    results.message = as_line(results.message)
    if results.condition != Condition.FINISHED and not results.message:
        results.message = f"the engine gave no reason why the job is {results.condition}"
    return results


def _require_summary(results: Results) -> None:
    for name, kind in SUMMARIES.items():
        if name in results.summary:
            require_type(f"{name} of the summary", results.summary[name], kind)
    for name in ("replicas", "structures"):
        for label, part in results.summary.get(name, {}).items():
            require_type(f"the outcome of {label}", part.get("outcome"), str)


def read_arrays(path: Path, promised: int) -> dict[str, NDArray[Any]]:
    """Return the members of ``arrays.npz``.

    :param path: the file.
    :param promised: bytes of the arrays that the job was to write, at the most.
    :raises OutputError: if the file is missing, truncated or changed (each member has a checksum), or larger than what
        was promised.
    """
    try:
        return arrays_file.read_arrays(path, promised + LARGEST_MARGIN)
    except FileNotFoundError:
        raise OutputError(ARRAYS_UNREADABLE, f"{path.name} was not retrieved") from None
    except ValueError as error:
        raise OutputError(ARRAYS_UNREADABLE, str(error)) from None


def read_records(path: Path, check: Check) -> list[Record]:
    """Return the records of a journal up to the first that is damaged or none of the job's.

    :param path: the journal's file.
    :param check: of the job's records, see :mod:`crucible_engine.wire.records`.
    """
    found: list[Record] = []
    with suppress(ValueError):
        for record in read_journal(path)[1]:
            check(record)
            found.append(record)
    return found


def require_arrays(arrays: Arrays, layouts: Mapping[str, Layout]) -> None:
    """Check that arrays are what the job promised.

    :raises OutputError: one line that names the array.
    """
    try:
        require_layout(arrays, layouts)
    except ValueError as error:
        raise OutputError(ARRAYS_MISMATCH, str(error)) from None


PROPERTIES = ("energies", "forces", "stresses")
ENSEMBLE = tuple(f"ensemble_{name}" for name in PROPERTIES)
OF_ATOMS = ("forces", "ensemble_forces")
"""Arrays that have a row an atom; the others have one a structure."""


def check_properties(arrays: Arrays, sizes: Sequence[int], stress: bool, n_members: int = 0) -> None:
    """Check that the arrays of evaluations belong to the structures of the job.

    :param arrays: ``energies``, ``forces``, ``n_atoms`` and, where ``stress``, ``stresses``.
    :param sizes: atoms of each structure of the job.
    :param stress: whether stresses were asked for.
    :param n_members: of the model; 0 where it gives no ensemble.
    :raises OutputError: one line that names the array.
    """
    layouts = property_layouts(len(sizes), sum(sizes), stress, n_members)
    require_arrays(arrays, {**layouts, "n_atoms": Layout("i", (len(sizes),))})
    if arrays["n_atoms"].tolist() != list(sizes):
        raise OutputError(ARRAYS_MISMATCH, "the structures have other numbers of atoms than the inputs")


def _names(n_members: int) -> tuple[str, ...]:
    """Return the arrays that were checked: whatever else a file holds is nobody's promise."""
    return (*PROPERTIES, *(ENSEMBLE if n_members else ()), "n_atoms")


def properties_of(arrays: Arrays, n_members: int = 0) -> dict[str, NDArray[Any]]:
    """Return the arrays as the output node holds them: forces [n, n_atoms, 3] where all sizes agree.

    Those of an ensemble have the members before the atoms: [n, n_members, n_atoms, 3].

    :param arrays: as of :func:`check_properties`, with the same number of members.
    """
    properties = {name: np.asarray(arrays[name]) for name in _names(n_members) if name in arrays}
    sizes = properties["n_atoms"]
    if (sizes == sizes[0]).all():
        shape = (len(sizes), int(sizes[0]), -1, 3)
        properties["forces"] = properties["forces"].reshape(len(sizes), int(sizes[0]), 3)
        if "ensemble_forces" in properties:
            properties["ensemble_forces"] = properties["ensemble_forces"].reshape(shape).swapaxes(1, 2)
    return properties


def split_properties(arrays: Arrays, counts: Sequence[int], n_members: int = 0) -> list[Arrays]:
    """Return the arrays of evaluations in parts.

    :param arrays: as of :func:`check_properties`, with the same number of members; others are left out.
    :param counts: so many structures are in each part, from the first on; what is left over is left out.
    """
    parts: list[Arrays] = []
    rows = np.concatenate([[0], np.cumsum(arrays["n_atoms"])])
    start = 0
    for count in counts:
        stop = start + count
        atoms = slice(rows[start], rows[stop])
        chosen = {name: arrays[name] for name in _names(n_members) if name in arrays}
        parts.append({name: array[atoms if name in OF_ATOMS else slice(start, stop)] for name, array in chosen.items()})
        start = stop
    return parts


VALUE = 8
"""Bytes of a number."""
CHARACTER = 4
"""Bytes of a character of an array of text."""


def bytes_of_properties(sizes: Sequence[int], n_members: int = 0) -> int:
    """Return the bytes of energies, forces, stresses and numbers of atoms.

    :param sizes: numbers of atoms, one for each structure.
    :param n_members: of the model; 0 where it gives no ensemble.
    """
    return VALUE * (1 + n_members) * (len(sizes) * (1 + 6 + 1) + 3 * sum(sizes))


def bytes_of_geometries(sizes: Sequence[int]) -> int:
    """Return the bytes of relaxed geometries, their masses and their properties.

    :param sizes: numbers of atoms, one for each structure.
    """
    return bytes_of_properties(sizes) + VALUE * (9 * len(sizes) + (3 + 1) * sum(sizes))


def bytes_of_trajectories(sizes: Sequence[int], labels: Iterable[str], parameters: Mapping[str, Any]) -> int:
    """Return the bytes of the trajectories of relaxations: step 0, every n-th and the last one of each.

    :param sizes: numbers of atoms, one for each structure.
    :param labels: of the structures.
    :param parameters: the validated parameters of ``relax``.
    """
    n_frames: int = parameters["max_steps"] // parameters["trajectory_interval"] + 2
    text = CHARACTER * max(map(len, labels))
    return n_frames * (bytes_of_geometries(sizes) + len(sizes) * (VALUE + text))


def bytes_of_map(n_frames: int) -> int:
    """Return the bytes of a kernel, a map with as many coordinates at the most, and what names its frames.

    :param n_frames: how many were given.
    """
    return VALUE * (2 * n_frames**2 + 5 * n_frames)


def bytes_of_dynamics(sizes: Sequence[int], parameters: Mapping[str, Any]) -> int:
    """Return the bytes of series, frames, averages and last states, or of what a killed run left of them.

    :param sizes: numbers of atoms, one for each replica.
    :param parameters: the validated parameters of ``dynamics``.
    """
    size = size_of(parameters, sizes)
    # Rows of the end that no interval hits, and what a checkpoint holds of each atom.
    return 2 * (size.retrieved + size.series) + VALUE * sum(100 * n_atoms + 1000 for n_atoms in sizes)
