"""The task against plain ASE scripts with the same seed: every step is the same."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase.md.melchionna import MelchionnaNPT
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.md.verlet import VelocityVerlet
from engine_jobs import read_arrays, run_here, write_job

from crucible_engine.wire.schema import SERIES_COLUMNS

TEMPERATURE, SEED, STEPS, TIME_STEP = 400.0, 11, 60, 2.0


def tetragonal():
    """Return a tetragonal crystal of two species, off its minimum, in an upper triangular cell for Melchionna."""
    atoms = bulk("Cu", cubic=True) * (2, 2, 1)
    atoms.symbols[::4] = "Au"
    atoms.set_cell(atoms.cell.array * [1.04, 1.04, 1.02], scale_atoms=True)
    atoms.rattle(0.02, seed=2)
    return atoms


def velocities(atoms, rng):
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE, rng=rng)
    Stationary(atoms, preserve_temperature=False)


def verlet(atoms, rng):
    velocities(atoms, rng)
    atoms.set_constraint(FixCom())
    return VelocityVerlet(atoms, TIME_STEP * units.fs)


def langevin(atoms, rng):
    velocities(atoms, rng)
    atoms.set_constraint(FixCom())
    return Langevin(
        atoms, TIME_STEP * units.fs, temperature_K=TEMPERATURE, friction=0.02 / units.fs, fixcm=False, rng=rng
    )


def melchionna(atoms, rng):
    velocities(atoms, rng)
    return MelchionnaNPT(
        atoms,
        TIME_STEP * units.fs,
        temperature_K=TEMPERATURE,
        externalstress=0.0,
        ttime=25 * units.fs,
        pfactor=75.0**2 * units.fs,
        mask=np.diag([1, 1, 1]),
    )


SCRIPTS = {
    "nve": (verlet, {}),
    "nvt-langevin": (langevin, {"friction": 0.02}),
    "npt-melchionna": (
        melchionna,
        {"thermostat_time": 25.0, "pfactor": 75.0**2 * units.fs, "mask": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", SCRIPTS)
def test_each_step_is_that_of_a_plain_script(tmp_path, ensemble):
    script, parameters = SCRIPTS[ensemble]
    atoms = tetragonal()
    # The first replica of a job draws from a generator of the seed and its number.
    dynamics = script(atoms, np.random.default_rng([SEED, 0]))
    atoms.calc = EMT()
    rows, frames = [], []

    def look():
        energies = atoms.get_potential_energy(), atoms.get_kinetic_energy()
        rows.append([*energies, atoms.get_volume(), *atoms.get_stress()])
        frames.append(atoms.positions.copy())

    dynamics.attach(look, interval=1)
    dynamics.run(STEPS)
    folder = write_job(
        tmp_path,
        "dynamics",
        {"crystal": tetragonal()},
        ensemble=ensemble,
        temperatures=[TEMPERATURE],
        seed=SEED,
        steps=STEPS,
        time_step=TIME_STEP,
        series_interval=1,
        frame_interval=1,
        **parameters,
    )
    results = run_here(folder)
    assert results["condition"] == "finished", results["message"]
    arrays = read_arrays(folder)
    series = dict(zip(SERIES_COLUMNS, arrays["series_0"].T, strict=True))
    names = ["potential_energy", "kinetic_energy", "volume"]
    names += [f"stress_{pair}" for pair in ("xx", "yy", "zz", "yz", "xz", "xy")]
    ours = np.column_stack([series[name] for name in names])
    # Sums over neighbours may be in another order; a chaotic crystal makes of that what it can in so few steps.
    np.testing.assert_allclose(ours, rows, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(arrays["frame_positions_0"][1:], frames[1:], atol=2e-5)  # as float32
    np.testing.assert_allclose(arrays["final_positions_0"], frames[-1], atol=1e-9)
