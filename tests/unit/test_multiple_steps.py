"""Multiple time stepping with springs whose direct forces are wrong: order, energy, temperature, restarts, refusals."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
from ase import units
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from dynamics_runs import die_after, everything, numbers_inside
from engine_jobs import EMT, read_arrays, read_results, run_engine, run_here, start_engine, write_job
from numpy.testing import assert_allclose
from two_forces import Springs, springs, two_springs

from aiida_crucible.analysis.model_tests.conservation import judge_conservation
from aiida_crucible.analysis.verdict.answers import NO, YES
from crucible_engine.families.load import load_model
from crucible_engine.families.registry import validate_settings
from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.tasks.dynamics.integrators import MULTIPLE, integrator_of, read_state
from crucible_engine.tasks.dynamics.multiple_steps.calculators import GuardedPair, PairedCalculator
from crucible_engine.tasks.dynamics.multiple_steps.integrators import MultipleTimeStepping
from crucible_engine.tasks.dynamics.replica import Replica
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import ParameterError
from crucible_engine.wire.schema import RESULTS_FILE, RUN_FOLDER, SERIES_COLUMNS, EngineError

WRONG = {"stiffness": 0.9, "swirl": 0.1}
"""Softer springs, and a force that no energy has."""

SHORT = {
    "temperatures": [300.0, 500.0],
    "steps": 24,
    "direct_steps": 4,
    "series_interval": 4,
    "frame_interval": 8,
    "watch_interval": 5,
    "average_from": 0.3,
    "checkpoint_interval": 7,
    "frame_forces": True,
    "frame_velocities": True,
}


def moving(calculator=None, temperature=300.0):
    atoms = springs()
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=np.random.default_rng(1))
    atoms.calc = calculator or GuardedPair(PairedCalculator(Springs(), Springs(**WRONG)), atoms.get_volume())
    return atoms


def advanced(time_step, direct_steps, span):
    """Return atoms after a span (fs) with a time step of the direct forces."""
    atoms = moving()
    dynamics = MultipleTimeStepping(atoms, time_step * units.fs, direct_steps)
    for _ in range(round(span / time_step / direct_steps)):
        dynamics.step()
    return atoms


def test_one_step_between_corrections_is_velocity_verlet_with_conservative_forces():
    atoms, plain = moving(), moving(Springs())
    split, verlet = MultipleTimeStepping(atoms, units.fs, 1), VelocityVerlet(plain, units.fs)
    for _ in range(50):
        split.step()
        verlet.step()
    assert_allclose(atoms.positions, plain.positions, rtol=0, atol=1e-12)
    assert_allclose(atoms.get_momenta(), plain.get_momenta(), rtol=0, atol=1e-12)


def test_equal_forces_make_every_number_of_steps_velocity_verlet():
    atoms, plain = moving(), moving(Springs())
    atoms.calc = GuardedPair(PairedCalculator(Springs(), Springs()), atoms.get_volume())
    split, verlet = MultipleTimeStepping(atoms, units.fs, 8), VelocityVerlet(plain, units.fs)
    for _ in range(5):
        split.step()
    for _ in range(40):
        verlet.step()
    assert_allclose(atoms.positions, plain.positions, rtol=0, atol=1e-12)


def test_the_error_is_of_second_order_in_the_outer_step():
    """The inner step is so short that the outer one alone is seen."""
    exact = advanced(0.125, 1, 64.0)
    errors = [np.abs(advanced(0.125, n, 64.0).positions - exact.positions).max() for n in (64, 32, 16)]
    assert np.all(np.abs(np.log2(np.divide(errors[:-1], errors[1:])) - 2) < 0.15), errors


def test_a_run_that_is_turned_back_finds_its_way():
    atoms = moving()
    before = atoms.positions.copy()
    dynamics = MultipleTimeStepping(atoms, units.fs, 8)
    for _ in range(2):
        for _ in range(20):
            dynamics.step()
        atoms.set_momenta(-atoms.get_momenta())
    assert_allclose(atoms.positions, before, rtol=0, atol=1e-10)


def test_direct_forces_cost_a_step_and_conservative_ones_a_correction():
    counts = {}

    class Counting(Springs):
        def calculate(self, *arguments, **more):
            counts[self.swirl] = counts.get(self.swirl, 0) + 1
            super().calculate(*arguments, **more)

    atoms = moving(GuardedPair(PairedCalculator(Counting(), Counting(**WRONG)), springs().get_volume()))
    dynamics = MultipleTimeStepping(atoms, units.fs, 8)
    for _ in range(10):
        dynamics.step()
    assert counts == {0.0: 11, 0.1: 81}


def ran(folder, model, **parameters):
    folder = write_job(folder, "dynamics", {"springs": springs()}, model=model, **parameters)
    results = run_here(folder)
    assert results["condition"] == "finished", results["message"]
    return results, read_arrays(folder)


NVE = {"ensemble": "nve", "temperatures": [300.0], "steps": 8000, "time_step": 1.0, "frame_interval": 0}


def judged(found):
    results, arrays = found
    series = dict(zip(SERIES_COLUMNS, arrays["series_0"].T, strict=True))
    energies = series["potential_energy"] + series["kinetic_energy"]
    outcome = results["summary"]["replicas"]["replica_0"]["outcome"]
    return judge_conservation(outcome, series["time"] / 1000, energies, len(springs()), 1e-4)


@pytest.mark.parametrize(
    ("kind", "answer", "changes"),
    [
        ("conservative", YES, {"forces": "conservative", "series_interval": 8}),
        ("direct", NO, {"forces": "direct", "series_interval": 8, "temperature_limit": 1e6}),
        ("both", YES, {"direct_steps": 8, "series_interval": 8}),
    ],
)
def test_multiple_time_stepping_keeps_energy_where_direct_forces_do_not(tmp_path, kind, answer, changes):
    found = ran(tmp_path, two_springs(stiffness=0.95, swirl=0.01), **NVE, **changes)
    assert found[0]["summary"]["forces"] == kind
    judgement = judged(found)
    assert judgement.answer == answer, judgement.reason


def test_rows_are_those_of_the_conservative_forces(tmp_path):
    _, arrays = ran(tmp_path, two_springs(**WRONG), **{**SHORT, "ensemble": "nve"})
    series = dict(zip(SERIES_COLUMNS, arrays["series_1"].T, strict=True))
    assert series["step"].tolist() == [0, 4, 8, 12, 16, 20, 24]
    assert arrays["frame_steps_1"].tolist() == [0, 8, 16, 24]
    last = springs()
    last.calc = Springs()
    last.positions = arrays["final_positions_1"]
    assert_allclose(series["potential_energy"][-1], last.get_potential_energy(), rtol=1e-12)
    assert_allclose(arrays["frame_forces_1"][-1], last.get_forces(), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", ["nvt-langevin", "nvt-bussi"])
def test_thermostats_give_their_temperature(tmp_path, ensemble):
    bath = {"friction": 0.02} if ensemble == "nvt-langevin" else {"thermostat_time": 20.0}
    given = {"temperatures": [300.0], "steps": 40000, "direct_steps": 4, "series_interval": 8, "frame_interval": 0}
    model = two_springs(stiffness=0.95, swirl=0.01)
    results, arrays = ran(tmp_path, model, ensemble=ensemble, initial_temperature=600.0, **given, **bath)
    averages = results["summary"]["replicas"]["replica_0"]["averages"]
    temperature = averages["temperature"]
    # 21 degrees of freedom: the standard deviation of a canonical temperature, and 3 % of a mean over 20 ps.
    assert abs(temperature["mean"] / 300 - 1) < 0.05
    assert abs(temperature["standard_deviation"] / 300 / np.sqrt(2 / 21) - 1) < 0.1
    conserved = arrays["series_0"][:, SERIES_COLUMNS.index("conserved_quantity")]
    if ensemble == "nvt-langevin":
        assert np.isnan(conserved).all()
    else:
        assert np.ptp(conserved) < 0.02


@pytest.mark.parametrize("ensemble", MULTIPLE)
@pytest.mark.parametrize(("moment", "kept"), [(1, None), (3, 8), (9, 32)])
def test_a_run_that_dies_goes_on_from_its_last_checkpoint_bit_for_bit(tmp_path, ensemble, moment, kept):
    parameters, model = {**SHORT, "ensemble": ensemble}, two_springs(**WRONG)
    ramp = {"final_temperature": 600.0} if ensemble != "nve" else {}
    whole = write_job(tmp_path / "whole", "dynamics", {"springs": springs()}, model=model, **parameters, **ramp)
    assert run_here(whole)["condition"] == "finished"
    folder = write_job(tmp_path / "died", "dynamics", {"springs": springs()}, model=model, **parameters, **ramp)
    die_after(folder, moment)
    results = run_here(folder)
    assert results["condition"] == "finished", results["message"]
    assert results["summary"]["resumed_from_step"] == kept
    assert everything(folder) == everything(whole)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_killed_is_continued_bit_for_bit(tmp_path, kind):
    long = {**SHORT, "temperatures": [300.0], "steps": 4000, "checkpoint_interval": 52, "ensemble": "nvt-bussi"}
    model, crystal = two_springs(**WRONG), {"springs": springs()}
    whole = write_job(tmp_path / "whole", "dynamics", crystal, model=model, **long)
    assert run_here(whole)["condition"] == "finished"
    folder = write_job(tmp_path / "killed", "dynamics", crystal, model=model, **long)
    state = folder / RUN_FOLDER / "state.previous.npz"
    process = start_engine(folder)
    while process.poll() is None and not state.exists():
        time.sleep(0.002)
    process.send_signal(kind)
    process.communicate()
    assert not (folder / RESULTS_FILE).exists() or read_results(folder)["condition"] == "interrupted"
    results = run_engine(folder)
    assert results["condition"] == "finished", results["message"]
    assert results["summary"]["resumed_from_step"] > 0
    assert everything(folder) == everything(whole)


def test_a_checkpoint_of_an_engine_without_these_parameters_is_continued(tmp_path):
    known = {"steps": 8, "friction": None}
    Checkpoints(tmp_path, {"parameters": known}).write({"step": 4}, {})
    later = Checkpoints(tmp_path, {"parameters": {**known, "direct_steps": None}})
    assert later.read()[0] == {"step": 4}
    with pytest.raises(EngineError, match="another parameter 'direct_steps'"):
        Checkpoints(tmp_path, {"parameters": {**known, "direct_steps": 4}}).read()


@pytest.mark.parametrize("ensemble", MULTIPLE)
def test_the_state_holds_everything_that_an_integrator_keeps(tmp_path, ensemble):
    settings = Settings(**validate_parameters("dynamics", {**SHORT, "ensemble": ensemble}))
    atoms, pair = springs(), PairedCalculator(Springs(), Springs(**WRONG))
    replica = Replica(0, atoms, pair, sites=atoms, settings=settings, folder=tmp_path)
    replica.begin()
    replica.advance()
    before = numbers_inside(replica._dynamics)
    replica.advance()
    after = numbers_inside(replica._dynamics)
    changed = {name for name in after if not np.array_equal(before.get(name), after[name])}
    assert changed - {"nsteps"} <= set(read_state(replica._dynamics, integrator_of(settings)))


def test_a_centre_of_mass_rests_whatever_the_net_force(tmp_path):
    _, arrays = ran(tmp_path, two_springs(**WRONG), **{**SHORT, "ensemble": "nve"})
    momentum = springs().get_masses() @ arrays["final_velocities_0"]
    assert np.abs(momentum).max() < 1e-10


def test_direct_forces_that_are_no_numbers_end_a_run(tmp_path):
    results, _ = ran(tmp_path, two_springs(swirl=float("1e308")), **{**SHORT, "ensemble": "nve"})
    assert results["outcome"] in ("non-finite", "exploded")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ensemble": "npt-mtk"},
            "'direct_steps' of dynamics means nothing to npt-mtk: leave it out, or choose nve or",
        ),
        ({"ensemble": "nvt-nose-hoover-chain"}, "means nothing to nvt-nose-hoover-chain"),
        ({"forces": "direct"}, "'forces' of dynamics is 'direct', but direct_steps uses both kinds"),
        ({"forces": "both"}, "'forces' of dynamics is 'both'"),
        ({"direct_steps": 0}, "'direct_steps' of dynamics is 0"),
        ({"direct_steps": 2.5}, "'direct_steps' of dynamics is 2.5"),
        ({"steps": 23}, "'steps' of dynamics is 23, which is no multiple of direct_steps 4: .* give 24"),
        ({"series_interval": 10}, "'series_interval' of dynamics is 10, which is no multiple .* give 12"),
        ({"frame_interval": 10}, "'frame_interval' of dynamics is 10, which is no multiple"),
        ({"backend": "lammps", "ensemble": "nve"}, "direct_steps 4 means nothing to LAMMPS"),
        ({"backend": "lammps", "ensemble": "nve", "direct_steps": None, "forces": "direct"}, "means nothing to LAMMPS"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(ParameterError, match=message) as caught:
        validate_parameters("dynamics", {**SHORT, "ensemble": "nve", **changes})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("asked", [{"direct_steps": 4}, {"forces": "direct"}])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (EMT, "models of emt have one kind of forces, not both (those of ase, pet may have both)"),
        (two_springs(**WRONG), None),
    ],
)
def test_a_family_with_one_kind_is_refused_before_its_model_is_loaded(tmp_path, asked, model, message):
    given = {**SHORT, "direct_steps": None, "ensemble": "nve", "steps": 8, **asked}
    folder = write_job(tmp_path, "dynamics", {"springs": springs()}, model=model, **given)
    results = run_here(folder)
    if message is None:
        assert results["condition"] == "finished", results["message"]
    else:
        assert results["condition"] == "capability-missing" and message in results["message"]


def test_a_calculator_without_direct_arguments_is_refused(tmp_path):
    model = two_springs(**WRONG)
    del model.settings["direct_arguments"]
    folder = write_job(tmp_path, "dynamics", {"springs": springs()}, model=model, **{**SHORT, "ensemble": "nve"})
    results = run_here(folder)
    assert results["condition"] == "capability-missing" and "has no direct forces" in results["message"]


def test_the_setting_chooses_the_forces_of_every_task():
    model = two_springs(**WRONG)
    conservative = load_model(model)
    model.settings["forces"] = "direct"
    direct = load_model(model)
    atoms = springs()
    atoms.rattle(0.1, seed=1)
    forces = [each.evaluate_batch([atoms])[0].forces for each in (conservative, direct)]
    assert conservative.conservative and not direct.conservative
    assert conservative.has_direct_forces and direct.has_direct_forces
    assert np.abs(forces[0] - forces[1]).max() > 0.01
    assert np.array_equal(direct.with_forces("conservative").evaluate_batch([atoms])[0].forces, forces[0])
    assert np.array_equal(conservative.with_forces("direct").evaluate_batch([atoms])[0].forces, forces[1])
    assert load_model(EMT).with_forces("conservative").conservative
    with pytest.raises(EngineError, match="has no direct forces beside its conservative ones"):
        load_model(EMT).with_forces("direct")


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        (
            "ase",
            {"factory": "a:b", "forces": "direct"},
            "has one kind of forces: give it the setting 'direct_arguments'",
        ),
        ("ase", {"factory": "a:b", "forces": "both"}, "setting 'forces' of ase is 'both'"),
        ("pet", {"forces": "direct", "ensemble": 4}, "have no direct forces: leave 'ensemble' out"),
        ("chgnet", {"forces": "direct"}, "chgnet has no setting 'forces'"),
    ],
)
def test_settings_of_forces_that_cannot_be_are_refused(family, settings, message):
    with pytest.raises(ValueError, match=message):
        validate_settings(family, settings)
