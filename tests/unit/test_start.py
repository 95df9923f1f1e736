"""Whether a run began in a crystal at rest: limits, ensembles, and what is not known."""

from __future__ import annotations

import pytest
from ase import units
from ase.calculators.emt import EMT
from dynamics_runs import SHORT, die_after, gold_copper
from engine_jobs import run_here, write_job

from aiida_crucible.analysis.dynamics.start import first_start, judge_start
from aiida_crucible.analysis.dynamics.sweep_settings import validate_sweep
from crucible_engine.tasks.parameters import validate_parameters


def start(force=0.0, stress=(0.0,) * 6):
    return {"largest_force": force, "pressure": -sum(stress[:3]) / 3, "stress": list(stress)}


def answer(given, **dynamics):
    return judge_start(given, validate_parameters("dynamics", {"ensemble": "npt-melchionna", **dynamics}))


@pytest.mark.parametrize(
    ("given", "dynamics", "expected"),
    [
        (start(0.09, (0.9, 0.0, -0.9, 0.0, 0.0, 0.0)), {}, "yes"),
        (start(0.11), {}, "no"),
        (start(0.0, (0.0, 0.0, 0.0, 0.0, 1.1, 0.0)), {}, "no"),
        (start(0.0, (-12.0, -12.0, -12.0, 0.0, 0.0, 0.0)), {"pressure": 12.0}, "yes"),
        (start(0.0, (-12.0, -12.0, -12.0, 0.0, 0.0, 0.0)), {"pressure": 10.0}, "no"),
        # What the cell cannot give way to is no shock.
        (start(0.0, (-12.0, -12.0, -12.0, 0.0, 0.0, 0.0)), {"ensemble": "nvt-langevin"}, "yes"),
        (start(0.0, (3.0, 0.0, -3.0, 0.0, 0.0, 0.0)), {"ensemble": "npt-mtk-isotropic"}, "yes"),
        (start(0.0, (-3.0, -3.0, -3.0, 0.0, 0.0, 0.0)), {"ensemble": "npt-mtk-isotropic"}, "no"),
        ({"largest_force": 0.05, "pressure": None, "stress": None}, {"ensemble": "nvt-langevin"}, "yes"),
        (None, {}, "cannot-tell"),
    ],
)  # fmt: skip
def test_a_crystal_at_rest_has_small_forces_and_the_stress_asked_for(given, dynamics, expected):
    found = answer(given, **dynamics)
    assert found.answer == expected
    assert ("overrides={'relax': {}}" in found.reason) == (expected == "no")
    assert "\n" not in found.reason


def test_a_chain_is_judged_by_where_it_began():
    analyses = {"T300": {"start": start(0.01)}, "T600": {"start": start(2.0)}}
    cooling = validate_sweep({"temperatures": [300, 600], "mode": "cooling"})
    assert first_start(cooling, analyses)["largest_force"] == 2.0
    assert first_start({**cooling, "mode": "heating"}, analyses)["largest_force"] == 0.01
    assert first_start(cooling, {"T300": {}, "T600": {}}) is None


def test_a_run_says_what_acts_on_its_first_geometry(tmp_path):
    """The model's own forces and stress, whatever way the integrator turns the crystal, also after a restart."""
    structures = gold_copper()
    atoms = next(iter(structures.values()))
    parameters = {**SHORT, "ensemble": "npt-melchionna"}
    folder = write_job(tmp_path / "job", "dynamics", structures, **parameters)
    die_after(folder, 10)
    found = run_here(folder)["summary"]
    assert found["resumed_from_step"] == 7
    atoms.calc = EMT()
    for replica in found["replicas"].values():
        assert replica["start"]["largest_force"] == pytest.approx((atoms.get_forces() ** 2).sum(axis=1).max() ** 0.5)
        assert replica["start"]["stress"] == pytest.approx(atoms.get_stress() / units.GPa, abs=1e-9)
        assert replica["start"]["pressure"] == pytest.approx(-atoms.get_stress()[:3].mean() / units.GPa)
