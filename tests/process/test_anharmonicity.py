"""AnharmonicityWorkChain with ASE's EMT: the combinations, what they share, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData
from ase.build import bulk
from copper_frames import builder_of, constants_node, copper, frames_node, jobs_of, reference

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from crucible_engine.tasks.parameters import validate_parameters

FOUR = {
    f"{frames}_frames_{constants}_constants" for frames in ("reference", "own") for constants in ("reference", "own")
}


@pytest.mark.slow
def test_a_model_that_is_its_own_reference_agrees_with_it(code, model):
    """Other atom order, origin and supercell than the force constants': what is the same must come out the same."""
    settings = {"parameters": {"frames": 6, "n_runs": 2, "discard": 0.0, "temperatures": [300, 150]}}
    builder = builder_of(code, model, reference=reference(), force_constants=constants_node(2.0), overrides=settings)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    summary = results["summary"].get_dict()
    scores = summary["scores"]
    at = {f"own_frames_{constants}_constants_T{t}" for constants in ("own", "reference") for t in (150, 300)}
    assert set(scores) == {"reference", *(label for label in FOUR if label.startswith("reference_")), *at}
    truth, same = scores["reference"], scores["reference_frames_reference_constants"]
    assert 0 < truth["sigma"] < 0.5
    assert same["sigma"] == pytest.approx(truth["sigma"], rel=1e-9)
    assert (same["same_class"], same["difference"]) == (True, pytest.approx(0, abs=1e-9))
    # Force constants twice as stiff take as much too much as there is.
    assert scores["reference_frames_own_constants"]["sigma"] == pytest.approx(1, abs=0.1)
    assert scores["reference_frames_own_constants"]["same_class"] is not True
    assert results["frames"].numsteps == 6
    assert results["properties"].get_array("forces").shape == (6, 32, 3)
    assert len(results["details"]["reference"].get_array("scores")) == 6
    assert set(results["trajectories"]) == {f"T{t}_run_{k}" for t in (150, 300) for k in (0, 1)}
    assert {run["outcome"] for run in summary["runs"].values()} == {"stable"}
    assert sorted(jobs_of(node)) == ["DynamicsCalculation"] * 2 + ["EvaluateCalculation"]
    one, other = (results["trajectories"][f"T300_run_{k}"] for k in (0, 1))
    assert np.abs(one.get_positions()[-1] - other.get_positions()[-1]).max() > 0.01
    curves = results["curves"]
    assert curves.get_array("temperatures").tolist() == [150.0, 300.0]
    assert curves.get_array("own_constants").shape == curves.get_array("reference_constants_error").shape == (2,)


@pytest.mark.long
@pytest.mark.slow
def test_a_model_alone_computes_its_own_phonons_and_runs(code, model):
    overrides = {
        "phonon": {"parameters": {"supercell_matrix": [3, 3, 3], "mesh": [4, 4, 4], "dos_mesh": [4, 4, 4],
                                  "band_points": 5}},
        "parameters": {"supercell_matrix": [3, 3, 3], "n_runs": 1, "effective_frames": 20},
    }  # fmt: skip
    builder = builder_of(code, model, overrides=overrides, dynamics={"steps": 200, "frame_interval": 4},
                         temperatures=[50, 600])  # fmt: skip
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["phonon"]["summary"]["outcome"] == "stable"
    cold, hot = results["curves"].get_array("own_constants")
    assert 0 < cold < hot < 1
    score = results["scores"]["own_frames_own_constants_T600"].get_dict()
    assert score["n_frames"] == len(results["details"]["own_frames_own_constants_T600"].get_array("scores")) < 51
    assert score["effective"]["left"] < score["sigma"]["pooled"]["value"] * 1.05
    assert set(score["by"]["species"]) == {"Cu"}


@pytest.mark.slow
def test_runs_of_a_sweep_are_taken_as_they_are(code, model):
    runs = {
        "T100": frames_node(30, 0.03),
        "T400_run_0": frames_node(20, 0.08, 1),
        "T400_run_1": frames_node(10, 0.08, 2),
    }
    results, node = run_get_node(builder_of(code, model, trajectories=runs, force_constants=constants_node()))
    assert node.is_finished_ok, node.exit_message
    assert jobs_of(node) == []
    curves = results["curves"]
    assert curves.get_array("temperatures").tolist() == [100.0, 400.0]
    cold, hot = curves.get_array("own_constants")
    assert 0 < cold < hot
    assert "reference_constants" not in curves.get_arraynames()
    assert results["scores"]["own_frames_own_constants_T400"]["n_runs"] == 2
    # Of each run the protocol leaves out a quarter.
    assert results["scores"]["own_frames_own_constants_T400"]["n_frames"] == 15 + 8


