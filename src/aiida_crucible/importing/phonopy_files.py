"""Force constants from the files of phonopy, in eV/Å² whatever the calculator's units are.

Files are named, never searched for: what lies in the working directory by chance takes no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.file_IO import (
    get_FORCE_SETS_type,
    parse_BORN,
    parse_FORCE_CONSTANTS,
    parse_FORCE_SETS,
    read_force_constants_hdf5,
)
from phonopy.harmonic.force_constants import full_fc_to_compact_fc
from phonopy.interface.phonopy_yaml import PhonopyYamlData, load_phonopy_yaml
from phonopy.physical_units import CalculatorPhysicalUnits, get_calculator_physical_units
from phonopy.structure.atoms import PhonopyAtoms

from aiida_crucible.analysis.born_charges import COULOMB
from aiida_crucible.analysis.cells import parse_supercell_matrix
from aiida_crucible.analysis.force_constants import ForceConstants, build_phonopy, symmetrised, to_atoms
from aiida_crucible.analysis.phonon_analysis import BornCharges
from aiida_crucible.bounds import check_supercell_size
from aiida_crucible.importing.atom_order import describe_difference, read_structure
from aiida_crucible.importing.force_constant_checks import (
    check_displacements,
    check_fit,
    check_rows,
    check_space_group,
    check_symmetries,
    warnings_of_masses,
)
from aiida_crucible.importing.force_constant_files import check_announced
from aiida_crucible.importing.handedness import right_handed
from aiida_crucible.importing.plain_yaml import read_yaml

LARGEST_DRIFT = 1e-3
"""eV/Å an atom by which the forces of a supercell may miss the sum of zero without a word."""


@dataclass(frozen=True)
class ImportedPhonons:
    """Force constants and the cells that they belong to, in ASE's units.

    :param atoms: the unit cell.
    :param constants: symmetrised, with what they missed the sum rules by.
    :param supercell_matrix: as phonopy has it, shape [3, 3].
    :param primitive_matrix: as phonopy has it, shape [3, 3].
    :param born: of the unit cell's atoms; ``None`` where there are none.
    :param values: what is to be known of them: ``kind`` of file, ``calculator``, ``n_atoms_supercell``, and of forces
        ``largest_force_drift`` (eV/Å).
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
    """Return the force constants that phonopy's files give.

    :param path: ``phonopy_params.yaml`` or another of phonopy's with forces or force constants in it, ``FORCE_SETS``,
        ``FORCE_CONSTANTS`` or ``force_constants.hdf5``.
    :param settings: complete, see :data:`aiida_crucible.importing.settings.PHONONS`.
    :param structure: the crystal, where ``path`` holds none: one of phonopy's yaml files, or a file with the unit cell
        in a format of :data:`~aiida_crucible.importing.foreign_files.STRUCTURE_FORMATS`; then the supercell matrix
        is one of the settings.
    :param born: phonopy's file of Born charges.
    :raises ValueError: one line that names the file and what does not fit.
    """
    kind = _kind_of(path)
    if (kind == "yaml") == (structure is not None):
        raise ValueError(
            f"{path.name} holds its crystal: leave the structure out"
            if kind == "yaml"
            else f"{path.name} does not say which crystal it belongs to: give phonopy's yaml file or the unit cell"
        )
    source = path if structure is None else structure
    described = _read_yaml(source) if _is_yaml(source) else None
    name = described.calculator if described is not None and described.calculator else settings["calculator"]
    units = _units_of(name)
    phonon = _crystal(described, source, settings, units)
    values = {"kind": kind, "calculator": name or "vasp", "n_atoms_supercell": len(phonon.supercell)}
    warnings: list[str] = []
    with _explained(path):
        dataset, constants = _numbers_of(path, kind, phonon, described, units)
    if dataset is not None:
        values["largest_force_drift"] = _put_forces(phonon, path, dataset, units, warnings)
    elif constants is not None:
        warnings += _put_constants(phonon, path, constants, units)
    else:
        raise ValueError(f"{path.name} holds neither forces nor force constants: give FORCE_SETS with it as structure")
    if described is not None:
        warnings += warnings_of_masses(source, described.unitcell)
    charges = _born_charges(phonon, described, born)
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
    if _is_yaml(path):
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


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")


