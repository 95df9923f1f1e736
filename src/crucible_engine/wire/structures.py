"""Structures on the wire: one ``.npz`` of concatenated arrays, read a few structures at a time.

Members: ``numbers`` int32 [n_atoms_total], ``masses`` float64 [n_atoms_total] (u), ``positions`` float64
[n_atoms_total, 3] (Å), ``cells`` float64 [n_structures, 3, 3] (Å, rows are lattice vectors), ``pbc`` bool
[n_structures, 3], ``n_atoms`` int64 [n_structures], ``labels`` unicode [n_structures].
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from ase import Atoms

from crucible_engine.wire.arrays import Layout, MemberReader, open_npz


def write_structures(target: str | Path | IO[bytes], structures: Sequence[Atoms], labels: Sequence[str]) -> None:
    """Write structures to an ``.npz``.

    :param labels: the name of each, as messages should call it.
    :raises ValueError: if there is no structure, or not one label for each.
    """
    if not structures or len(structures) != len(labels):
        raise ValueError(f"{len(structures)} structures and {len(labels)} labels: give one label for each")
    np.savez(
        target,
        numbers=np.concatenate([atoms.numbers for atoms in structures]).astype(np.int32),
        masses=np.concatenate([atoms.get_masses() for atoms in structures]).astype(np.float64),
        positions=np.concatenate([atoms.positions for atoms in structures]).astype(np.float64),
        cells=np.array([atoms.cell.array for atoms in structures], dtype=np.float64),
        pbc=np.array([atoms.pbc for atoms in structures], dtype=bool),
        n_atoms=np.array([len(atoms) for atoms in structures], dtype=np.int64),
        labels=np.array(list(labels)),
    )


def are_same(one: Atoms, other: Atoms) -> bool:
    """Tell whether two structures have the same atoms at the same places of the same cell, to the last bit."""
    names = ("numbers", "positions", "cell", "pbc")
    return all(np.array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name))) for name in names)


def read_structures(path: str | Path, start: int = 0) -> Iterator[tuple[str, Atoms]]:
    """Yield ``(label, structure)`` one after the other; memory does not grow with their number.

    :param path: an ``.npz`` written by :func:`write_structures`.
    :param start: index of the first structure wanted.
    :raises ValueError: if the file is truncated or no such file.
    """
    with open_npz(path) as archive:
        readers = _open_members(archive)
        n_structures, rows_left = readers["n_atoms"].shape[0], readers["numbers"].shape[0]
        for index in range(n_structures):
            n_atoms = int(readers["n_atoms"].read(1)[0])
            rows_left -= n_atoms
            if n_atoms < 0 or rows_left < 0:
                raise ValueError(f"n_atoms of structure {index} is {n_atoms}, which are not there")
            rows = {"numbers": n_atoms, "masses": n_atoms, "positions": n_atoms, "cells": 1, "pbc": 1, "labels": 1}
            if index < start:
                for name, count in rows.items():
                    readers[name].skip(count)
                continue
            part = {name: readers[name].read(count) for name, count in rows.items()}
            atoms = Atoms(
                part["numbers"],
                masses=part["masses"],
                positions=part["positions"],
                cell=part["cells"][0],
                pbc=part["pbc"][0],
            )
            yield str(part["labels"][0]), atoms
        if rows_left:
            raise ValueError(f"{rows_left} atoms belong to no structure")


def _open_members(archive: zipfile.ZipFile) -> dict[str, MemberReader]:
    """Return the readers of all members, which fit each other.

    :raises ValueError: if one is missing, of another type or of another length.
    """
    readers = {name: MemberReader(archive, name) for name in ("n_atoms", "numbers")}
    count, total = (readers[name].shape[:1] or (None,) for name in readers)
    layouts = {
        "n_atoms": Layout("i", (None,)),
        "numbers": Layout("i", (None,)),
        "masses": Layout("f", total),
        "positions": Layout("f", (*total, 3)),
        "cells": Layout("f", (*count, 3, 3)),
        "pbc": Layout("b", (*count, 3)),
        "labels": Layout("U", count),
    }
    for name, layout in layouts.items():
        if name not in readers:
            readers[name] = MemberReader(archive, name)
        reader = readers[name]
        problem = layout.problem(reader.dtype.kind, reader.shape)
        if problem is not None:
            raise ValueError(f"array {name!r} {problem}")
    return readers


def read_sizes(path: str | Path) -> list[int]:
    """Return how many atoms each structure of a file has.

    :param path: an ``.npz`` that :func:`read_structures` reads.
    """
    with open_npz(path) as archive:
        reader = MemberReader(archive, "n_atoms")
        return [int(size) for size in reader.read(reader.shape[0])]
