"""What is used of phonopy and symfc beyond ``Phonopy`` itself and their documented readers; imports no AiiDA."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.force_constants import compact_fc_to_full_fc, full_fc_to_compact_fc
from phonopy.interface.phonopy_yaml import PhonopyYamlData, load_phonopy_yaml
from phonopy.physical_units import CalculatorPhysicalUnits, get_calculator_physical_units
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.cells import get_primitive_matrix_by_centring
from phonopy.structure.dataset import get_displacements_and_forces
from phonopy.utils import similarity_transformation
from symfc import Symfc
from symfc.utils.utils import SymfcAtoms

__all__ = [
    "CalculatorPhysicalUnits",
    "PhonopyAtoms",
    "PhonopyYamlData",
    "Symfc",
    "SymfcAtoms",
    "compact_fc_to_full_fc",
    "full_fc_to_compact_fc",
    "get_calculator_physical_units",
    "get_displacements_and_forces",
    "get_primitive_matrix_by_centring",
    "load_phonopy_yaml",
    "random_force_constants",
    "similarity_transformation",
]


def random_force_constants(solver: Symfc, n_atoms: int) -> tuple[NDArray[np.float64], int]:
    """Return force constants that a solver's symmetry allows, always the same ones, and how many are independent.

    :param solver: with its basis set of order 2.
    :param n_atoms: of the supercell.
    :return: shape [n_atoms, n_atoms, 3, 3], and the number.
    """
    basis: Any = solver.basis_set[2]
    weights = np.random.default_rng(0).normal(size=basis.basis_set.shape[1])
    values = basis.compression_matrix @ (basis.basis_set @ weights)
    return np.asarray(values).reshape(n_atoms, n_atoms, 3, 3), len(weights)
