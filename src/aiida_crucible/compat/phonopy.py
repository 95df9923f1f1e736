"""What is used of phonopy and symfc beyond ``Phonopy`` itself and their documented readers; imports no AiiDA."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.force_constants import compact_fc_to_full_fc as compact_fc_to_full_fc
from phonopy.harmonic.force_constants import full_fc_to_compact_fc as full_fc_to_compact_fc
from phonopy.harmonic.force_constants import get_drift_force_constants as get_drift_force_constants
from phonopy.interface.calculator import calculator_info as calculator_info
from phonopy.interface.phonopy_yaml import PhonopyYamlData as PhonopyYamlData
from phonopy.interface.phonopy_yaml import load_phonopy_yaml as load_phonopy_yaml
from phonopy.physical_units import CalculatorPhysicalUnits as CalculatorPhysicalUnits
from phonopy.physical_units import get_calculator_physical_units as get_calculator_physical_units
from phonopy.physical_units import get_physical_units as get_physical_units
from phonopy.qha.core import QHA as QHA
from phonopy.structure.atomic_data import get_atomic_data as get_atomic_data
from phonopy.structure.atoms import PhonopyAtoms as PhonopyAtoms
from phonopy.structure.cells import Primitive as Primitive
from phonopy.structure.cells import get_primitive as get_primitive
from phonopy.structure.cells import get_primitive_matrix_by_centring as get_primitive_matrix_by_centring
from phonopy.structure.cells import get_supercell as get_supercell
from phonopy.structure.cells import guess_primitive_matrix as guess_primitive_matrix
from phonopy.structure.dataset import get_displacements_and_forces as get_displacements_and_forces
from phonopy.utils import similarity_transformation as similarity_transformation
from symfc import Symfc as Symfc
from symfc.utils.utils import SymfcAtoms as SymfcAtoms


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
