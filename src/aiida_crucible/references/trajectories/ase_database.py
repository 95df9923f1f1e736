"""ASE's data bases in SQLite files (``.db``), read by their columns alone.

ASE's own reader makes Python objects of what a row says beside its columns; none of that is wanted here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.nodes.bounds import LARGEST_STRUCTURE
from crucible_engine.wire.value_types import parse_json

Frame = tuple[Atoms, NDArray[np.float64] | None, float | None]

TABLE = "systems"
COLUMNS = ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress", "key_value_pairs")
SOURCE = "source"
"""The key whose word tells where a row is from."""


def iterate_database(path: Path) -> Iterator[Frame]:
    """Yield geometry, forces (eV/Å) and energy (eV) of each row, in the order of their numbers.

    The stress of a row (eV/Å³, ASE's sign) and its key ``source`` are in the ``info`` of its geometry.

    :param path: not compressed.
    :raises ValueError: one line, if it is no such file, or a row does not fit.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_STRUCTURE)
            kind = connection.execute("SELECT type FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone()
            if kind != ("table",):  # a view would compute whatever it says
                raise ValueError(f"it has no table {TABLE!r}, as ASE's data bases do")
            yield from map(_frame, connection.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE} ORDER BY id"))
    except sqlite3.Error as error:
        raise ValueError(f"it is no data base of ASE in SQLite ({error})") from error


def _frame(row: tuple[object, ...]) -> Frame:
    values = dict(zip(COLUMNS, row, strict=True))
    numbers = _numbers(values["numbers"], "<i4")
    if numbers is None:
        raise ValueError("a row has no atoms")
    shapes = {"positions": (len(numbers), 3), "cell": (3, 3), "forces": (len(numbers), 3), "stress": (6,)}
    arrays = {name: _numbers(values[name], "<f8") for name in shapes}
    for name, shape in shapes.items():
        array = arrays[name]
        if array is not None and array.size != np.prod(shape):
            raise ValueError(f"{name} of a row has {array.size} numbers where {int(np.prod(shape))} were expected")
    positions, cell, pbc = arrays["positions"], arrays["cell"], values["pbc"]
    if positions is None or cell is None or not isinstance(pbc, int):
        raise ValueError("a row has no positions, no cell or no periodicity")
    periodic = [bool(pbc & (1 << axis)) for axis in range(3)]
    atoms = Atoms(numbers, positions.reshape(-1, 3), cell=cell.reshape(3, 3), pbc=periodic)
    if arrays["stress"] is not None:
        atoms.info["stress"] = arrays["stress"]
    pairs = parse_json(values["key_value_pairs"]) if isinstance(values["key_value_pairs"], str) else {}
    if isinstance(pairs, dict) and isinstance(pairs.get(SOURCE), str):
        atoms.info["source"] = pairs[SOURCE]
    forces, energy = arrays["forces"], values["energy"]
    return (
        atoms,
        None if forces is None else forces.reshape(-1, 3),
        float(energy) if isinstance(energy, float) else None,
    )


def _numbers(content: object, kind: str) -> NDArray[np.float64] | None:
    """Return the numbers of a column that holds their bytes; ``None`` for an empty one."""
    if content is None:
        return None
    if not isinstance(content, bytes) or len(content) % np.dtype(kind).itemsize:
        raise ValueError("a column of a row holds no numbers")
    return np.frombuffer(content, dtype=kind).copy()
