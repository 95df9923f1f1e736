"""A left-handed cell is the same crystal: every step takes it and says the same of it."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import StructureData
from ase.build import bulk
from ase.calculators.emt import EMT
from numpy.testing import assert_allclose

from aiida_crucible.nodes.structures import atoms_to_trajectory, cells_of, from_atoms, right_handed, to_atoms
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain


def left_handed(atoms):
    """Return the same crystal with its first two lattice vectors exchanged."""
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array[[1, 0, 2]])
    assert np.linalg.det(turned.cell.array) < 0
    return turned


def test_the_lattice_its_lengths_and_its_angles_stay():
    cell = np.array([[3.0, 0.2, 0.1], [0.3, 4.0, 0.5], [0.1, -0.4, 5.0]])[[1, 0, 2]]
    turned = right_handed(cell)
    assert np.linalg.det(turned) == pytest.approx(-np.linalg.det(cell))
    assert_allclose(turned @ turned.T, cell @ cell.T)
    assert_allclose(turned @ np.linalg.inv(cell), np.round(turned @ np.linalg.inv(cell)), atol=1e-12)
    assert right_handed(turned) is not cell
    assert_allclose(right_handed(turned), turned)


def test_structures_and_frames_come_out_right_handed_in_the_same_place(aiida_profile):
    atoms = left_handed(bulk("NaCl", "rocksalt", a=5.6, cubic=True))
    back = to_atoms(from_atoms(atoms))
    assert np.linalg.det(back.cell.array) > 0
    assert_allclose(back.positions, atoms.positions)
    assert_allclose(back.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-12)
    cells = cells_of(atoms_to_trajectory([atoms, bulk("NaCl", "rocksalt", a=5.6, cubic=True)]))
    assert (np.linalg.det(cells) > 0).all()


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, False)])
def test_what_is_no_crystal_passes(pbc, aiida_profile):
    structure = StructureData(pbc=pbc, cell=None if not any(pbc) else [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 20.0]])
    structure.append_atom(symbols="Cu", position=(0.0, 0.0, 0.0))
    assert to_atoms(structure).pbc.tolist() == list(pbc)


@pytest.mark.slow
def test_phonons_of_a_left_handed_cell_are_those_of_the_right_handed_one(code, model):
    frequencies = []
    settings = {"mesh": [4, 4, 4], "dos_mesh": [4, 4, 4], "band_points": 5, "supercell_matrix": [2, 2, 2]}
    for atoms in (bulk("Cu", cubic=True), left_handed(bulk("Cu", cubic=True))):
        builder = PhononWorkChain.get_builder_from_protocol(
            code, model, from_atoms(atoms), "fast", overrides={"parameters": settings}
        )
        outputs, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        frequencies.append(outputs["summary"]["highest_frequency"])
    assert frequencies[1] == pytest.approx(frequencies[0], rel=1e-6)


@pytest.mark.long
@pytest.mark.slow
def test_a_sweep_of_a_left_handed_cell_runs_the_same_crystal(code, model):
    atoms = left_handed(bulk("Cu", cubic=True))
    overrides = {
        "parameters": {"temperatures": [100.0], "supercell_matrix": [2, 2, 2]},
        "base": {"dynamics": {"parameters": {"steps": 100}}},
    }
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code, model, from_atoms(atoms), "fast", overrides=overrides
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    supercell, wanted = outputs["supercell"].get_ase(), bulk("Cu", cubic=True) * (2, 2, 2)
    assert np.linalg.det(supercell.cell.array) > 0
    assert_allclose(
        np.sort(supercell.get_all_distances(mic=True).ravel()), np.sort(wanted.get_all_distances(mic=True).ravel())
    )
    wanted.calc = EMT()
    series = outputs["runs"]["T100"]["series"]
    assert series.get_array("potential_energy")[0] == pytest.approx(wanted.get_potential_energy(), abs=1e-6)
