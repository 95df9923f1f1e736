"""Force constants as they are in phonopy's files, in eV/Å²; and whether they belong to the cells they came with."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.file_IO import read_force_constants_hdf5

from aiida_crucible.analysis.phonons.force_constants import BROKEN_RULE, ForceConstants
from aiida_crucible.compat.phonopy import (
    CalculatorPhysicalUnits,
    compact_fc_to_full_fc,
    full_fc_to_compact_fc,
    get_calculator_physical_units,
    similarity_transformation,
)
from aiida_crucible.references.phonopy.crystal import is_yaml


def from_hdf5(path: Path, unit: str) -> NDArray[np.float64]:
    """Return force constants of an hdf5, which may say their unit itself.

    :param unit: of the calculator, as phonopy writes it.
    :raises ValueError: one line, if it says another.
    """
    constants, said = read_force_constants_hdf5(str(path), return_physical_unit=True)
    if said is not None and said.lower() != unit.lower():
        raise ValueError(
            f"{path.name} says that its force constants are in {said}, but {unit} is expected of its calculator: name "
            "the calculator whose units these are"
        )
    return np.asarray(constants, dtype=float)


def put_constants(
    phonon: Phonopy, path: Path, constants: NDArray[np.float64], units: CalculatorPhysicalUnits
) -> list[str]:
    """Put force constants in eV/Å² into ``phonon`` and return what is to be said of them.

    :param constants: in the program's units, shape [n_primitive_atoms, n_atoms, 3, 3], or of all pairs.
    :raises ValueError: one line that names the file, if they are of other cells.
    """
    compact = (len(phonon.primitive), len(phonon.supercell), 3, 3)
    full = (compact[1], *compact[1:])
    constants = np.array(constants, dtype=float)
    if constants.shape not in (compact, full):
        raise ValueError(
            f"{path.name} holds force constants of shape {constants.shape}, but the supercell has {compact[1]} atoms "
            f"and the primitive cell {compact[0]}: give the supercell that they were computed in"
        )
    if not np.isfinite(constants).all():
        raise ValueError(f"{path.name} holds force constants that are not finite")
    if not is_yaml(path):
        check_rows(path, constants, phonon.primitive.p2s_map)
    warnings = check_space_group(path, constants, phonon)
    if constants.shape == full and full != compact:
        constants = full_fc_to_compact_fc(phonon.primitive, constants)
    # Frequencies are the factor times the root of force constants: its square carries their unit.
    reference = get_calculator_physical_units(None).factor
    phonon.force_constants = np.ascontiguousarray(constants * (units.factor / reference) ** 2)
    return warnings


LARGEST_ASYMMETRY = 0.2
"""Of the largest force constant: noise stays far below it, and atoms in another order are above it."""

NOTABLE_SPREAD, LARGEST_SPREAD = 0.02, 0.1
"""Of the largest force constant: how far those may differ that symmetry makes equal, without a warning, and at most."""

LINES_OF_PAIR = 4
"""Of a ``FORCE_CONSTANTS``: the two atoms, and three rows."""


def check_rows(path: Path, constants: NDArray[np.float64], atoms: NDArray[np.int64]) -> None:
    """Refuse force constants of a primitive cell whose atoms are others of the supercell than expected.

    :param path: phonopy's ``FORCE_CONSTANTS`` or hdf5.
    :param constants: as they are in it, shape [n_primitive_atoms, n_supercell_atoms, 3, 3].
    :param atoms: places in the supercell of the primitive cell's, shape [n_primitive_atoms].
    :raises ValueError: one line.
    """
    rows = _rows_of(path, constants.shape[1])
    if rows is not None and len(constants) == len(atoms) < constants.shape[1] and not np.array_equal(rows, atoms):
        raise ValueError(
            f"{path.name} holds force constants of the supercell's atoms {_counted(rows)}, but the primitive cell has "
            f"its {_counted(atoms)} (counted from 1): give the unit cell and the supercell that they were computed in"
        )


def check_symmetries(path: Path, found: ForceConstants) -> list[str]:
    """Return a warning where force constants miss the acoustic sum rule.

    :raises ValueError: one line, if they change with their two atoms exchanged: such are of other atoms.
    """
    largest = float(np.abs(found.values).max())
    if largest == 0:
        raise ValueError(f"the force constants in {path.name} are all zero: nothing was computed")
    asymmetry, residual = found.index_symmetry_residual, found.acoustic_sum_residual
    if asymmetry > LARGEST_ASYMMETRY * largest:
        raise ValueError(
            f"the force constants in {path.name} change by up to {asymmetry:.3g} eV/Å² ({asymmetry / largest:.2g} of "
            "the largest one) where two atoms are exchanged: its atoms come in another order, or the supercell is "
            "another"
        )
    if residual > BROKEN_RULE * largest:
        return [
            f"the force constants in {path.name} break the acoustic sum rule by {residual:.3g} eV/Å² "
            f"({residual / largest:.2g} of the largest one), which symmetrisation has taken out"
        ]
    return []


def check_space_group(path: Path, constants: NDArray[np.float64], phonon: Phonopy) -> list[str]:
    """Return a warning where force constants differ that symmetry makes the same.

    :param constants: shape [n_primitive_atoms, n_atoms, 3, 3], or of all pairs of the supercell.
    :raises ValueError: one line, if they differ by so much that they are of other atoms.
    """
    primitive, cell = phonon.primitive, phonon.supercell.cell.T
    compact = full_fc_to_compact_fc(primitive, constants) if len(constants) == len(phonon.supercell) else constants
    repeated = compact_fc_to_full_fc(primitive, compact)
    spread = float(np.abs(repeated - constants).max()) if len(constants) == len(repeated) else 0.0
    rotations, permutations = phonon.symmetry.symmetry_operations["rotations"], phonon.symmetry.atomic_permutations
    # Operations of the same rotation differ by translations, which all pairs have now.
    for index in np.unique(rotations, axis=0, return_index=True)[1]:
        rotation, order = similarity_transformation(cell, rotations[index]), permutations[index]
        turned = rotation @ repeated @ rotation.T
        spread = max(spread, float(np.abs(repeated[np.ix_(order, order)] - turned).max()))
    largest = float(np.abs(constants).max())
    if spread <= NOTABLE_SPREAD * largest:
        return []
    said = (
        f"the force constants in {path.name} differ by up to {spread:.3g} eV/Å² ({spread / largest:.2g} of the largest "
        "one) between pairs that symmetry makes the same"
    )
    if spread > LARGEST_SPREAD * largest:
        raise ValueError(f"{said}: its atoms come in another order than phonopy's, or the supercell is another")
    return [said]


def _rows_of(path: Path, n_atoms: int) -> NDArray[np.int64] | None:
    """Return which atoms of the supercell the rows of a file belong to; ``None`` where it does not say."""
    if path.suffix in (".hdf5", ".h5"):
        import h5py  # type: ignore[import-untyped]

        with h5py.File(path) as file:
            return np.asarray(file["p2s_map"][:], dtype=np.int64) if "p2s_map" in file else None
    with path.open() as stream:
        heads = islice(stream, 1, None, LINES_OF_PAIR * n_atoms)
        return np.array([int(line.split()[0]) - 1 for line in heads if line.strip()], dtype=np.int64)


def _counted(atoms: NDArray[np.int64]) -> str:
    named = ", ".join(str(atom + 1) for atom in atoms[:6])
    return named if len(atoms) <= 6 else f"{named} …"


SHORTEST_PAIR = 22
"""Bytes of two atoms and three rows of zeros in a ``FORCE_CONSTANTS``."""

SHORTEST_FORCE = 6
"""Bytes of a row of zeros in a ``FORCE_SETS``."""


def check_announced(path: Path, kind: str, n_atoms: int) -> None:
    """Refuse a file that announces more numbers than it can hold, or than its crystal has.

    :param kind: ``FORCE_SETS``, ``FORCE_CONSTANTS`` or ``force_constants.hdf5``; another has no such numbers.
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
    import h5py

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
