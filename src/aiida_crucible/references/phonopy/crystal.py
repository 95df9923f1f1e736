"""The crystal of phonopy's files, from its yaml or a unit cell and a supercell matrix, and its Born charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.file_IO import parse_BORN

from aiida_crucible.analysis.crystal.cells import parse_supercell_matrix
from aiida_crucible.analysis.crystal.phonopy_cells import changed_cell, to_atoms
from aiida_crucible.analysis.phonons.born_charges import check_born_charges, warnings_of_charges
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.phonon_analysis import BornCharges
from aiida_crucible.compat.phonopy import (
    CalculatorPhysicalUnits,
    PhonopyAtoms,
    PhonopyYamlData,
    calculator_info,
    compact_fc_to_full_fc,
    get_calculator_physical_units,
    load_phonopy_yaml,
)
from aiida_crucible.nodes.bounds import check_supercell_size
from aiida_crucible.references.foreign_files import explained
from aiida_crucible.references.phonopy.atom_order import describe_difference, read_structure, require_finite
from aiida_crucible.references.plain_yaml import read_yaml
from crucible_engine.wire.rules import shown, suggestion

DEFAULT_TOLERANCE = 1e-5
"""Å: phonopy's own, where neither the user nor the file names one."""


@dataclass(frozen=True)
class Described:
    """What one of phonopy's yaml files says.

    :param data: as phonopy reads it.
    :param symmetry_tolerance: that it was made with, Å; ``None`` where it says none.
    """

    data: PhonopyYamlData
    symmetry_tolerance: float | None


def is_yaml(path: Path) -> bool:
    """Return whether a file is YAML by its name."""
    return path.suffix in (".yaml", ".yml")


def read_described(path: Path) -> Described:
    """Return what one of phonopy's yaml files says.

    :raises ValueError: one line that names the file, if it is none that describes a crystal of whole atoms.
    """
    with explained(path):
        # phonopy's own reader of files runs the Python that a tag asks for.
        plain = read_yaml(path)
        is_mapping = isinstance(plain, dict)
        data = load_phonopy_yaml(plain) if is_mapping else PhonopyYamlData()
    if is_mapping and "displacements" in plain and "phonopy" not in plain and "unit_cell" not in plain:
        raise ValueError(
            f"{path.name} is phonopy 1's list of displacements, without forces and without the unit cell: give "
            "FORCE_SETS, with the unit cell as structure and the supercell matrix"
        )
    if data.unitcell is None:
        raise ValueError(f"{path.name} describes no unit cell: it is none of phonopy's files")
    require_finite(path, data.unitcell.cell, data.unitcell.positions)
    if data.unitcell.is_site_mixture or data.unitcell.has_weighted_species:
        raise ValueError(f"{path.name} describes partially occupied sites: a reference needs whole atoms")
    return Described(data, _tolerance_in(path, plain))


def units_of(calculator: str | None) -> CalculatorPhysicalUnits:
    """Return the units of a program.

    :param calculator: its name as phonopy has it; ``None`` for VASP.
    :raises ValueError: one line, if phonopy knows none of that name.
    """
    try:
        return get_calculator_physical_units(calculator)
    except Exception as error:
        hint = suggestion(calculator, sorted(calculator_info))
        raise ValueError(f"phonopy knows no calculator {calculator!r} and its units: {hint}") from error


def crystal_of(
    described: Described | None, path: Path, settings: Mapping[str, Any], units: CalculatorPhysicalUnits
) -> Phonopy:
    """Return phonopy's object of a crystal, in Å, under the symmetry that its file was made with.

    :param described: what the file says, where it is one of phonopy's.
    :param path: that file, or one with the unit cell.
    :param settings: complete, see :data:`aiida_crucible.references.settings.PHONONS`.
    :raises ValueError: one line that names the file.
    """
    if described is None:
        if settings["supercell_matrix"] is None:
            raise ValueError(f"{path.name} says nothing of the supercell: give its matrix (--supercell 2 2 2)")
        matrix = parse_supercell_matrix(settings["supercell_matrix"])
        unit = read_structure(path)
        with explained(path):
            check_supercell_size(len(unit), matrix)
            return build_phonopy(unit, matrix, _tolerance(None, settings), _primitive(None, settings))
    data, length = described.data, units.distance_to_A
    unit_cell = changed_cell(data.unitcell, length)
    matrix = np.eye(3, dtype=int) if data.supercell_matrix is None else data.supercell_matrix
    _require_same(path, "supercell", settings["supercell_matrix"], matrix)
    if data.primitive_matrix is not None:
        _require_same(path, "primitive", settings["primitive_matrix"], data.primitive_matrix)
    with explained(path):
        check_supercell_size(len(unit_cell), matrix)
        phonon = build_phonopy(to_atoms(unit_cell), matrix, _tolerance(described, settings), _primitive(data, settings))
    _require_listed(path, "supercell", data.supercell, phonon.supercell, length)
    if data.primitive_matrix is not None:
        _require_listed(path, "primitive cell", data.primitive, phonon.primitive, length)
    return phonon


def _tolerance_in(path: Path, plain: Mapping[str, Any]) -> float | None:
    header = plain.get("phonopy")
    said = header.get("symmetry_tolerance") if isinstance(header, Mapping) else None
    if said is None:
        return None
    try:
        tolerance = float(said)
    except (TypeError, ValueError, OverflowError):
        tolerance = np.nan
    if not 0 < tolerance <= 1:
        raise ValueError(
            f"{path.name} has the symmetry_tolerance {shown(said)}: it is a positive number of Å, at most 1"
        )
    return tolerance


