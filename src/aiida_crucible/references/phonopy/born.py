"""Born charges of phonopy's files, put on the atoms of the unit cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.file_IO import parse_BORN

from aiida_crucible.analysis.phonons.born_charges import check_born_charges, warnings_of_charges
from aiida_crucible.analysis.phonons.phonon_analysis import BornCharges
from aiida_crucible.references.foreign_files import explained
from aiida_crucible.references.phonopy.crystal import Described


def read_born_charges(
    phonon: Phonopy, described: Described | None, source: Path, born: Path | None, warnings: list[str]
) -> BornCharges | None:
    """Return the Born charges of the unit cell's atoms; a file goes before what is in the yaml.

    :param phonon: with its cells.
    :param described: what phonopy's yaml says, where there is one.
    :param source: that yaml.
    :param born: phonopy's file of Born charges.
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
