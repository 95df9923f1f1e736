"""The class of a score: kept by runs of a steady state, refused where σ drifts, runs disagree, or a mode creeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from anharmonic_crystals import QuarticPairs, force_constants, shaken, three_springs
from ase import Atoms, units
from ase.md.andersen import Andersen
from ase.md.langevin import Langevin
from series import correlated, seeds
from spring_crystal import SpringCrystal

from aiida_crucible.analysis.anharmonicity.run import analyse_anharmonicity
from aiida_crucible.analysis.anharmonicity.score import Score, classify
from aiida_crucible.analysis.anharmonicity.settings import validate_anharmonicity
from aiida_crucible.analysis.anharmonicity.stability_class import class_of
from aiida_crucible.analysis.dynamics.thermostats import ANGULAR, damping_rate, is_overdamped, relaxation_time
from aiida_crucible.analysis.statistics.averages import average
from crucible_engine.tasks.parameters import validate_parameters

SETTINGS = validate_anharmonicity({"effective_frames": 0})
LANGEVIN = {"ensemble": "nvt-langevin", "friction": 0.01, "time_step": 1.0}
ANDERSEN = {"ensemble": "nvt-andersen", "collision_probability": 0.5, "time_step": 1.0}


def analysed(runs, constants):
    return analyse_anharmonicity(runs, constants, SETTINGS).values


def rougher(run, seed, sizes):
    """Return a run with forces that no springs give, of a size that changes from frame to frame."""
    noise = np.random.default_rng([seed, 1]).normal(0, 1, run.forces.shape) * np.asarray(sizes)[:, None, None]
    return replace(run, forces=run.forces + noise - noise.mean(axis=1, keepdims=True))


def lasting(run, duration, dynamics):
    """Return a run that has lasted so long, fs, under a thermostat."""
    times = np.linspace(0, duration, len(run.positions))
    return replace(run, times=times, damping=damping_rate(validate_parameters("dynamics", dynamics)))


@pytest.fixture(scope="module")
def springs():
    return force_constants(three_springs(), np.diag([3, 2, 2]))


def of_series(*series):
    """Return the class of series of σ(t), and its doubts."""
    averages = [average(values, cut=0) for values in series]
    score = Score(averages[0].mean, averages[0].standard_error, freedom=averages[0].n_effective - 1)
    return class_of(score, series, 2.0, runs=[], modes=None)


def fluctuating(mean, seed, n=200):
    """Return a steady σ(t) that fluctuates by a tenth and remembers four frames."""
    return mean * (1 + 0.1 * correlated(n, 4.0, np.random.default_rng(seed)))


@pytest.mark.parametrize(("mean", "expected"), [(0.3, "weak"), (0.75, "strong"), (1.4, "unstable")])
def test_steady_runs_keep_their_class(mean, expected):
    kept = [of_series(fluctuating(mean, seed), fluctuating(mean, seed + 1000)) for seed in seeds(20)]
    # Two tests, each of one in a hundred.
    assert sum(found == (expected, []) for found in kept) >= 18, kept


@pytest.mark.parametrize(
    "shape", [lambda u: u, lambda u: np.minimum(1.7 * u, 1.0), lambda u: u**3], ids=["line", "plateau", "late"]
)
def test_a_drift_of_sigma_has_no_class(shape):
    rise = shape(np.linspace(0, 1, 200))
    found = [of_series(fluctuating(0.25, seed) + 0.4 * rise) for seed in seeds(20)]
    said = [
        kind == "cannot-tell" and doubts[0].startswith("σ drifts in run 0, by +0.") for kind, doubts in found if doubts
    ]
    # One in twenty may look like a slow fluctuation.
    assert said.count(True) >= 18, found


def test_a_jump_in_the_middle_has_no_class():
    for seed in seeds(20):
        found, _ = of_series(fluctuating(0.25, seed) + 0.4 * (np.arange(200) >= 100))
        assert found == "cannot-tell", seed


def test_a_steady_crystal_keeps_its_class():
    crystal = QuarticPairs()
    for temperature, expected in ((20.0, "weak"), (5000.0, "strong")):
        runs = [lasting(crystal.sample(temperature, 60, seed), 2000.0, LANGEVIN) for seed in seeds(2)]
        found = analysed(runs, crystal.force_constants)
        assert (found["class"], found["doubts"]) == (expected, [])


@pytest.mark.slow
def test_what_has_settled_is_told_to_be_kept(springs):
    sizes = np.concatenate([np.linspace(0.02, 0.2, 40), np.full(60, 0.2)])
    run = rougher(shaken(three_springs(), np.diag([2, 2, 2]), 100), 1, sizes)
    found = analysed([run], springs)
    (doubt,) = found["doubts"]
    assert found["class"] == "cannot-tell"
    assert doubt.endswith("leave out its first half (discard), or run longer")
    assert f"the class is cannot-tell: {doubt}" in found["warnings"]
    assert analysed([run.chosen(np.arange(50, 100))], springs)["class"] != "cannot-tell"


@pytest.mark.slow
def test_runs_that_disagree_have_no_class(springs):
    runs = [shaken(three_springs(), np.diag([2, 2, 2]), 60, seed) for seed in range(2)]
    found = analysed([rougher(run, 3, np.full(60, size)) for run, size in zip(runs, (0.05, 0.2), strict=True)], springs)
    assert found["class"] == "cannot-tell"
    assert "have not seen the same states" in found["doubts"][0]


def test_a_thermostat_that_overdamps_the_softest_mode_has_no_class(springs):
    run = shaken(three_springs(), np.diag([2, 2, 2]), 60)
    found = analysed([lasting(run, 800.0, ANDERSEN)], springs)
    assert found["class"] == "cannot-tell"
    (doubt,) = found["doubts"]
    assert doubt.startswith("the thermostat damps velocities at 693/ps")
    assert "and the runs last 0.8 ps: run 10 times that, or with a weaker thermostat" in doubt
    assert analysed([lasting(run, 800.0, LANGEVIN)], springs)["class"] == "weak"
    assert analysed([lasting(run, 1e6, ANDERSEN)], springs)["class"] == "weak"


@pytest.mark.slow
def test_an_unstable_mode_creeps_as_well():
    """From the top of a barrier: with a spring that pushes, as in a crystal that is about to tilt."""
    crystal = SpringCrystal([[3.0, 0.9, 0.7], [0.8, 2.5, 0.6], [0.5, 0.4, -0.05]], "CuAu", [3.0, 3.2, 3.5])
    constants = force_constants(crystal, np.diag([3, 2, 2]))
    run = shaken(crystal, np.diag([3, 2, 2]), 60)
    (doubt,) = analysed([lasting(run, 800.0, ANDERSEN)], constants)["doubts"]
    assert "i THz" in doubt


@pytest.mark.parametrize("frequency", [0.3, 1.5, -0.3, -1.5])
@pytest.mark.parametrize("damping", [0.05, 0.7])
def test_the_time_of_a_creeping_mode_is_the_slow_root_of_its_equation_of_motion(frequency, damping):
    """Rates λ of x'' + Γ x' + ω² x = 0, from the eigenvalues of its first-order form."""
    square = np.sign(frequency) * (ANGULAR * frequency) ** 2
    rates = np.linalg.eigvals([[0, 1], [-square, -damping]])
    assert is_overdamped(damping, frequency) == (damping > 2 * ANGULAR * abs(frequency))
    assert is_overdamped(damping, frequency)
    assert relaxation_time(damping, frequency) == pytest.approx(1 / np.abs(rates).min(), rel=1e-9)


