"""Displacements, force constants and what follows from them, against closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from spring_crystal import SPACING, THZ, chain, cubic

from aiida_crucible.analysis.phonons.born_charges import COULOMB, add_born_charges
from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.analysis.phonons.phonon_analysis import error_bars, frequencies_by_amplitude
from aiida_crucible.analysis.phonons.spectra import (
    density_of_states,
    given_path,
    group_velocities,
    irreducible_mesh,
    seekpath_path,
    thermal_properties,
)

COPPER = 63.546


def solved(crystal, supercell, amplitude=0.01):
    phonon = build_phonopy(crystal.atoms, np.diag(supercell))
    plan = plan_displacements(phonon, [amplitude])
    forces = np.array([crystal.forces(plan.supercell, structure) for structure in plan.structures()])
    return phonon, solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0])


def frequencies(phonon, qpoints):
    phonon.run_qpoints(qpoints)
    return np.array(phonon.qpoints.frequencies)


def test_monatomic_chain_has_the_known_band_and_group_velocity():
    longitudinal = 2.0
    phonon, _ = solved(chain(longitudinal, 0.5), [4, 1, 1])
    q = np.linspace(0.05, 0.45, 9)
    qpoints = np.stack([q, np.zeros_like(q), np.zeros_like(q)], axis=1)
    top = 2 * THZ * np.sqrt(longitudinal / COPPER)
    np.testing.assert_allclose(frequencies(phonon, qpoints)[:, 2], top * np.sin(np.pi * q), rtol=1e-6)
    velocity = group_velocities(phonon, qpoints)[:, 2, 0]
    np.testing.assert_allclose(np.abs(velocity), top * np.pi * SPACING * np.cos(np.pi * q), rtol=1e-3)


def test_diatomic_chain_has_acoustic_and_optical_bands():
    longitudinal, first, second = 3.0, 22.98976928, 35.453
    phonon, _ = solved(chain(longitudinal, 0.4, "NaCl"), [3, 1, 1])
    q = np.linspace(0.05, 0.5, 10)
    both = 1 / first + 1 / second
    root = np.sqrt(both**2 - 4 * np.sin(np.pi * q) ** 2 / (first * second))
    found = frequencies(phonon, np.stack([q, 0 * q, 0 * q], axis=1))
    for sign in (-1, 1):
        band = THZ * np.sqrt(longitudinal * (both + sign * root))
        assert np.abs(found - band[:, None]).min(axis=1).max() < 1e-3 * band.max()


@pytest.mark.slow
def test_density_of_states_integrates_to_three_modes_an_atom():
    phonon, _ = solved(cubic(2.0, 0.7), [3, 3, 3])
    grid, total, parts = density_of_states(phonon, [16, 16, 16], projected=True)
    assert np.trapezoid(total, grid) == pytest.approx(3, abs=0.02)
    np.testing.assert_allclose(parts["Cu"], total, atol=1e-6 * total.max())


# Atoms that are bound to their sites have no translation of zero frequency, which phonopy wonders at from 4.10 on.
@pytest.mark.filterwarnings("ignore:.*coustic .* at Gamma:UserWarning")
def test_einstein_crystal_has_einsteins_heat_capacity_and_free_energy():
    stiffness = 4.0
    phonon = build_phonopy(cubic(1.0, 1.0).atoms, np.diag([2, 2, 2]))
    phonon.force_constants = stiffness * np.einsum("ij,ab->ijab", np.eye(8), np.eye(3))
    temperatures = np.array([0.0, 50.0, 300.0])
    found = thermal_properties(phonon, [4, 4, 4], temperatures)
    quantum = units._hplanck * THZ * np.sqrt(stiffness / COPPER) * 1e12 / units._e
    x = quantum / (units.kB * temperatures[1:])
    capacity = 3 * units.kB * x**2 * np.exp(x) / np.expm1(x) ** 2
    free = 3 * (quantum / 2 + units.kB * temperatures[1:] * np.log1p(-np.exp(-x)))
    entropy = 3 * units.kB * (x / np.expm1(x) - np.log1p(-np.exp(-x)))
    np.testing.assert_allclose(found.heat_capacity[1:], capacity, rtol=1e-5)
    np.testing.assert_allclose(found.free_energy, [1.5 * quantum, *free], rtol=1e-5)
    np.testing.assert_allclose(found.entropy[1:], entropy, rtol=1e-5)


def test_translations_have_no_thermodynamics():
    phonon, _ = solved(cubic(5.0, 1.0), [2, 2, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # phonopy warns, from 4.10 on, where translations take part
        found = thermal_properties(phonon, [4, 4, 4], np.array([0.0, 300.0]))
    phonon.run_mesh([4, 4, 4], is_gamma_center=True)
    (gamma,) = np.flatnonzero(np.abs(phonon.mesh.qpoints).max(axis=1) < 1e-12)
    quanta = units._hplanck * 1e12 / units._e * phonon.mesh.frequencies
    assert np.abs(quanta[gamma]).max() < 1e-7, "the only atom of the cell has nothing but translations there"
    weights = np.delete(phonon.mesh.weights, gamma)[:, None] / phonon.mesh.weights.sum()
    quanta = np.delete(quanta, gamma, axis=0)
    x = quanta / (units.kB * 300)
    np.testing.assert_allclose(found.free_energy[0], (weights * quanta / 2).sum(), rtol=1e-6)
    free = (weights * (quanta / 2 + units.kB * 300 * np.log1p(-np.exp(-x)))).sum()
    np.testing.assert_allclose(found.free_energy[1], free, rtol=1e-5)
    capacity = (weights * units.kB * x**2 * np.exp(x) / np.expm1(x) ** 2).sum()
    np.testing.assert_allclose(found.heat_capacity[1], capacity, rtol=1e-5)


def test_residuals_are_those_before_symmetrisation():
    stiffness = 4.0
    phonon = build_phonopy(cubic(1.0, 1.0).atoms, np.diag([2, 2, 2]))
    plan = plan_displacements(phonon, [0.01])
    # Atoms bound to their sites: the springs to the outside are what the sum rule forbids.
    forces = np.array([-stiffness * (atoms.positions - plan.supercell.positions) for atoms in plan.structures()])
    found = solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0])
    assert found.acoustic_sum_residual == pytest.approx(stiffness)
    assert found.index_symmetry_residual == pytest.approx(0, abs=1e-9)
    assert np.abs(found.values.sum(axis=1)).max() < 1e-12


def test_both_ends_of_a_bond_pull_alike_after_symmetrisation():
    crystal = chain(2.0, 0.5, "NaCl")
    phonon = build_phonopy(crystal.atoms, np.diag([3, 1, 1]))
    plan = plan_displacements(phonon, [0.01])
    forces = np.array([crystal.forces(plan.supercell, structure) for structure in plan.structures()])
    forces += 1e-3 * np.random.default_rng(1).standard_normal(forces.shape)
    found = solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0])
    assert found.index_symmetry_residual > 1e-3
    again = compact_fc_to_full_fc(phonon.primitive, found.values)
    np.testing.assert_allclose(again, again.transpose(1, 0, 3, 2), atol=1e-12)
    assert np.abs(found.values.sum(axis=1)).max() < 1e-12


def test_plan_has_ideal_displaced_and_mirrored_supercells():
    phonon = build_phonopy(bulk("Cu", cubic=True), np.diag([2, 2, 2]))
    plan = plan_displacements(phonon, [0.01, 0.03])
    structures = plan.structures()
    assert len(structures) == 4
    moved = [np.linalg.norm(atoms.positions - plan.supercell.positions, axis=1).max() for atoms in structures]
    np.testing.assert_allclose(moved, [0, 0.01, 0.03, 0.01])
    np.testing.assert_allclose(plan.mirrored.vector, -plan.sets[0][0].vector)
    with pytest.raises(ValueError, match="shape"):
        plan.split(np.zeros((3, 32, 3)))


def test_plusminus_always_leaves_no_opposite_out():
    phonon = build_phonopy(bulk("Cu", cubic=True), np.diag([2, 2, 2]))
    plan = plan_displacements(phonon, [0.01], plusminus="always")
    assert len(plan.sets[0]) == 2
    assert plan.mirrored is None


def test_amplitudes_of_a_harmonic_crystal_agree_and_a_quartic_term_shows():
    crystal = cubic(2.0, 0.5)
    phonon = build_phonopy(crystal.atoms, np.diag([2, 2, 2]))
    plan = plan_displacements(phonon, [0.01, 0.02, 0.05])
    qpoints = np.array([[0.5, 0, 0], [0.5, 0.5, 0.5]])

    def bars(quartic):
        forces = np.array([crystal.forces(plan.supercell, atoms) for atoms in plan.structures()])
        return error_bars(frequencies_by_amplitude(phonon, plan, plan.split(forces + quartic * forces**3), qpoints))

    assert bars(0.0).max() < 1e-6
    assert bars(10.0).max() > 1e-2


def test_nac_splits_the_optical_modes():
    crystal = chain(3.0, 1.0, "NaCl")
    phonon, _ = solved(crystal, [2, 1, 1])
    born = np.array([np.eye(3), -np.eye(3)])
    near = [[0.0, 0.0, 1e-4]]
    before = frequencies(phonon, near)
    add_born_charges(phonon, born, 2 * np.eye(3))
    plasma = 4 * np.pi * COULOMB / (2 * crystal.atoms.get_volume()) * (1 / 22.98976928 + 1 / 35.453) * THZ**2
    # Along z the crystal has a transverse optical mode of its springs, which the field stiffens.
    transverse = THZ**2 * 2 * 1.0 * (1 / 22.98976928 + 1 / 35.453)
    after = frequencies(phonon, near)
    assert np.abs(after - np.sqrt(transverse + plasma)).min() < 1e-3
    assert np.abs(before - np.sqrt(transverse)).min() < 1e-3


@pytest.mark.parametrize(
    ("charges", "dielectric", "message"),
    [
        (np.zeros((1, 3, 3)), np.eye(3), "one 3x3 tensor for each atom"),
        (np.zeros((2, 3, 3)), np.eye(2), "give a 3x3 tensor"),
        (np.full((2, 3, 3), np.nan), np.eye(3), "not finite"),
        (np.zeros((2, 3, 3)), -np.eye(3), "positive definite"),
    ],
)
def test_bad_born_charges_are_one_clear_line(charges, dielectric, message):
    phonon = build_phonopy(chain(3.0, 1.0, "NaCl").atoms, np.diag([2, 1, 1]))
    with pytest.raises(ValueError, match=message):
        add_born_charges(phonon, charges, dielectric)


def test_given_path_and_seekpath():
    path = given_path(
        [[[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], [[0, 0, 0.5], [0.5, 0, 0.5]]], [["G", "X", "M"], ["Z", "R"]]
    )
    qpoints, names = path.sample(11)
    assert qpoints.shape == (33, 3)
    assert names == [(0, "G"), (10, "X"), (11, "X"), (21, "M"), (22, "Z"), (32, "R")]
    with pytest.raises(ValueError, match="line 1"):
        given_path([[[0, 0, 0]]], [["G"]])
    for qpoints, labels in (
        ([], []),
        ([1], ["G"]),
        ([[[0, 0, 0], [0, 0, "x"]]], [["G", "X"]]),
        ([[0, 0]], [["G", "X"]]),
    ):
        with pytest.raises(ValueError, match="band path"):
            given_path(qpoints, labels)
    phonon = build_phonopy(bulk("Cu", cubic=True), np.diag([2, 2, 2]))
    found = seekpath_path(phonon, 1e-5)
    assert ("GAMMA", "X") in found.labels
    # X of fcc in the primitive cell's axes is on the zone boundary: twice it is a reciprocal lattice vector.
    doubled = 2 * found.segments[found.labels.index(("GAMMA", "X"))][1]
    np.testing.assert_allclose(doubled, np.round(doubled), atol=1e-9)


def test_an_even_mesh_has_gamma_or_avoids_it():
    phonon, _ = solved(cubic(2.0, 0.5), [2, 2, 2])
    for centred in (True, False):
        qpoints, weights = irreducible_mesh(phonon, [4, 4, 4], centred)
        assert weights.sum() == 64
        assert bool(np.abs(qpoints).max(axis=1).min() < 0.1) is centred
