"""Polarization of lead titanate against a calculation by hand; sums, wrapping, origin, local cells."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from thermal_crystals import cubic, polar, rotation, shuffled, vibrating

from aiida_crucible.analysis.crystal.mapping import find_sites
from aiida_crucible.analysis.dynamics.polarization import (
    MICROCOULOMB_PER_CM2,
    local_cells_around,
    neutral_charges,
    polarization,
)
from aiida_crucible.analysis.phonons.born_charges import NAMED_CHARGES, named_charges

ZHONG = "PbTiO3-Zhong-1994"


def charges_of(reference):
    return neutral_charges(named_charges(ZHONG).tensors(reference))


def in_supercell(matrix=(2, 2, 2), seed=0):
    """Return the polar supercell in a shuffled order, its cubic reference and its charges."""
    supercell = shuffled(polar() * matrix, seed)
    reference = find_sites(supercell, polar()).of_phase(cubic())
    return supercell, reference, charges_of(reference)


def test_the_experimental_cell_agrees_with_a_calculation_by_hand():
    """Displacements along c from the cubic places, in units of c, the crystal shifted so that Pb stays at 0:

    Pb 0.0943 - 0      - 0.0943 =  0
    Ti 0.5560 - 0.5    - 0.0943 = -0.0383
    O∥ 0.9785 - 1      - 0.0943 = -0.1158   (between two Ti along c)
    O⊥ 0.4733 - 0.5    - 0.0943 = -0.1210   (two of them)

    Σ Z* u = 7.06 (-0.0383) - 5.83 (-0.1158) - 2 · 2.56 (-0.1210)
           = -0.27040 + 0.67511 + 0.61952 = 1.02424, times c = 4.15 Å: 4.25058 e Å.
    The charges sum to 0.01 e; as Pb is at rest here, 0.002 e an atom taken off changes that by
    -0.002 (-0.0383 - 0.1158 - 2 · 0.1210) · 4.15 = 0.0033 e Å.
    V = 3.90² · 4.15 = 63.1215 Å³, so that P = 0.06734 e/Å² = 107.9 µC/cm².
    """
    by_hand = (7.06 * -0.0383 - 5.83 * -0.1158 - 2 * 2.56 * -0.1210) * 4.15 / (3.90**2 * 4.15)
    assert by_hand * 1602.1766 == pytest.approx(107.89, abs=0.01)
    result = polarization(polar().positions[None], polar().cell.array, cubic(), charges_of(cubic())).total[0]
    assert result[2] == pytest.approx(by_hand, rel=1e-3)
    assert result[2] * MICROCOULOMB_PER_CM2 == pytest.approx(107.9, rel=0.05)
    assert result[:2] == pytest.approx([0, 0], abs=1e-12)
    supercell, reference, charges = in_supercell((2, 1, 3))
    repeated = polarization(supercell.positions[None], supercell.cell.array, reference, charges).total[0]
    assert repeated == pytest.approx(result, abs=1e-12)


def test_the_cubic_cell_has_none_and_the_inverted_one_the_opposite():
    strained = cubic().cell.array @ np.diag([1.0, 1.0, 1.06])
    frames = np.array([cubic().get_scaled_positions() @ strained, -polar().get_scaled_positions() @ strained])
    result = polarization(frames, strained, cubic(), charges_of(cubic())).total
    assert result[0] == pytest.approx(np.zeros(3), abs=1e-14)
    assert result[1, 2] * MICROCOULOMB_PER_CM2 < -90


def test_origin_and_wrapping_do_not_matter():
    supercell, reference, charges = in_supercell()
    local_cells = local_cells_around(reference, "Ti")
    frames = vibrating(supercell, 5, 0.1)
    plain = polarization(frames, supercell.cell.array, reference, charges, local_cells)
    rng = np.random.default_rng(0)
    moved = frames + rng.uniform(-30, 30, (5, 1, 3))
    moved += rng.integers(-2, 3, moved.shape) @ supercell.cell.array
    other = polarization(moved, supercell.cell.array, reference, charges, local_cells)
    assert np.allclose(plain.total, other.total, atol=1e-12)
    assert np.allclose(plain.local, other.local, atol=1e-11)


def test_a_rotated_crystal_has_a_rotated_polarization():
    matrix = rotation()
    supercell, reference, charges = in_supercell()
    plain = polarization(supercell.positions[None], supercell.cell.array, reference, charges).total
    turned_reference = reference.copy()
    turned_reference.set_cell(reference.cell.array @ matrix, scale_atoms=True)
    turned = polarization(
        (supercell.positions @ matrix)[None],
        supercell.cell.array @ matrix,
        turned_reference,
        charges_of(turned_reference),
    ).total
    assert np.allclose(turned, plain @ matrix, atol=1e-12)


def test_the_acoustic_sum_rule_is_enforced_by_the_same_part_of_every_atom():
    assert charges_of(cubic()).sum(axis=0) == pytest.approx(np.zeros((3, 3)), abs=1e-12)
    given = np.random.default_rng(0).standard_normal((5, 3, 3))
    assert given - neutral_charges(given) == pytest.approx(np.broadcast_to(given.mean(axis=0), (5, 3, 3)))


def test_cells_round_titanium_share_their_atoms():
    reference = shuffled(cubic() * (2, 2, 2))
    cells = local_cells_around(reference, "Ti")
    symbols = np.array(reference.get_chemical_symbols())
    for row, centre in zip(cells.weights, cells.centres, strict=True):
        assert np.flatnonzero(row * (symbols == "Ti")).tolist() == [centre]
        assert np.sort(row[row > 0]).tolist() == [0.125] * 8 + [0.5] * 6 + [1.0]
        distances = reference.get_distances(centre, np.arange(len(reference)), mic=True)
        assert distances[(row > 0) & (symbols == "O")] == pytest.approx(3.95 / 2)
        assert distances[(row > 0) & (symbols == "Pb")] == pytest.approx(3.95 * np.sqrt(3) / 2)
    assert cells.weights.sum(axis=0) == pytest.approx(np.ones(40))
    # In a single cell every neighbour is an image of the same few atoms.
    assert local_cells_around(cubic(), "Ti").weights == pytest.approx(np.ones((1, 5)))


def test_local_polarization_averages_to_the_total_and_sees_its_own_cell_only():
    supercell, reference, charges = in_supercell((3, 3, 3))
    cells = local_cells_around(reference, "Ti")
    result = polarization(vibrating(supercell, 3, 0.1), supercell.cell.array, reference, charges, cells)
    assert result.local.shape == (3, 27, 3)
    assert np.allclose(result.local.mean(axis=1), result.total, atol=1e-13)
    ideal = polarization(supercell.positions[None], supercell.cell.array, reference, charges, cells)
    assert np.allclose(ideal.local, ideal.total[:, None], atol=1e-12)
    one = reference.positions.copy()
    one[cells.centres[5], 0] += 0.1
    local = polarization(one[None], reference.cell.array, reference, charges, cells).local[0, :, 0]
    # The drift of the crystal, which the sum rule hides from the total, gives each neutral cell nothing.
    volume = reference.get_volume() / 27
    assert local[5] == pytest.approx(0.1 * charges[cells.centres[5], 0, 0] / volume, rel=1e-6)
    assert np.abs(np.delete(local, 5)).max() < 1e-12


def test_the_axes_of_the_oxygens_come_from_their_neighbours():
    tensors = named_charges(ZHONG).tensors(cubic())
    assert tensors[0] == pytest.approx(3.90 * np.eye(3))
    for atom, axis in ((2, 2), (3, 1), (4, 0)):
        expected = np.full(3, -2.56)
        expected[axis] = -5.83
        assert tensors[atom] == pytest.approx(np.diag(expected), abs=1e-12)
    assert "72, 3618" in NAMED_CHARGES[ZHONG].source


def test_a_tensor_of_any_form_is_taken_and_its_indices_kept():
    reference = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    tensor = np.arange(9.0).reshape(3, 3)
    charges = neutral_charges(np.where((reference.symbols == "Na")[:, None, None], tensor, -tensor))
    moved = reference.positions.copy()
    moved[0, 1] += 0.02
    result = polarization(moved[None], reference.cell.array, reference, charges).total[0]
    assert result == pytest.approx(tensor[:, 1] * 0.02 / reference.get_volume())


def test_single_precision_trajectories_lose_nothing():
    supercell, reference, charges = in_supercell()
    frames = vibrating(supercell, 4, 0.1)
    double = polarization(frames, supercell.cell.array, reference, charges).total
    single = polarization(frames.astype(np.float32), supercell.cell.array, reference, charges).total
    assert np.abs(single - double).max() * MICROCOULOMB_PER_CM2 < 0.01


def test_broken_input_is_refused():
    charges = charges_of(cubic())
    with pytest.raises(ValueError, match="of 5 atoms: the reference has 40"):
        polarization(np.zeros((1, 40, 3)), np.eye(3), cubic() * 2, charges)
    with pytest.raises(ValueError, match=r"shape \(5, 3\)"):
        neutral_charges(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="not finite"):
        neutral_charges(np.full((5, 3, 3), np.nan))
    with pytest.raises(ValueError, match="no Zr in O3PbTi: choose one of O, Pb, Ti"):
        local_cells_around(cubic(), "Zr")
    with pytest.raises(ValueError, match="choose one of PbTiO3-Zhong-1994"):
        named_charges("Zhong")
    with pytest.raises(ValueError, match="has no Born charge for Cl, Na"):
        named_charges(ZHONG).tensors(bulk("NaCl", "rocksalt", a=5.64))


def test_a_cell_that_is_charged_is_refused():
    # Two kinds of octahedra, and of each oxygen's charge half goes to the titanium and half to the zirconium.
    doubled = cubic() * (2, 1, 1)
    doubled.symbols[6] = "Zr"
    by_species = {"Pb": 3, "Ti": 7, "Zr": 5, "O": -3}
    charges = neutral_charges(np.array([by_species[symbol] * np.eye(3) for symbol in doubled.symbols]))
    frame, cell = doubled.positions[None], doubled.cell.array
    with pytest.raises(ValueError, match=r"round atom \d has a charge of"):
        polarization(frame, cell, doubled, charges, local_cells_around(doubled, "O"))


def test_an_axis_that_geometry_does_not_give_is_refused():
    bent = cubic()
    bent.positions[2] += [1.2, 0, 0]
    with pytest.raises(ValueError, match=r"atom 2 \(O\) of the reference has no line of Ti"):
        named_charges(ZHONG).tensors(bent)
