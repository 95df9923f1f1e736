"""Phonopy's files of a left-handed cell give the frequencies that phonopy itself finds for it."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from numpy.testing import assert_allclose
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from aiida_crucible.analysis.phonons.force_constants import to_atoms
from aiida_crucible.analysis.phonons.lattice_force_constants import restore_phonons
from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.settings import validate_phonons

WAVE_VECTORS = np.array([[0.1, 0.2, 0.3], [0.5, 0.0, 0.0], [0.2, -0.4, 0.1], [1 / 3, 0.0, 0.5]])


@pytest.fixture
def computed():
    """Return phonopy's object of a left-handed crystal with the forces of EMT; along its axes all is different."""
    cell = np.array([[0.3, 3.9, 0.1], [3.7, 0.0, 0.2], [0.1, 0.2, 4.1]])
    assert np.linalg.det(cell) < 0
    unit = PhonopyAtoms(symbols=["Cu", "Au"], scaled_positions=[[0, 0, 0], [0.48, 0.51, 0.53]], cell=cell)
    phonon = Phonopy(unit, supercell_matrix=np.diag([3, 1, 2]), primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=0.01)
    forces = []
    for displaced in phonon.supercells_with_displacements:
        atoms = to_atoms(displaced)
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    equilibrium = to_atoms(phonon.supercell)
    equilibrium.calc = EMT()
    phonon.forces = np.array(forces) - equilibrium.get_forces()
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    return phonon


def test_frequencies_stay(computed, tmp_path):
    path = tmp_path / "phonopy_params.yaml"
    computed.save(path, settings={"force_sets": True, "force_constants": False})
    found = read_phonons(path, validate_phonons({}))
    assert np.linalg.det(found.atoms.cell.array) > 0
    restored = restore_phonons(found.atoms, found.constants.values, found.supercell_matrix, found.primitive_matrix)
    computed.run_qpoints(WAVE_VECTORS)
    restored.run_qpoints(WAVE_VECTORS)
    assert_allclose(restored.qpoints.frequencies, computed.qpoints.frequencies, atol=2e-3)


@pytest.mark.slow
def test_a_face_centred_cell_of_the_other_hand_is_taken(tmp_path):
    lattice = 3.6 * np.eye(3)[[1, 0, 2]]
    sites = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    structure = tmp_path / "POSCAR"
    Atoms("Cu4", scaled_positions=sites, cell=lattice, pbc=True).write(structure, format="vasp")
    unit = PhonopyAtoms(symbols=["Cu"] * 4, scaled_positions=sites, cell=lattice)
    phonon = Phonopy(unit, supercell_matrix=np.diag([2, 2, 2]), primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=0.01)
    (displaced,) = phonon.supercells_with_displacements
    atoms = to_atoms(displaced)
    atoms.calc = EMT()
    phonon.forces = [atoms.get_forces()]
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_sets": True})
    found = read_phonons(tmp_path / "phonopy_params.yaml", validate_phonons({}))
    assert np.linalg.det(found.atoms.cell.array) > 0
    assert len(found.constants.values) == 4