class Free:
    """No forces on anything."""

    def get_forces(self, atoms):
        return np.zeros((len(atoms), 3))


@pytest.mark.parametrize("settings", [LANGEVIN, {**ANDERSEN, "collision_probability": 0.1}])
def test_free_atoms_forget_their_velocity_at_the_damping_rate(settings):
    """exp(-Γ t) of it is left, by ASE's own integrators."""
    seed = seeds(1)[0]
    atoms = Atoms("Ar4000", positions=np.zeros((4000, 3)))
    atoms.set_velocities(np.full((4000, 3), 0.1))
    atoms.calc = Free()
    common = {"timestep": units.fs, "temperature_K": 300.0, "rng": np.random.default_rng(seed), "fixcm": False}
    if settings["ensemble"] == "nvt-langevin":
        dynamics = Langevin(atoms, friction=settings["friction"] / units.fs, **common)
    else:
        dynamics = Andersen(atoms, andersen_prob=settings["collision_probability"], **common)
    dynamics.run(10)
    left = atoms.get_velocities().mean() / 0.1
    thermal = np.sqrt(units.kB * 300.0 / atoms.get_masses()[0] / atoms.positions.size) / 0.1
    rate = damping_rate(validate_parameters("dynamics", settings))
    assert left == pytest.approx(np.exp(-10 * rate), abs=4 * thermal), seed


def test_thermostats_of_the_whole_crystal_damp_no_mode():
    for ensemble in ("nve", "nvt-bussi", "nvt-nose-hoover-chain", "npt-melchionna", "npt-mtk"):
        assert damping_rate(validate_parameters("dynamics", {"ensemble": ensemble})) == 0.0


def test_few_independent_values_make_the_error_bar_longer():
    """Student's t: 2 standard errors of a normal distribution are 4.53 of two degrees of freedom."""
    assert classify(Score(0.4, 0.04), 2.0) == "weak"
    assert classify(Score(0.4, 0.04, freedom=2.0), 2.0) == "cannot-tell"
    assert classify(Score(0.4, 0.0220, freedom=2.0), 2.0) == "weak"
    assert classify(Score(0.4, 0.0222, freedom=2.0), 2.0) == "cannot-tell"
