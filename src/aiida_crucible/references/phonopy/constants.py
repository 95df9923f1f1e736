"""Force constants as they are in phonopy's files, in eV/Å² whatever the program's units are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.file_IO import read_force_constants_hdf5
from phonopy.harmonic.force_constants import full_fc_to_compact_fc
from phonopy.physical_units import CalculatorPhysicalUnits, get_calculator_physical_units

from aiida_crucible.references.phonopy.crystal import is_yaml
from aiida_crucible.references.phonopy.force_constant_checks import check_rows, check_space_group


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

    :param phonon: with its cells.
    :param path: the file that they came from.
    :param constants: in the program's units, shape [n_primitive_atoms, n_atoms, 3, 3], or of all pairs.
    :param units: of the program.
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
