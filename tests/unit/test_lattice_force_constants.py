"""Force constants of one supercell in any other: exact where the forces' range allows, whatever order and axes."""

from __future__ import annotations

import numpy as np
import pytest
from anharmonic_crystals import compact, force_constants, shaken, three_springs
from ase import Atoms
from ase.build import bulk, make_supercell
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from scipy.spatial.transform import Rotation
from spring_crystal import cubic

from aiida_crucible.analysis.crystal.mapping import map_crystal
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.lattice_force_constants import lattice_force_constants

SUPERCELLS = {
    "larger": np.diag([3, 4, 5]),
    "same": np.diag([2, 2, 2]),
    "smaller": np.diag([1, 2, 2]),
    "skew": np.array([[2, 1, 0], [0, 3, 1], [0, 0, 3]]),
    "left-handed": np.array([[0, 2, 0], [2, 0, 0], [0, 0, 2]]),
}
SOURCES = {
    "straight": np.diag([3, 2, 2]),
    "even": np.diag([2, 2, 2]),
    "skew": np.array([[2, 1, 0], [0, 3, 0], [0, 0, 3]]),
}


def harmonic_forces(run, constants, order=None):
    """Return -Φ u of the first frame, the atoms in the given order."""
    atoms = Atoms(run.numbers, positions=run.positions[0], cell=run.cells[0], pbc=True)
    mapping = constants.map(atoms if order is None else atoms[order])
    ideal = mapping.ideal
    moved = (atoms if order is None else atoms[order]).get_scaled_positions(wrap=False) - ideal.get_scaled_positions()
    moved = (moved - np.rint(moved - moved[0])) @ ideal.cell.array @ mapping.rotation
    forces = -(constants.in_supercell(mapping) @ (moved - moved.mean(axis=0)).reshape(-1))
    return forces.reshape(-1, 3) @ mapping.rotation.T


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", SUPERCELLS)
def test_springs_pull_the_same_in_every_supercell(source, target):
    crystal = three_springs()
    constants = force_constants(crystal, SOURCES[source])
    run = shaken(crystal, SUPERCELLS[target], n_frames=1)
    order = np.random.default_rng(1).permutation(len(run.numbers))
    found = harmonic_forces(run, constants, order)
    np.testing.assert_allclose(found, run.forces[0][order], atol=1e-12)


def test_the_supercell_that_they_come_from_gives_them_back():
    crystal = three_springs()
    rng = np.random.default_rng(2)
    _, supercell_matrix, primitive_matrix = compact(crystal, np.diag([2, 3, 2]))
    values = rng.normal(size=(2, 24, 3, 3))
    constants = lattice_force_constants(crystal.atoms, supercell_matrix, primitive_matrix, values)
    phonon = build_phonopy(crystal.atoms, supercell_matrix)
    supercell = Atoms(
        phonon.supercell.numbers, positions=phonon.supercell.positions, cell=phonon.supercell.cell, pbc=True
    )
    full = compact_fc_to_full_fc(phonon.primitive, values)
    expected = full.transpose(0, 2, 1, 3).reshape(72, 72)
    np.testing.assert_allclose(constants.in_supercell(constants.map(supercell)), expected, atol=1e-14)


def test_full_force_constants_are_averaged_over_equivalent_atoms():
    crystal = three_springs()
    values, supercell_matrix, primitive_matrix = compact(crystal, np.diag([2, 2, 2]))
    phonon = build_phonopy(crystal.atoms, supercell_matrix)
    full = compact_fc_to_full_fc(phonon.primitive, values)
    exact = lattice_force_constants(crystal.atoms, supercell_matrix, primitive_matrix, full)
    assert exact.translation_residual < 1e-14
    reference = lattice_force_constants(crystal.atoms, supercell_matrix, primitive_matrix, values)
    np.testing.assert_allclose(exact.values, reference.values, atol=1e-14)
    full[0, 0] += 0.1 * np.eye(3)
    noisy = lattice_force_constants(crystal.atoms, supercell_matrix, primitive_matrix, full)
    # One of eight equivalent atoms: the mean takes an eighth, the odd one is seven eighths off.
    assert noisy.translation_residual == pytest.approx(0.0875)
    assert noisy.sum_residual == pytest.approx(0.0125)