@pytest.mark.slow
def test_a_run_that_fails_loses_nothing_else(code, profile):
    settings = {"factory": "hot_calculators:hot", "arguments": {"limit": 900.0, "fault": "raise"}}
    fragile = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    overrides = {"parameters": {"n_runs": 1}}
    builder = builder_of(code, fragile, reference=reference(), force_constants=constants_node(), overrides=overrides,
                         temperatures=[3000])  # fmt: skip
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    summary = results["summary"].get_dict()
    assert summary["runs"]["T3000_run_0"]["outcome"] == "failed"
    assert "too hot" in summary["runs"]["T3000_run_0"]["reason"]
    assert set(summary["scores"]) >= {"reference", "reference_frames_own_constants"}


@pytest.mark.slow
def test_nothing_that_runs_is_a_failure_that_says_why(code, profile):
    settings = {"factory": "hot_calculators:hot", "arguments": {"limit": 1.0, "fault": "raise"}}
    fragile = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    results, node = run_get_node(builder_of(code, fragile, force_constants=constants_node()))
    assert node.exit_status == 410
    assert "too hot" in node.exit_message
    assert results["summary"]["scores"] == {}


def silver_frames():
    return frames_node(symbols=["Ag"] * 32)


def no_forces():
    node = frames_node()
    node.delete_array("forces")
    return node


def strained_frames():
    cells = np.repeat(np.diag([7.2, 7.2, 10.0])[None], 8, axis=0)
    return frames_node(cells=cells)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": lambda: reference(trajectory=no_forces())}, "the frames have no forces: give a trajectory"),
        ({"reference": lambda: reference(trajectory=silver_frames())}, "Ag32 is not made of whole cells of Cu"),
        ({"reference": lambda: reference(trajectory=strained_frames())}, "trajectory does not fit to structure: "),
        ({"reference": lambda: reference(structure=None)}, "need reference.structure"),
        ({"reference": lambda: reference(force_constants=ArrayData({"fc": np.zeros(3)}))}, "has the arrays fc: give"),
        ({"reference": lambda: reference(structure=from_atoms(bulk("Cu", cubic=True)))}, r"give \[4, 32, 3, 3\] or"),
        ({"trajectories": lambda: {"T300": no_forces()}}, "trajectories.T300: the frames have no forces"),
        ({"overrides": lambda: {"parameters": {"n_run": 2}}}, "did you mean 'n_runs'"),
        ({"overrides": lambda: {"parameters": {"temperatures": [300, 300]}}}, "more than once"),
        ({"dynamics": lambda: {"temperatures": [500]}}, "use parameters.temperatures"),
        ({"dynamics": lambda: {"frame_interval": 0}}, "keep no frames"),
        ({"protocol": lambda: "double-perovskite"}, "did you mean 'double-perovskites'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(code, model, changes, message):
    arguments = {name: make() for name, make in changes.items()}
    with pytest.raises(ValueError, match=message) as caught:
        builder_of(code, model, **arguments)
    assert "\n" not in str(caught.value)


def test_without_force_constants_or_frames_there_is_nothing_to_measure(code, model):
    builder = builder_of(code, model)
    builder.pop("phonon")
    with pytest.raises(ValueError, match="there are no force constants"):
        run_get_node(builder)
    builder = builder_of(code, model, force_constants=constants_node())
    builder.pop("base")
    with pytest.raises(ValueError, match="there are no frames"):
        run_get_node(builder)


def test_every_protocol_gives_a_builder(code, model):
    names = set(AnharmonicityWorkChain.get_available_protocols())
    assert names == {"fast", "balanced", "stringent", "double-perovskites"}
    for name in names:
        AnharmonicityWorkChain.get_builder_from_protocol(code, model, from_atoms(copper()), name)


def test_double_perovskites_is_the_published_procedure(code, model):
    builder = AnharmonicityWorkChain.get_builder_from_protocol(
        code, model, from_atoms(copper()), "double-perovskites", reference=reference(), options={"device": "cpu"}
    )
    dynamics = validate_parameters("dynamics", builder.base.dynamics.parameters.get_dict())
    assert (dynamics["ensemble"], dynamics["collision_probability"]) == ("nvt-andersen", 0.5)
    assert (dynamics["time_step"], dynamics["steps"], dynamics["frame_interval"]) == (1.0, 2000, 1)
    assert dynamics["retrieved_frames"] >= dynamics["steps"] // dynamics["frame_interval"] + 1
    settings = builder.parameters.get_dict()
    assert (settings["temperatures"], settings["n_runs"], settings["discard"]) == ([300.0], 2, 0.0)
    assert builder.phonon.parameters["supercell_matrix"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    jobs = (builder.base.dynamics, builder.forces.evaluate, builder.phonon.forces.evaluate, builder.phonon.relax.relax)
    assert {job.metadata.options["device"] for job in jobs} == {"cpu"}