def _tolerance(described: Described | None, settings: Mapping[str, Any]) -> float:
    own = None if described is None else described.symmetry_tolerance
    tolerance: float = settings["symmetry_tolerance"] or own or DEFAULT_TOLERANCE
    return tolerance


def _primitive(data: PhonopyYamlData | None, settings: Mapping[str, Any]) -> bool | NDArray[np.float64]:
    """Return the primitive matrix of the file or of the user, or whether to look for one."""
    if data is not None and data.primitive_matrix is not None:
        return np.asarray(data.primitive_matrix, dtype=float)
    if settings["primitive_matrix"] is not None:
        return np.array(settings["primitive_matrix"], dtype=float)
    if data is not None and data.force_constants is not None:
        n_rows, n_atoms = data.force_constants.shape[:2]
        # Compact force constants of all atoms of the unit cell are of no smaller cell.
        if n_rows == len(data.unitcell) < n_atoms:
            return False
    return bool(settings["primitive"])


def _require_same(path: Path, name: str, given: Any, said: NDArray[Any]) -> None:
    if given is None:
        return
    matrix = np.array(given, dtype=float)
    if not np.allclose(np.diag(matrix) if matrix.ndim == 1 else matrix, said, atol=1e-4):
        raise ValueError(f"{path.name} has the {name} matrix {np.array(said).tolist()}: leave another one out")


def _require_listed(path: Path, what: str, listed: PhonopyAtoms | None, built: PhonopyAtoms, length: float) -> None:
    """Refuse cells whose atoms come in another order than those that phonopy makes now."""
    if listed is None:
        return
    if difference := describe_difference(to_atoms(changed_cell(listed, length)), to_atoms(built)):
        raise ValueError(f"the {what} in {path.name} is not the one that phonopy makes now: {difference}")


def right_handed(phonon: Phonopy) -> Phonopy:
    """Return a phonopy object of a right-handed cell: of a left-handed one all lattice vectors are turned round.

    The crystal stays where it is, and so do the atoms of the unit cell in their order; those of the supercell come in
    another, since phonopy counts them along the lattice vectors.

    :param phonon: with force constants, eV/Å², shape [n_primitive_atoms or n_supercell_atoms, n_supercell_atoms, 3, 3].
    """
    if np.linalg.det(phonon.unitcell.cell) > 0:
        return phonon
    turned = Phonopy(
        changed_cell(phonon.unitcell, turn=-1.0),
        supercell_matrix=phonon.supercell_matrix,
        primitive_matrix=phonon.primitive_matrix,
        symprec=phonon.symmetry.tolerance,
    )
    constants = phonon.force_constants
    if constants.shape[0] != constants.shape[1]:
        constants = compact_fc_to_full_fc(phonon.primitive, constants)
    order = _order(turned.supercell, phonon.supercell)
    turned.force_constants = np.array(constants[np.ix_(order[turned.primitive.p2s_map], order)], order="C")
    return turned


def _order(wanted: PhonopyAtoms, given: PhonopyAtoms) -> NDArray[np.intp]:
    """Return for each atom of a supercell which of another, of the same crystal in the same place, it is."""
    differences = (wanted.positions[:, None] - given.positions) @ np.linalg.inv(given.cell)
    distances = np.linalg.norm((differences - np.rint(differences)) @ given.cell, axis=-1)
    return np.asarray(np.argmin(distances, axis=1))


def read_born_charges(
    phonon: Phonopy, described: Described | None, source: Path, born: Path | None, warnings: list[str]
) -> BornCharges | None:
    """Return the Born charges of the unit cell's atoms; a file goes before what is in the yaml.

    :param warnings: receives one where they are not quite neutral.
    :raises ValueError: one line that names the file, if they are not one for each atom, not finite, or not neutral.
    """
    path = source if born is None else born
    if born is not None:
        with explained(born):
            found = parse_BORN(phonon.primitive, symprec=phonon.symmetry.tolerance, filename=str(born))
    elif described is not None and described.data.nac_params is not None:
        found = described.data.nac_params
    else:
        return None
    try:
        charges, dielectric = np.array(found["born"], dtype=float), np.array(found["dielectric"], dtype=float)
        charges = charges[_rows(phonon, charges)]
        check_born_charges(charges, dielectric, len(phonon.unitcell))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    warnings += warnings_of_charges(path.name, charges)
    return BornCharges(charges, dielectric)


def _rows(phonon: Phonopy, charges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which of the listed charges each atom of the unit cell has.

    :raises ValueError: one line, if they are those of neither cell.
    """
    n_unit, n_primitive = len(phonon.unitcell), len(phonon.primitive)
    if charges.ndim != 3:
        raise ValueError(f"Born charges of shape {charges.shape}: give one 3x3 tensor for each atom")
    if len(charges) == n_unit:
        return np.arange(n_unit)
    if len(charges) != n_primitive:
        raise ValueError(
            f"{len(charges)} Born charges, but the primitive cell has {n_primitive} atoms and the unit cell {n_unit}: "
            "give those of either"
        )
    primitive = phonon.primitive
    return np.array([primitive.p2p_map[primitive.s2p_map[index]] for index in phonon.supercell.u2s_map])