def test_a_primitive_cell_serves_a_conventional_supercell():
    primitive, conventional = bulk("Cu"), bulk("Cu", cubic=True) * 2
    rng = np.random.default_rng(3)
    order = rng.permutation(len(conventional))
    mapping = map_crystal(conventional[order], primitive)
    assert mapping.n_cells == 32
    np.testing.assert_allclose(
        mapping.ideal.get_all_distances(mic=True), conventional[order].get_all_distances(mic=True)
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_turned_shifted_strained_supercell_is_recognised(seed):
    rng = np.random.default_rng(seed)
    unit = three_springs().atoms
    supercell = make_supercell(unit, [[1, 1, 0], [-1, 1, 0], [0, 0, 2]])
    ideal = supercell.copy()
    turn = Rotation.random(random_state=seed).as_matrix()
    supercell.set_cell(supercell.cell.array * (1 + rng.normal(0, 0.01, 3)), scale_atoms=True)
    supercell.positions += rng.normal(0, 0.05, supercell.positions.shape) + rng.normal(0, 3, 3)
    supercell.set_cell(supercell.cell.array @ turn, scale_atoms=True)
    supercell.wrap()
    order = rng.permutation(len(supercell))
    mapping = map_crystal(supercell[order], unit)
    # Half a turn about an axis takes the crystal into itself.
    np.testing.assert_allclose(np.abs(turn @ mapping.rotation), np.eye(3), atol=0.05)
    expected = ideal[order].get_all_distances(mic=True)
    np.testing.assert_allclose(mapping.unstrained.get_all_distances(mic=True), expected, atol=1e-9)


def test_a_tetragonal_crystal_that_is_turned_by_90_degrees_keeps_its_axis():
    unit = Atoms("PbTiO3", scaled_positions=[[0, 0, 0.09], [0.5, 0.5, 0.55], [0.5, 0.5, 0.98], [0.5, 0, 0.47],
                                             [0, 0.5, 0.47]], cell=[3.87, 3.87, 4.2], pbc=True)  # fmt: skip
    turned = unit * (2, 2, 2)
    turned.rotate(90, "x", rotate_cell=True)
    turned = Atoms(turned.numbers, positions=turned.positions, cell=turned.cell[[0, 2, 1]] * [[1], [1], [-1]], pbc=True)
    mapping = map_crystal(turned, unit)
    polar_axis = turned.cell.array / turned.cell.lengths()[:, None]
    longest = int(np.argmax(turned.cell.lengths()))
    np.testing.assert_allclose(np.abs((polar_axis @ mapping.rotation)[longest]), [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(mapping.ideal.get_all_distances(mic=True), turned.get_all_distances(mic=True), atol=1e-9)


def turns():
    """Return the 24 proper rotations of a cube."""
    return [turn.as_matrix().round() for turn in Rotation.create_group("O")]


@pytest.mark.parametrize(("ratio", "shift"), [(1.0, 0.02), (1.01, 0.02), (1.06, 0.04)])
@pytest.mark.parametrize("relabels", [False, True])
def test_a_nearly_cubic_polar_crystal_is_found_in_each_orientation(ratio, shift, relabels):
    """Its images under the 24 turns of a cube nearly fit, and only one of them, and its like, does."""
    scaled = [[0, 0, 0], [0.5, 0.5, 0.5 + shift], [0.5, 0.5, -shift], [0.5, 0, 0.5 - shift], [0, 0.5, 0.5 - shift]]
    unit = Atoms("BaTiO3", scaled_positions=scaled, cell=[4, 4, 4 * ratio], pbc=True)
    supercell = unit * (2, 2, 2)
    for turn in turns():
        turned = supercell.copy()
        turned.positions = turned.positions @ turn
        # The axes of either point where the unit cell's do, or are the cell vectors turned with the atoms.
        turned.cell = np.abs(turn.T) @ (supercell.cell.array @ turn) if relabels else supercell.cell.array @ turn
        if np.linalg.det(turned.cell.array) < 0:
            turned.cell[0] *= -1
        mapping = map_crystal(turned, unit)
        moved = turned.get_scaled_positions(wrap=False) - mapping.ideal.get_scaled_positions(wrap=False)
        moved -= np.rint(moved - moved[0])
        np.testing.assert_allclose((moved - moved[0]) @ turned.cell.array, 0, atol=1e-9)
        strain = mapping.cell @ mapping.rotation - mapping.matrix @ unit.cell.array
        np.testing.assert_allclose(strain, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("supercell", "message"),
    [
        (bulk("Ag") * 2, "not made of whole cells of Cu: another composition"),
        (bulk("Cu", "bcc", a=2.87, cubic=True) * 2, "no lattice vectors of the unit cell|free site"),
        (Atoms("Cu8", positions=np.random.default_rng(0).random((8, 3)) * 5, cell=(bulk("Cu") * 2).cell, pbc=True),
         "Å from any free site"),
    ],
)  # fmt: skip
def test_another_crystal_is_refused_in_one_line(supercell, message):
    with pytest.raises(ValueError, match=message) as caught:
        map_crystal(supercell, bulk("Cu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, s, p: (v[:, :-1], s, p), r"give \[2, 24, 3, 3\] or \[24, 24, 3, 3\]"),
        (lambda v, s, p: (v * np.nan, s, p), "atom 0 are no finite numbers"),
        (lambda v, s, p: (v, s[:2], p), r"give \[3, 3\]"),
        (lambda v, s, p: (v, s, np.diag([0.5, 1, 1])), "primitive_matrix is not of this unit cell"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(change, message):
    crystal = three_springs()
    values, supercell_matrix, primitive_matrix = compact(crystal, np.diag([2, 3, 2]))
    given = change(values, supercell_matrix, primitive_matrix)
    with pytest.raises(ValueError, match=message) as caught:
        lattice_force_constants(crystal.atoms, given[1], given[2], given[0])
    assert "\n" not in str(caught.value)


def test_a_broken_sum_rule_is_measured():
    crystal = cubic(3.0, 1.0)
    values, supercell_matrix, primitive_matrix = compact(crystal, np.diag([2, 2, 2]))
    values[0, 0] += 0.01 * np.eye(3)
    constants = lattice_force_constants(crystal.atoms, supercell_matrix, primitive_matrix, values)
    assert constants.sum_residual == pytest.approx(0.01)
    assert constants.index_residual < 1e-14
