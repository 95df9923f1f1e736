"""Third-order force constants by finite displacements, with phono3py, which is an extra of this package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix
from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms, to_phonopy

if TYPE_CHECKING:
    from phono3py import Phono3py

Array = NDArray[np.float64]

MISSING = "a lattice thermal conductivity needs phono3py: `pip install 'aiida-crucible[conductivity]'` (Python >= 3.11)"


def require_phono3py() -> None:
    """Refuse to begin without phono3py.

    :raises ValueError: one line that says how to get it.
    """
    if find_spec("phono3py") is None:
        raise ValueError(MISSING)


def prepare_third_order(
    atoms: Atoms, settings: Mapping[str, Any], tolerance: float, harmonic: tuple[NDArray[Any], NDArray[Any]]
) -> Phono3py:
    """Return phono3py's object of a crystal with its displacements; the same for the same arguments.

    :param settings: complete, see :mod:`aiida_crucible.analysis.conductivity.settings`.
    :param tolerance: distance tolerance of the symmetry search, Å.
    :param harmonic: supercell matrix and primitive matrix of the harmonic force constants, as phonopy has them, [3, 3].
    :raises ValueError: one line, if phono3py is missing.
    """
    require_phono3py()
    from phono3py import Phono3py

    supercell_matrix, primitive_matrix = harmonic
    crystal = Phono3py(
        to_phonopy(atoms),
        supercell_matrix=chosen_supercell_matrix(settings, atoms.cell.array),
        primitive_matrix=primitive_matrix,
        phonon_supercell_matrix=supercell_matrix,
        symprec=tolerance,
    )
    crystal.generate_displacements(distance=settings["displacement"], cutoff_pair_distance=settings["pair_cutoff"])
    return crystal


def displaced_supercells(crystal: Phono3py) -> list[Atoms]:
    """Return the supercells to evaluate, in order: with one atom displaced, then with two within the cutoff."""
    return [to_atoms(cell) for cell in crystal.supercells_with_displacements if cell is not None]


def solve_third_order(crystal: Phono3py, forces: Array) -> None:
    """Fit third-order force constants, eV/Å³, and symmetrise them (translations, permutations of the atoms).

    Finite differences of forces by L. Chaput, A. Togo, I. Tanaka and G. Hug, Phys. Rev. B 84, 094302 (2011), section
    II.C, as phono3py makes them by itself.

    :param crystal: receives them.
    :param forces: of :func:`displaced_supercells`, eV/Å, shape [n_supercells, n_atoms, 3].
    :raises ValueError: if there is not one set of forces for each supercell.
    """
    cells = crystal.supercells_with_displacements
    places = [number for number, cell in enumerate(cells) if cell is not None]
    expected = (len(places), len(crystal.supercell), 3)
    if forces.shape != expected:
        raise ValueError(f"forces of shape {forces.shape} for displaced supercells of shape {expected}")
    # What is beyond the cutoff has forces that phono3py leaves out.
    complete = np.zeros((len(cells), *expected[1:]))
    complete[places] = forces
    crystal.forces = complete
    crystal.produce_fc3()
    crystal.symmetrize_fc3()
