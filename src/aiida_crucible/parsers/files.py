"""Reading what the engine wrote, without AiiDA: every way a file can be damaged has a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.bounds import LARGEST_MARGIN, parse_json
from aiida_crucible.exit_codes import ARRAYS_MISMATCH, ARRAYS_UNREADABLE, PROTOCOL_DIFFERS, RESULTS_UNREADABLE, Failure
from crucible_engine.journal import Record, read_journal
from crucible_engine.npz_file import read_npz
from crucible_engine.schema import ARRAYS_FILE, PROTOCOL, RESULTS_FILE, Condition, Results

Arrays = Mapping[str, NDArray[Any]]


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
        content = parse_json(text, parse_constant=_refuse_constant)
        protocol = content["protocol"]
    except (ValueError, TypeError, KeyError) as error:
        raise OutputError(RESULTS_UNREADABLE, f"{RESULTS_FILE} is damaged ({error})") from None
    if protocol != PROTOCOL:
        raise OutputError(PROTOCOL_DIFFERS, f"the engine wrote {protocol!r}, this package reads {PROTOCOL}")
    try:
        results = Results(**content)
        Condition(results.condition)
    except (ValueError, TypeError) as error:
        raise OutputError(RESULTS_UNREADABLE, f"{RESULTS_FILE} has unexpected fields ({error})") from None
    return results


def read_arrays(path: Path, promised: int) -> dict[str, NDArray[Any]]:
    """Return the members of ``arrays.npz``.

    :param path: the file.
    :param promised: bytes of the arrays that the job was to write, at the most.
    :raises OutputError: if the file is missing, truncated or changed (each member has a checksum), or larger than what
        was promised.
    """
    try:
        return read_npz(path, promised + LARGEST_MARGIN)
    except FileNotFoundError:
        raise OutputError(ARRAYS_UNREADABLE, f"{ARRAYS_FILE} was not retrieved") from None
    except Exception as error:  # a damaged archive makes zipfile and numpy raise almost anything
        raise OutputError(ARRAYS_UNREADABLE, f"{ARRAYS_FILE} is damaged ({error})") from None


def read_records(path: Path) -> list[Record]:
    """Return the intact records of a journal; none if not even its header is intact."""
    try:
        _, records = read_journal(path)
    except ValueError:
        return []
    return list(records)


def check_properties(arrays: Arrays, sizes: Sequence[int], stress: bool) -> None:
    """Check that the arrays of evaluations belong to the structures of the job.

    :param arrays: ``energies``, ``forces``, ``n_atoms`` and, where ``stress``, ``stresses``.
    :param sizes: atoms of each structure of the job.
    :param stress: whether stresses were asked for.
    :raises OutputError: one line that names the array.
    """
    shapes = {"energies": (len(sizes),), "n_atoms": (len(sizes),), "forces": (sum(sizes), 3)}
    if stress:
        shapes["stresses"] = (len(sizes), 6)
    for name, shape in shapes.items():
        if name not in arrays:
            raise OutputError(ARRAYS_MISMATCH, f"{name} are missing from {ARRAYS_FILE}")
        if arrays[name].shape != shape:
            raise OutputError(ARRAYS_MISMATCH, f"{name} have shape {arrays[name].shape} where {shape} was expected")
    if arrays["n_atoms"].tolist() != list(sizes):
        raise OutputError(ARRAYS_MISMATCH, "the structures have other numbers of atoms than the inputs")


def properties_of(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays as the output node holds them: forces [n, n_atoms, 3] where all sizes agree."""
    names = [name for name in ("energies", "forces", "stresses", "n_atoms") if name in arrays]
    properties = {name: np.asarray(arrays[name]) for name in names}
    sizes = properties["n_atoms"]
    if (sizes == sizes[0]).all():
        properties["forces"] = properties["forces"].reshape(len(sizes), int(sizes[0]), 3)
    return properties


def split_properties(arrays: Arrays, counts: Sequence[int]) -> list[Arrays]:
    """Return the arrays of evaluations in parts.

    :param arrays: as of :func:`check_properties`.
    :param counts: so many structures are in each part, from the first on; what is left over is left out.
    """
    parts: list[Arrays] = []
    rows = np.concatenate([[0], np.cumsum(arrays["n_atoms"])])
    start = 0
    for count in counts:
        stop = start + count
        part = {name: array[start:stop] for name, array in arrays.items() if name != "forces"}
        parts.append({**part, "forces": arrays["forces"][rows[start] : rows[stop]]})
        start = stop
    return parts


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