def _read_yaml(path: Path) -> PhonopyYamlData:
    with _explained(path):
        # phonopy's own reader of files runs the Python that a tag asks for.
        plain = read_yaml(path)
        content = load_phonopy_yaml(plain) if isinstance(plain, dict) else PhonopyYamlData()
    if content.unitcell is None:
        raise ValueError(f"{path.name} describes no unit cell: it is none of phonopy's files")
    return content


def _units_of(calculator: str | None) -> CalculatorPhysicalUnits:
    try:
        return get_calculator_physical_units(calculator)
    except Exception as error:
        raise ValueError(f"phonopy knows no calculator {calculator!r}, and so its units are unknown") from error


def _crystal(
    described: PhonopyYamlData | None, path: Path, settings: Mapping[str, Any], units: CalculatorPhysicalUnits
) -> Phonopy:
    """Return phonopy's object of the crystal in Å."""
    if described is None:
        if settings["supercell_matrix"] is None:
            raise ValueError(f"{path.name} says nothing of the supercell: give its matrix, e.g. 2 2 2")
        matrix = parse_supercell_matrix(settings["supercell_matrix"])
        unit = read_structure(path)
        with _explained(path):
            check_supercell_size(len(unit), matrix)
            return build_phonopy(unit, matrix, settings["symmetry_tolerance"], settings["primitive"])
    length = units.distance_to_A
    unit_cell = _scaled(described.unitcell, length)
    matrix = np.eye(3, dtype=int) if described.supercell_matrix is None else described.supercell_matrix
    if settings["supercell_matrix"] is not None and not np.array_equal(
        parse_supercell_matrix(settings["supercell_matrix"]), matrix
    ):
        raise ValueError(f"{path.name} has the supercell matrix {np.array(matrix).tolist()}: leave another one out")
    with _explained(path):
        check_supercell_size(len(unit_cell), matrix)
    if described.primitive_matrix is None:
        phonon = build_phonopy(to_atoms(unit_cell), matrix, settings["symmetry_tolerance"], settings["primitive"])
    else:
        with _explained(path):
            phonon = Phonopy(
                unit_cell, matrix, primitive_matrix=described.primitive_matrix, symprec=settings["symmetry_tolerance"]
            )
    if described.supercell is not None:
        listed, built = to_atoms(_scaled(described.supercell, length)), to_atoms(phonon.supercell)
        if difference := describe_difference(listed, built):
            raise ValueError(f"the supercell in {path.name} is not the one that phonopy makes now: {difference}")
    return phonon


def _scaled(cell: PhonopyAtoms, length: float) -> PhonopyAtoms:
    return PhonopyAtoms(numbers=cell.numbers, scaled_positions=cell.scaled_positions, cell=cell.cell * length)


def _numbers_of(
    path: Path, kind: str, phonon: Phonopy, described: PhonopyYamlData | None, units: CalculatorPhysicalUnits
) -> tuple[dict[str, Any] | None, NDArray[np.float64] | None]:
    """Return displacements with forces, or force constants, as they are in the file."""
    check_announced(path, kind, len(phonon.supercell))
    if kind == "FORCE_SETS":
        # Files of the first type say the number of atoms themselves, and are asked for it below.
        n_atoms = None if get_FORCE_SETS_type(str(path)) == 1 else len(phonon.supercell)
        return parse_FORCE_SETS(natom=n_atoms, filename=str(path)), None
    if kind == "FORCE_CONSTANTS":
        return None, parse_FORCE_CONSTANTS(str(path))
    if kind == "force_constants.hdf5":
        return None, _from_hdf5(path, units.force_constants_unit)
    assert described is not None
    if described.force_constants is not None:
        return None, described.force_constants
    return (described.dataset if _has_forces(described.dataset) else None), None


def _from_hdf5(path: Path, unit: str) -> NDArray[np.float64]:
    """Return force constants of an hdf5, which may say their unit itself.

    :raises ValueError: one line, if it says another than the calculator's.
    """
    constants, said = read_force_constants_hdf5(str(path), return_physical_unit=True)
    if said is not None and said.lower() != unit.lower():
        raise ValueError(
            f"{path.name} says that its force constants are in {said}, but {unit} is expected of its calculator: name "
            "the calculator whose units these are"
        )
    return np.asarray(constants, dtype=float)


