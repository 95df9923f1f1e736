"""Folders of deepmd (``deepmd/npy`` and ``deepmd/npy/mixed`` of dpdata): types of atoms, and sets of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_crucible.nodes.bounds import LARGEST_SAYING

TYPES, NAMES, ISOLATED = "type.raw", "type_map.raw", "nopbc"
OF_SETS = ("coord", "box", "energy", "force", "virial", "real_atom_types")
"""Arrays of a set, each in a file ``.npy`` of that name."""

Frame = tuple[Atoms, NDArray[np.float64] | None, float | None]


def files_of(folder: Path) -> list[str]:
    """Return the files of a folder that are read, by their paths in it.

    :raises ValueError: one line, if it is none of deepmd's.
    """
    sets = [f"{part.name}/{name}.npy" for part in sorted(folder.glob("set.*")) for name in OF_SETS]
    there = [name for name in (TYPES, NAMES, ISOLATED, *sets) if (folder / name).is_file()]
    if TYPES not in there or NAMES not in there or not any(name.endswith("/coord.npy") for name in there):
        raise ValueError(
            f"folder {folder.name} is none of deepmd's: give one with {TYPES}, {NAMES} and set.000/coord.npy, or a file"
        )
    return there


def iterate_deepmd(folder: Path) -> Iterator[Frame]:
    """Yield geometry, forces (eV/Å) and energy (eV) of each frame of all sets, in their order.

    The stress of a frame (eV/Å³, ASE's sign) is in its ``info``: the virial, which is minus the derivative of the
    energy by the strain, over minus the volume.

    :raises ValueError: one line, if a file is missing, damaged, or does not fit the others.
    """
    there = files_of(folder)
    species = _species(folder)
    types = np.array([_whole(word) for word in _words(folder / TYPES)])
    is_periodic = ISOLATED not in there
    for part in sorted({name.partition("/")[0] for name in there if name.startswith("set.")}):
        yield from _set(folder / part, species, types, is_periodic)


def _set(folder: Path, species: NDArray[np.int64], types: NDArray[np.int64], is_periodic: bool) -> Iterator[Frame]:
    n_atoms = len(types)
    positions = _array(folder, "coord", 3 * n_atoms)
    if positions is None:
        raise ValueError(f"{folder.name} has no coord.npy")
    n = len(positions)
    widths = {"box": 9, "energy": 1, "force": 3 * n_atoms, "virial": 9, "real_atom_types": n_atoms}
    arrays = {name: _array(folder, name, width, n) for name, width in widths.items()}
    box, own = arrays["box"], arrays["real_atom_types"]
    if is_periodic and box is None:
        raise ValueError(f"{folder.name} has no box.npy, and the folder no file {ISOLATED}")
    for index in range(n):
        of_frame = types if own is None else own[index].astype(np.int64)
        if len(of_frame) and not 0 <= of_frame.min() <= of_frame.max() < len(species):
            raise ValueError(f"a type is not among the {len(species)} of {NAMES}")
        cell = box[index].reshape(3, 3) if is_periodic and box is not None else None
        atoms = Atoms(species[of_frame], positions[index].reshape(-1, 3), cell=cell, pbc=is_periodic)
        virial, force, energy = (arrays[name] for name in ("virial", "force", "energy"))
        if virial is not None and is_periodic:
            stress = -virial[index].reshape(3, 3) / atoms.get_volume()
            atoms.info["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        atoms.info["source"] = folder.parent.name
        yield (
            atoms,
            None if force is None else force[index].reshape(-1, 3),
            None if energy is None else float(energy[index, 0]),
        )


def _array(folder: Path, name: str, width: int, n: int | None = None) -> NDArray[Any] | None:
    """Return an array with a row a frame; ``None`` where there is no such file.

    Mapped, so that a file shorter than it announces is refused before memory is asked for.
    """
    path = folder / f"{name}.npy"
    if not path.is_file():
        return None
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        rows = found.reshape(len(found), -1) if found.dtype.kind in "fiu" else None
    except Exception as error:  # numpy parses a header as Python, which raises almost anything
        raise ValueError(f"{folder.name}/{name}.npy is damaged ({type(error).__name__})") from error
    if rows is None:
        raise ValueError(f"{folder.name}/{name}.npy holds no numbers")
    if rows.shape[1] != width or (n is not None and len(rows) != n):
        wanted = f"({'n' if n is None else n}, {width})"
        raise ValueError(f"{folder.name}/{name}.npy has shape {rows.shape} where {wanted} was expected")
    return np.asarray(rows, dtype=np.float64)


def _species(folder: Path) -> NDArray[np.int64]:
    names = _words(folder / NAMES)
    unknown = [name for name in names if name not in atomic_numbers]
    if unknown:
        raise ValueError(f"{NAMES} has {unknown[0]!r}, which is no chemical element")
    return np.array([atomic_numbers[name] for name in names])


def _words(path: Path) -> list[str]:
    with path.open("rb") as stream:
        content = stream.read(LARGEST_SAYING * 64 + 1)
    if len(content) > LARGEST_SAYING * 64:
        raise ValueError(f"{path.name} has more words than a frame has atoms")
    return content.decode(errors="replace").split()


def _whole(word: str) -> int:
    if not word.isdigit() or len(word) > 6:
        raise ValueError(f"{TYPES} has {word[:40]!r} where whole numbers were expected")
    return int(word)
