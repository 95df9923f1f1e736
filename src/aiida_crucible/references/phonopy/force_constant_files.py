"""Does a file of phonopy's announce more than it holds? What is looked at before phonopy reads it as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SHORTEST_PAIR = 22
"""Bytes of two atoms and three rows of zeros in a ``FORCE_CONSTANTS``."""

SHORTEST_FORCE = 6
"""Bytes of a row of zeros in a ``FORCE_SETS``."""


def check_announced(path: Path, kind: str, n_atoms: int) -> None:
    """Refuse a file that announces more numbers than it can hold, or than its crystal has.

    :param path: of phonopy's.
    :param kind: ``FORCE_SETS``, ``FORCE_CONSTANTS`` or ``force_constants.hdf5``; another has no such numbers.
    :param n_atoms: of the supercell.
    :raises ValueError: one line, without the file's name.
    """
    if kind == "force_constants.hdf5":
        _check_hdf5(path, n_atoms)
    elif kind in ("FORCE_CONSTANTS", "FORCE_SETS"):
        with path.open(errors="replace") as stream:
            words = stream.readline(1000).split()
        counts = [int(word) for word in words if word.isdecimal() and len(word) < 19][:2]
        of_pairs = kind == "FORCE_CONSTANTS"
        if of_pairs:
            announced = SHORTEST_PAIR * counts[0] * counts[-1] if counts else 0
        else:
            announced = SHORTEST_FORCE * counts[0] if len(words) == 1 and counts else 0
        if announced > path.stat().st_size:
            raise ValueError("it announces more numbers than it holds")


def _check_hdf5(path: Path, n_atoms: int) -> None:
    import h5py  # type: ignore[import-untyped]

    largest = {"fc2": 9 * n_atoms**2, "force_constants": 9 * n_atoms**2, "p2s_map": n_atoms, "physical_unit": 1}
    with h5py.File(path, "r") as file:
        for name, size in largest.items():
            if name not in file:
                continue
            link: Any = file.get(name, getlink=True)
            dataset = file[name] if isinstance(link, h5py.HardLink) else None
            # Of other files, or compressed to nothing, it could hold anything.
            if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
                raise ValueError(f"{name} in it is no array of this file")
            if dataset.size > size or dataset.dtype.itemsize > 16:
                raise ValueError(f"{name} in it has shape {dataset.shape}, but the supercell has {n_atoms} atoms")