def _has_forces(dataset: dict[str, Any] | None) -> bool:
    if not dataset:
        return False
    return "forces" in dataset or all("forces" in entry for entry in dataset.get("first_atoms", [{}]))


def _put_forces(
    phonon: Phonopy, path: Path, dataset: dict[str, Any], units: CalculatorPhysicalUnits, warnings: list[str]
) -> float:
    """Fit force constants to forces and return the largest sum of a supercell's forces, eV/Å."""
    expected = (len(phonon.supercell), 3)
    if "first_atoms" in dataset:
        if dataset["natom"] != expected[0]:
            raise ValueError(
                f"{path.name} holds forces on {dataset['natom']} atoms, but the supercell has {expected[0]}: give the "
                "supercell that they were computed in"
            )
        entries = dataset["first_atoms"]
        forces = [np.array(entry["forces"]) * units.force_to_eVperA for entry in entries]
        for entry, force in zip(entries, forces, strict=True):
            entry["displacement"] = np.array(entry["displacement"]) * units.distance_to_A
            entry["forces"] = force
    else:
        dataset["displacements"] = np.array(dataset["displacements"]) * units.distance_to_A
        dataset["forces"] = np.array(dataset["forces"]) * units.force_to_eVperA
        forces = list(dataset["forces"])
    for index, force in enumerate(forces):
        if force.shape != expected or not np.isfinite(force).all():
            what = f"of shape {force.shape}, not {expected}" if force.shape != expected else "that are not finite"
            raise ValueError(f"{path.name} holds forces {what} in displaced supercell {index}")
    drifts = np.array([np.linalg.norm(force.sum(axis=0)) for force in forces])
    worst = int(np.argmax(drifts))
    has_drift = bool(drifts[worst] > LARGEST_DRIFT * expected[0])
    if has_drift:
        warnings.append(f"the forces of displaced supercell {worst} in {path.name} add up to {drifts[worst]:.3g} eV/Å")
    if "first_atoms" not in dataset:
        check_displacements(path, phonon, dataset["displacements"])
    try:
        phonon.dataset = dataset
        fitter = None if "first_atoms" in dataset else "symfc"
        phonon.produce_force_constants(calculate_full_force_constants=False, fc_calculator=fitter, show_drift=False)
    except Exception as error:
        raise ValueError(
            f"phonopy finds no force constants for the forces in {path.name}: its atoms come in another order, "
            "displacements are missing, or the supercell is another"
        ) from error
    warnings += check_fit(path, phonon, has_drift)
    return float(drifts[worst])


def _put_constants(
    phonon: Phonopy, path: Path, constants: NDArray[np.float64], units: CalculatorPhysicalUnits
) -> list[str]:
    """Put force constants in eV/Å² into ``phonon`` and return what is to be said of them."""
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
    if not _is_yaml(path):
        check_rows(path, constants, phonon.primitive.p2s_map)
    warnings = check_space_group(path, constants, phonon)
    if constants.shape == full and full != compact:
        constants = full_fc_to_compact_fc(phonon.primitive, constants)
    # Frequencies are the factor times the root of force constants: its square carries their unit.
    reference = get_calculator_physical_units(None).factor
    phonon.force_constants = np.ascontiguousarray(constants * (units.factor / reference) ** 2)
    return warnings


def _born_charges(phonon: Phonopy, described: PhonopyYamlData | None, path: Path | None) -> BornCharges | None:
    """Return the Born charges of the unit cell's atoms; a file goes before what is in the yaml."""
    found = described.nac_params if described is not None else None
    if path is not None:
        with _explained(path):
            found = parse_BORN(phonon.primitive, filename=str(path))
        phonon.nac_params = {**found, "factor": COULOMB}
    if found is None:
        return None
    primitive = phonon.primitive
    supercell_atoms = phonon.supercell.u2s_map
    atoms = [primitive.p2p_map[primitive.s2p_map[index]] for index in supercell_atoms]
    return BornCharges(np.array(found["born"], dtype=float)[atoms], np.array(found["dielectric"], dtype=float))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Name the file in whatever phonopy says of it, in one line."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{path.name} cannot be read: {lines[0]}") from error
