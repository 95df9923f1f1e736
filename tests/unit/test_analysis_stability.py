"""The force noise that was planted is found, carried to the frequencies, and never taken for an instability."""

from __future__ import annotations

import numpy as np
import pytest
from spring_crystal import THZ, SpringCrystal, cubic

from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.analysis.phonons.force_noise import measure_force_noise
from aiida_crucible.analysis.phonons.long_waves import (
    commensurate_points,
    dynamical_matrices,
    long_wave_error,
    resolution_radius,
)
from aiida_crucible.analysis.phonons.spectra import given_path, irreducible_mesh
from aiida_crucible.analysis.phonons.stability import Verdict, judge_stability, resolve_modes

COPPER = 63.546


def computed(crystal, noise=0.0, seed=0, supercell=(3, 3, 3), plusminus="auto"):
    phonon = build_phonopy(crystal.atoms, np.diag(supercell))
    plan = plan_displacements(phonon, [0.01], plusminus)
    forces = np.array([crystal.forces(plan.supercell, structure) for structure in plan.structures()])
    forces += noise * np.random.default_rng(seed).standard_normal(forces.shape)
    split = plan.split(forces)
    solve_force_constants(phonon, plan.sets[0], split.sets[0])
    return phonon, plan, measure_force_noise(phonon, plan, split)


def judged(phonon, plan, noise):
    path, _ = given_path([[[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0], [0, 0, 0]]], [["G", "X", "M", "G"]]).sample(21)
    qpoints = np.concatenate([commensurate_points(phonon), irreducible_mesh(phonon, [6, 6, 6])[0], path])
    modes = resolve_modes(phonon, plan.sets[0], noise.floor, qpoints)
    return modes, judge_stability(modes)


@pytest.mark.parametrize("planted", [1e-5, 1e-3])
def test_planted_noise_is_recovered_by_every_measure(planted):
    _, _, noise = computed(cubic(5.0, 1.0), planted)
    for measure in (noise.ideal, noise.displaced, noise.mirrored):
        assert measure == pytest.approx(planted, rel=0.25)
    # A net force has three components a supercell, which is few.
    assert noise.drift == pytest.approx(planted, rel=0.8)
    assert noise.even is None


def test_a_broken_symmetry_shows_in_the_pairs_of_opposite_displacements():
    _, _, noise = computed(cubic(5.0, 1.0), 1e-3, plusminus="always")
    assert noise.mirrored is None
    assert noise.even == pytest.approx(1e-3 * np.sqrt(1.5), rel=0.25)


@pytest.mark.slow
def test_a_stable_crystal_is_stable_and_its_noise_does_not_change_that():
    for planted in (0.0, 1e-4):
        modes, verdict = judged(*computed(cubic(5.0, 1.0), planted))
        assert verdict.verdict is Verdict.STABLE
        assert verdict.frequency > verdict.resolvable_frequency
        assert modes.trivial.sum() >= 3


def test_a_truly_unstable_crystal_is_imaginary_at_its_worst_mode():
    longitudinal, transverse = 5.0, -0.3
    _, verdict = judged(*computed(cubic(longitudinal, transverse), 1e-4))
    assert verdict.verdict is Verdict.IMAGINARY
    # Largest among the sampled wave vectors: (½, 0, 0), where a transverse mode has ω² = 4 K / m.
    expected = -2 * THZ * np.sqrt(-2 * transverse / COPPER)
    assert verdict.frequency == pytest.approx(expected, rel=0.05)
    assert "q = (" in verdict.reason


@pytest.mark.slow
def test_an_acoustic_dip_that_the_supercell_does_not_resolve_is_neither_stable_nor_imaginary():
    # Second neighbours push: ω² is negative up to q = 0.045, and positive at 1/4 and 1/2, which fit the supercell.
    first, second = cubic(5.0, 1.0), cubic(-0.255 * 5.0, -0.255 * 1.0)
    second.spacing = 2 * first.spacing

    class Both:
        atoms = first.atoms

        def forces(self, ideal, displaced):
            return first.forces(ideal, displaced) + second.forces(ideal, displaced)

    _, verdict = judged(*computed(Both(), supercell=(4, 4, 4)))
    assert verdict.verdict is Verdict.CANNOT_TELL
    assert verdict.frequency < -verdict.resolvable_frequency
    assert "nearer to Γ than the supercell resolves" in verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_mode_softer_than_the_noise_is_never_called_imaginary(seed):
    _, verdict = judged(*computed(cubic(5.0, 1e-4), 1e-3, seed))
    assert verdict.verdict is Verdict.CANNOT_TELL
    assert abs(verdict.frequency) <= verdict.resolvable_frequency or "Γ" in verdict.reason


@pytest.mark.slow
def test_the_predicted_error_of_a_squared_frequency_is_the_one_that_occurs():
    crystal, planted = cubic(5.0, 1.0), 1e-3
    qpoints = np.array([[1 / 3, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.3, 0.1, 0.2]])
    phonon, plan, _ = computed(crystal, supercell=(2, 2, 2))
    predicted = resolve_modes(phonon, plan.sets[0], planted, qpoints, coverage_factor=1.0, samples=100)
    exact = np.array([crystal.forces(plan.supercell, structure) for structure in plan.structures()])
    generator = np.random.default_rng(7)
    squares = []
    for _ in range(200):
        forces = plan.split(exact + planted * generator.standard_normal(exact.shape))
        solve_force_constants(phonon, plan.sets[0], forces.sets[0])
        squares.append(np.linalg.eigvalsh(dynamical_matrices(phonon, qpoints)))
    # The highest mode at each of them is not degenerate, so that its error is a normal one.
    np.testing.assert_allclose(np.std(squares, axis=0)[:, 2], predicted.resolvable[:, 2], rtol=0.2)


def test_commensurate_points_fit_the_supercell():
    matrix = np.array([[-2, 2, 2], [2, -2, 2], [2, 2, -2]])
    phonon = build_phonopy(cubic(1.0, 1.0).atoms, matrix)
    points = commensurate_points(phonon)
    assert len(points) == round(np.linalg.det(matrix)) == len(np.unique(points, axis=0))
    np.testing.assert_allclose(points @ matrix.T, np.round(points @ matrix.T), atol=1e-9)


def test_long_waves_of_rotationally_invariant_springs_have_no_error_and_others_the_known_one():
    qpoints = np.array([[0.02, 0.0, 0.0], [0.0, 0.0, 0.03]])
    invariant, _, _ = computed(cubic(5.0, 1.0))
    scale = (2 * np.pi * THZ) ** 2 / COPPER
    assert long_wave_error(invariant, qpoints).max() < 1e-4 * scale * 0.03**2
    # By waves along x, shearing xz is four times as stiff as by waves along z, which Huang's conditions forbid.
    spacing = np.array([3.0, 3.1, 3.2])
    shear = np.array([[5.0, 1.0, 2.0], [1.0, 5.0, 1.0], [0.5, 1.0, 5.0]])
    broken, _, _ = computed(SpringCrystal(shear / spacing[:, None] ** 2, spacing=spacing))
    expected = scale * 1.5 * (np.array([0.02, 0.03]) / spacing[[0, 2]]) ** 2
    np.testing.assert_allclose(long_wave_error(broken, qpoints), expected, rtol=1e-3)


def test_resolution_radius_is_half_the_way_to_the_first_wave_that_fits():
    phonon = build_phonopy(cubic(1.0, 1.0).atoms, np.diag([4, 2, 2]))
    assert resolution_radius(phonon) == pytest.approx(1 / 4 / 3.0 / 2)
