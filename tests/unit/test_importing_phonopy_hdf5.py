"""Force constants in an hdf5 that says another unit than its calculator's are refused."""

import numpy as np
import pytest
from phonopy.file_IO import write_force_constants_to_hdf5
from phonopy.physical_units import get_calculator_physical_units

from aiida_crucible.references.phonopy.constants import from_hdf5


def test_units_have_to_agree(tmp_path):
    path = tmp_path / "force_constants.hdf5"
    constants = np.random.default_rng(0).normal(size=(2, 2, 3, 3))
    write_force_constants_to_hdf5(constants, filename=str(path), physical_unit="Ry/au^2")
    vasp, qe = (get_calculator_physical_units(name).force_constants_unit for name in (None, "qe"))
    with pytest.raises(
        ValueError, match=r"says that its force constants are in Ry/au\^2, but eV/angstrom\^2 is expected"
    ):
        from_hdf5(path, vasp)
    np.testing.assert_array_equal(from_hdf5(path, qe), constants)
