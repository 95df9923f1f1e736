"""TemperatureSweepWorkChain with ASE's EMT: what packing changes, what a failure costs, what physics says."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import ArrayData, CalcJobNode, Dict, Log
from ase import units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from engine_jobs import HELPERS
from perovskite import tetragonal

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain

TEMPERATURES = (300.0, 450.0, 600.0)
LABELS = ("T300", "T450", "T600")
SETTINGS = {"supercell_matrix": [2, 2, 2], "temperatures": list(TEMPERATURES), "equilibration": "fixed"}
DYNAMICS = {"steps": 40, "time_step": 2.0, "series_interval": 2, "frame_interval": 2, "average_from": 0.25}


def verified(model):
    """Return a verification that was passed, so that each test need not run one."""
    family = {"family": model.family, "name": model.family, "sha256": model.sha256}
    return Dict({"task": "verify", "outcome": "passed", "model": family, "summary": {"faults": []}})


@pytest.fixture(scope="module")
def sweep(code, model):
    """Return a function that runs a sweep of copper."""

    def run(potential=model, *, expected=0, **settings):
        overrides = {
            "parameters": {**SETTINGS, **settings},
            "base": {"dynamics": {"parameters": DYNAMICS}},
        }
        builder = TemperatureSweepWorkChain.get_builder_from_protocol(
            code,
            potential,
            from_atoms(bulk("Cu", cubic=True)),
            "fast",
            overrides=overrides,
            options={"environment_variables": {"PYTHONPATH": str(HELPERS)}},
        )
        builder.verification = verified(potential)
        results, node = run_get_node(builder)
        assert node.exit_status == expected, node.exit_message
        return results, node

    return run


@pytest.fixture(scope="module")
def apart(sweep):
    """Return what a chain of heating says, each temperature of which is a job."""
    return sweep(mode="heating", temperatures_per_job=1)


@pytest.fixture
def hot(profile):
    """Return a function that gives EMT as a model that fails above a temperature."""

    def make(limit, fault):
        settings = {"factory": "hot_calculators:hot", "arguments": {"limit": limit, "fault": fault}}
        return ModelData.get_or_create("ase", trust_code=True, settings=settings)

    return make


def jobs_of(node):
    return [child for child in node.called_descendants if isinstance(child, CalcJobNode)]


def evidence_of(node):
    """Return what was seen of the crystal at each temperature, in the order in which they were run."""
    jobs = sorted(jobs_of(node), key=lambda job: job.pk)
    return [run["evidence"] for job in jobs for run in job.outputs.results["summary"]["replicas"].values()]


def answers(results):
    return {name: entry["answer"] for name, entry in results["summary"].get_dict().items() if name != "outcomes"}


def states(results):
    return {label: entry["state"] for label, entry in results["analysis"].get_dict().items()}


def assert_same_curves(one, other):
    found, wanted = one["curves"], other["curves"]
    assert set(found.get_arraynames()) == set(wanted.get_arraynames())
    for name in wanted.get_arraynames():
        np.testing.assert_array_equal(found.get_array(name), wanted.get_array(name), err_msg=name)


@pytest.mark.slow
def test_a_sweep_says_what_copper_does(apart):
    results, node = apart
    assert results["summary"]["outcomes"] == dict.fromkeys(LABELS, "stable")
    assert (answers(results)["runs"], answers(results)["stability"]) == ("yes", "cannot-tell")
    assert results["summary"]["stability"]["reason"] == (
        "a crystal from 300 to 600 K, but for 0.08 ps only: 5 ps are asked, 2500 steps at each temperature"
    )
    assert answers(results)["transitions"] == "not-asked"
    assert set(results["runs"]) == set(LABELS)
    assert set(results["runs"]["T300"]) >= {"trajectory", "series", "averages", "final", "analysis", "distributions"}
    assert len(results["supercell"].sites) == 32
    curves = results["curves"]
    assert curves.get_array("temperatures").tolist() == list(TEMPERATURES)
    rows = results["runs"]["T450"]["series"]
    late = rows.get_array("step") >= 11
    lengths = np.linalg.norm([rows.get_array(f"cell_a{axis}")[late] for axis in "xyz"], axis=0) / 2
    assert curves.get_array("a")[1] == pytest.approx(lengths.mean(), abs=1e-9)
    assert curves.get_array("a_deviation")[1] == pytest.approx(lengths.std(ddof=1), rel=1e-6)
    assert curves.get_array("a_error")[1] > 0
    mean = results["runs"]["T300"]["mean_structure"].get_ase()
    assert mean.cell.volume == pytest.approx(4 * curves.get_array("volume")[0] * len(mean) / 4, rel=0.01)
    assert len(jobs_of(node)) == 3


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("mode", ["independent", "heating"])
def test_packing_changes_no_number(sweep, request, mode):
    is_chain = mode == "heating"
    apart, node = request.getfixturevalue("apart") if is_chain else sweep(mode=mode, temperatures_per_job=1)
    together, packed = sweep(mode=mode, temperatures_per_job=3)
    assert (len(jobs_of(node)), len(jobs_of(packed))) == (3, 1)
    assert_same_curves(together, apart)
    # What has become of the crystal is judged by the one with which a chain began, packed or not.
    references = [job.inputs.reference.uuid for job in jobs_of(node) if "reference" in job.inputs]
    assert references == [apart["supercell"].uuid] * 2 * is_chain
    assert evidence_of(packed) == evidence_of(node)
    with enable_caching():
        again, cached = sweep(mode=mode, temperatures_per_job=3)
    (job,) = jobs_of(cached)
    assert job.base.caching.get_cache_source() == jobs_of(packed)[0].uuid
    assert_same_curves(again, together)


@pytest.mark.slow
def test_a_failed_temperature_loses_no_other(sweep, hot):
    results, _ = sweep(hot(1300.0, "raise"), temperatures=[300.0, 1500.0, 450.0])
    assert states(results) == {"T300": "done", "T1500": "failed", "T450": "done"}
    assert "too hot" in results["analysis"]["T1500"]["reason"]
    assert answers(results)["runs"] == "no"
    assert np.isnan(results["curves"].get_array("a")).tolist() == [False, False, True]
    together, node = sweep(hot(1300.0, "raise"), temperatures=[300.0, 1500.0, 450.0], temperatures_per_job=3)
    assert states(together) == states(results)
    assert len(jobs_of(node)) == 2
    for label in ("T300", "T450"):
        assert together["analysis"][label]["averages"] == results["analysis"][label]["averages"]


@pytest.mark.long
@pytest.mark.slow
def test_a_time_step_that_is_too_long_is_a_failure_and_no_transition(sweep, monkeypatch):
    monkeypatch.setitem(DYNAMICS, "time_step", 60.0)
    results, _ = sweep(temperatures_per_job=3)
    stability, transitions = (results["summary"][name] for name in ("stability", "transitions"))
    assert stability["answer"] == "no"
    assert "likely cause: a time step of 60 fs is long for an atom of mass 63.55" in stability["reason"]
    assert (transitions["answer"], transitions["evidence"]["transitions"]) == ("not-asked", [])
    assert "runs failed, which is no transition" in transitions["evidence"]["verdict"]


@pytest.mark.slow
def test_nothing_that_runs_is_a_failure_with_what_there_is(sweep, hot):
    results, node = sweep(hot(50.0, "raise"), expected=332, temperatures=[300.0])
    assert "too hot" in node.exit_message
    assert states(results) == {"T300": "failed"}
    assert answers(results)["stability"] == "cannot-tell"
    assert "supercell" in results


@pytest.mark.slow
@pytest.mark.parametrize("temperatures_per_job", [pytest.param(1, marks=pytest.mark.long), 4])
def test_a_chain_ends_where_the_crystal_is_lost(sweep, hot, temperatures_per_job):
    results, _ = sweep(
        hot(1300.0, "nan"),
        mode="heating",
        temperatures=[1500.0, 300.0, 1800.0, 450.0],
        temperatures_per_job=temperatures_per_job,
    )
    assert states(results) == {"T300": "done", "T450": "done", "T1500": "done", "T1800": "not-run"}
    assert results["summary"]["outcomes"]["T1500"] == "non-finite"
    assert "lost at 1500 K (non-finite)" in results["analysis"]["T1800"]["reason"]
    stability = results["summary"]["stability"]
    assert stability["answer"] == "no"
    assert stability["reason"].startswith("a crystal up to 450 K; at 1500 K non-finite")
    assert "likely cause: neither the time step" in stability["reason"]
    assert results["transitions"]["transitions"] == []
    assert "averages" not in results["analysis"]["T1500"]


@pytest.fixture
def perovskite(code):
    """Return a function that gives the builder of a sweep of PbTiO3, with a model that knows any element."""

    def make(overrides=None, **inputs):
        anything = ModelData.get_or_create(
            "ase", trust_code=True, settings={"factory": "hot_calculators:hot", "arguments": {}}
        )
        return TemperatureSweepWorkChain.get_builder_from_protocol(
            code, anything, from_atoms(tetragonal()), "pto-test-npt-small", overrides=overrides, **inputs
        )

    return make


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"parameters": {"temperatures": []}}, "is empty: give one or more"),
        ({"parameters": {"temperatures": [300, -5]}}, "is -5: it must be more than 0"),
        ({"parameters": {"temperatures": [300, 300.0]}}, "300 K more than once"),
        ({"parameters": {"mode": "heatin"}}, "did you mean 'heating'"),
        ({"parameters": {"supercell_matrix": [40, 30, 20]}}, "has 120000 atoms"),
        ({"parameters": {"cell_lengths": [3.9, 4.15]}}, "give a, b and c"),
        ({"parameters": {"local_centre": "Tl"}}, "local_centre is 'Tl': known are O, Pb, Ti"),
        ({"base": {"dynamics": {"parameters": {"temperatures": [500]}}}}, "use parameters.temperatures"),
        ({"base": {"dynamics": {"parameters": {"start": "sequential"}}}}, "use parameters.mode"),
        ({"base": {"dynamics": {"parameters": {"steps": 0}}}}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_submission(perovskite, overrides, message):
    with pytest.raises(ValueError, match=message) as caught:
        perovskite(overrides)
    assert "\n" not in str(caught.value)


def test_structures_and_charges_that_do_not_fit_are_refused(perovskite, code, model):
    cubic = tetragonal()
    cubic.set_cell([3.92] * 3, scale_atoms=True)
    cubic.set_scaled_positions(np.round(2 * cubic.get_scaled_positions()) / 2)
    charges = ArrayData({"charges": np.zeros((5, 3, 3))})
    perovskite(reference_structure=from_atoms(cubic), born_charges=charges)
    with pytest.raises(ValueError, match="need a reference_structure"):
        perovskite(born_charges=charges)
    with pytest.raises(ValueError, match="are of 4 atoms, but the structure has 5"):
        perovskite(reference_structure=from_atoms(cubic), born_charges=ArrayData({"charges": np.zeros((4, 3, 3))}))
    with pytest.raises(ValueError, match="same atoms in the same order"):
        perovskite(reference_structure=from_atoms(cubic[::-1]))
    with pytest.raises(ValueError, match="give `charges`"):
        perovskite(born_charges=ArrayData({"z": np.zeros((5, 3, 3))}))
    with pytest.raises(ValueError, match="is a molecule"):
        TemperatureSweepWorkChain.get_builder_from_protocol(code, model, from_atoms(molecule("H2O")))


@pytest.fixture
def compressed(code, model):
    """Return a function that runs a sweep of copper whose lattice constant is 3.4 Å, 0.2 Å too short."""

    def run(**overrides):
        builder = TemperatureSweepWorkChain.get_builder_from_protocol(
            code,
            model,
            from_atoms(bulk("Cu", a=3.4, cubic=True)),
            "fast",
            overrides={
                "parameters": {**SETTINGS, "temperatures": [300.0], "supercell_matrix": [1, 1, 1]},
                "base": {"dynamics": {"parameters": {**DYNAMICS, "steps": 4}}},
                **overrides,
            },
        )
        builder.verification = verified(model)
        results, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        return results, node

    return run


@pytest.mark.slow
def test_a_crystal_that_is_not_at_rest_is_told_of(compressed):
    results, node = compressed()
    start = results["summary"]["start"]
    assert start["answer"] == "no"
    # EMT's copper at 3.4 Å, forces vanish by symmetry.
    assert start["evidence"]["largest_force"] < 1e-9
    assert start["evidence"]["pressure"] == pytest.approx(pressure_of(3.4), abs=1e-6)
    assert f"the stress {pressure_of(3.4):.2g} GPa off the pressure" in start["reason"]
    assert "overrides={'relax': {}}" in start["reason"]
    assert any("the runs begin with a shock" in log.message for log in orm_logs(node))
    assert results["analysis"]["T300"]["start"]["pressure"] == start["evidence"]["pressure"]


@pytest.mark.long
@pytest.mark.slow
def test_a_sweep_relaxes_first_where_it_is_told_to(compressed):
    results, node = compressed(relax={})
    assert results["summary"]["start"]["answer"] == "yes"
    assert results["structure"].cell_lengths[0] == pytest.approx(3.59, abs=0.01)
    assert results["supercell"].cell_lengths == pytest.approx(results["structure"].cell_lengths, abs=1e-12)
    assert results["relaxation"]["outcome"] == "converged"
    assert [job.process_label for job in jobs_of(node)] == ["RelaxCalculation", "DynamicsCalculation"]


@pytest.mark.slow
def test_a_crystal_that_cannot_be_relaxed_is_a_result(compressed):
    results, _ = compressed(relax={"max_iterations": 1, "relax": {"parameters": {"max_steps": 1}}})
    assert states(results) == {"T300": "not-run"}
    assert results["analysis"]["T300"]["reason"] == "the crystal could not be relaxed: not-converged"
    assert answers(results)["stability"] == answers(results)["start"] == "cannot-tell"


def pressure_of(lattice_constant):
    """Return what EMT says of copper, GPa."""
    atoms = bulk("Cu", a=lattice_constant, cubic=True)
    atoms.calc = EMT()
    return -atoms.get_stress()[:3].mean() / units.GPa


def orm_logs(node):
    return Log.collection.get_logs_for(node)


@pytest.mark.slow
def test_the_published_test_always_relaxes(perovskite, code, model):
    relax = perovskite().relax.relax.parameters.get_dict()
    assert (relax["cell"], relax["fmax"], relax["keep_symmetry"]) == ("full", 0.001, True)
    anything = perovskite().model
    arguments = (code, anything, from_atoms(tetragonal()))
    at_fixed_lattice = TemperatureSweepWorkChain.get_builder_from_protocol(*arguments, "pto-test-nvt-small")
    assert at_fixed_lattice.relax.relax.parameters["cell"] == "fixed"
    for protocol in TemperatureSweepWorkChain.get_available_protocols():
        always = "relax" in TemperatureSweepWorkChain.get_protocol_inputs(protocol)
        assert always == protocol.startswith("pto-test"), protocol
    for protocol in ("fast", "balanced", "stringent"):
        as_it_is = TemperatureSweepWorkChain.get_builder_from_protocol(*arguments, protocol)
        assert "parameters" not in as_it_is.relax.relax
        relaxed = TemperatureSweepWorkChain.get_builder_from_protocol(*arguments, protocol, overrides={"relax": {}})
        assert relaxed.relax.relax.parameters["cell"] == "full"


def test_a_lattice_that_is_kept_is_not_relaxed_away(perovskite):
    with pytest.raises(ValueError, match=r"cell is 'full', but parameters.cell_lengths keep the lattice"):
        perovskite({"parameters": {"cell_lengths": [3.9, 3.9, 4.15]}})
