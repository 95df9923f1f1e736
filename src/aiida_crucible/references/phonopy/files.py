"""Force constants from the files of phonopy, in eV/Å² whatever the calculator's units are.

Files are named, never searched for: what lies in the working directory by chance takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.file_IO import get_FORCE_SETS_type, parse_FORCE_CONSTANTS, parse_FORCE_SETS

from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms
from aiida_crucible.analysis.phonons.force_constants import ForceConstants, symmetrised
from aiida_crucible.analysis.phonons.phonon_analysis import BornCharges
from aiida_crucible.compat.phonopy import CalculatorPhysicalUnits
from aiida_crucible.nodes.bounds import LARGEST_TEXT
from aiida_crucible.references.foreign_files import decompressed, explained
from aiida_crucible.references.phonopy.constants import check_announced, check_symmetries, from_hdf5, put_constants
from aiida_crucible.references.phonopy.crystal import (
    Described,
    crystal_of,
    is_yaml,
    read_born_charges,
    read_described,
    right_handed,
    units_of,
)
from aiida_crucible.references.phonopy.forces import has_forces, put_forces


@dataclass(frozen=True)
class ImportedPhonons:
    """Force constants and the cells that they belong to, in ASE's units.

    :param constants: symmetrised, with what they missed the sum rules by.
    :param supercell_matrix: as phonopy has it, shape [3, 3].
    :param primitive_matrix: as phonopy has it, shape [3, 3].
    :param born: of the unit cell's atoms; ``None`` where there are none.
    :param values: what is to be known of them: ``kind`` of file, ``calculator``, ``symmetry_tolerance`` (Å),
        ``n_atoms_supercell``, and of forces ``largest_force_drift`` and ``common_force`` (eV/Å).
    :param warnings: one line each.
    """

    atoms: Atoms
    constants: ForceConstants
    supercell_matrix: NDArray[np.int64]
    primitive_matrix: NDArray[np.float64]
    born: BornCharges | None
    values: dict[str, Any]
    warnings: list[str]


def read_phonons(
    path: Path, settings: Mapping[str, Any], structure: Path | None = None, born: Path | None = None
) -> ImportedPhonons:
    """Return the force constants that phonopy's files give; each of them may be compressed (gz, bz2, xz).

    :param path: ``phonopy_params.yaml`` or another of phonopy's with forces or force constants in it, ``FORCE_SETS``,
        ``FORCE_CONSTANTS`` or ``force_constants.hdf5``.
    :param settings: complete, see :data:`aiida_crucible.references.settings.PHONONS`.
    :param structure: the crystal, where ``path`` holds none: one of phonopy's yaml files, or a file with the unit cell
        in any format that ASE reads; then the supercell matrix is one of the settings.
    :param born: phonopy's file of Born charges.
    :raises ValueError: one line that names the file and what does not fit.
    """
    with ExitStack() as stack:
        source = _plain(stack, path)
        others = [None if file is None else _plain(stack, file) for file in (structure, born)]
        return _read(source, settings, *others)


def _plain(stack: ExitStack, path: Path) -> Path:
    """Return a file that is not compressed, for as long as the stack lasts."""
    with explained(path):
        return stack.enter_context(decompressed(path, LARGEST_TEXT))


def _read(path: Path, settings: Mapping[str, Any], structure: Path | None, born: Path | None) -> ImportedPhonons:
    kind = _kind_of(path)
    if (kind == "yaml") == (structure is not None):
        raise ValueError(
            f"{path.name} holds its crystal: leave the structure out"
            if kind == "yaml"
            else f"{path.name} does not say which crystal it belongs to: give phonopy's yaml file or the unit cell "
            "(--structure)"
        )
    source = path if structure is None else structure
    described = read_described(source) if is_yaml(source) else None
    name = described.data.calculator if described is not None and described.data.calculator else settings["calculator"]
    units = units_of(name)
    phonon = crystal_of(described, source, settings, units)
    values = {
        "kind": kind,
        "calculator": name or "vasp",
        "symmetry_tolerance": phonon.symmetry.tolerance,
        "n_atoms_supercell": len(phonon.supercell),
    }
    warnings: list[str] = []
    if described is not None and np.any(described.data.unitcell.magnetic_moments):
        warnings.append(
            f"the magnetic moments in {source.name} are not represented: neither model nor symmetry has them"
        )
    with explained(path):
        dataset, constants = _numbers_of(path, kind, phonon, described, units)
    if dataset is not None:
        values |= put_forces(phonon, path, dataset, units, warnings)
    elif constants is not None:
        warnings += put_constants(phonon, path, constants, units)
    else:
        raise ValueError(f"{path.name} holds neither forces nor force constants: give FORCE_SETS with it as structure")
    charges = read_born_charges(phonon, described, source, born, warnings)
    phonon = right_handed(phonon)
    found = symmetrised(phonon)
    warnings += check_symmetries(path, found)
    return ImportedPhonons(
        to_atoms(phonon.unitcell),
        found,
        np.array(phonon.supercell_matrix),
        np.array(phonon.primitive_matrix, dtype=float),
        charges,
        values,
        warnings,
    )


def _kind_of(path: Path) -> str:
    if is_yaml(path):
        return "yaml"
    if path.suffix in (".hdf5", ".h5"):
        return "force_constants.hdf5"
    with path.open(errors="replace") as stream:
        lines = [line.split() for line, _ in zip(stream, range(20), strict=False) if line.strip()]
    shape = tuple(len(line) for line in lines[:2])
    if shape in ((2, 2), (1, 2)):
        return "FORCE_CONSTANTS"
    if shape in ((1, 1), (6, 6)):
        return "FORCE_SETS"
    raise ValueError(f"{path.name} is none of phonopy's files: give a yaml, FORCE_SETS, FORCE_CONSTANTS or hdf5 file")


def _numbers_of(
    path: Path, kind: str, phonon: Phonopy, described: Described | None, units: CalculatorPhysicalUnits
) -> tuple[dict[str, Any] | None, NDArray[np.float64] | None]:
    """Return displacements with forces, or force constants, as they are in the file."""
    check_announced(path, kind, len(phonon.supercell))
    if kind == "FORCE_SETS":
        # Files of the first type say the number of atoms themselves, and are asked for it later.
        n_atoms = None if get_FORCE_SETS_type(str(path)) == 1 else len(phonon.supercell)
        return parse_FORCE_SETS(natom=n_atoms, filename=str(path)), None
    if kind == "FORCE_CONSTANTS":
        return None, parse_FORCE_CONSTANTS(str(path))
    if kind == "force_constants.hdf5":
        return None, from_hdf5(path, units.force_constants_unit)
    assert described is not None
    if described.data.force_constants is not None:
        return None, described.data.force_constants
    return (described.data.dataset if has_forces(described.data.dataset) else None), None
