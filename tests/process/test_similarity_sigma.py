"""Maps coloured by σ(t) of measurements as they are: each score is that of its very frame."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData, Dict, TrajectoryData
from ase.build import bulk
from ase.calculators.emt import EMT
from engine_jobs import HELPERS
from similarity_jobs import STAND_IN

from aiida_crucible.analysis.anharmonicity.combinations import OWN, Combination
from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms
from aiida_crucible.workflows.anharmonicity.calcfunctions import measure_anharmonicity
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain

OPTIONS = {"environment_variables": {"PYTHONPATH": os.pathsep.join(map(str, [HELPERS, STAND_IN]))}}
UNIT = bulk("Cu", a=3.6)
CRYSTAL = bulk("Cu", a=3.6, cubic=True) * 2
LOST = 5
"""Frame of the first run whose forces are no numbers."""


def forces_of(atoms):
    moved = atoms.copy()
    moved.calc = EMT()
    return moved.get_forces()


def run_of_frames(n_frames, size, seed):
    """Return frames of copper with EMT's forces."""
    rng = np.random.default_rng(seed)
    images = [CRYSTAL.copy() for _ in range(n_frames)]
    for image in images:
        image.positions += rng.normal(0, size, image.positions.shape)
    node: TrajectoryData = atoms_to_trajectory(images)
    node.set_array("forces", np.array([forces_of(image) for image in images]))
    return node


@pytest.fixture(scope="module")
def constants(profile):
    phonon = build_phonopy(UNIT, np.diag([2, 2, 2]))
    plan = plan_displacements(phonon, [0.01])
    _, *displaced = plan.structures()
    values = solve_force_constants(
        phonon, plan.sets[0], np.array([forces_of(atoms) for atoms in displaced[: len(plan.sets[0])]])
    ).values
    return ArrayData(
        {
            "force_constants": values,
            "supercell_matrix": np.array(phonon.supercell_matrix),
            "primitive_matrix": np.array(phonon.primitive_matrix),
        }
    ).store()


@pytest.fixture(scope="module")
def runs(profile):
    first, second = run_of_frames(12, 0.05, 0), run_of_frames(8, 0.1, 1)
    forces = first.get_array("forces").copy()
    forces[LOST] = np.nan
    first.set_array("forces", forces)
    return {"T300_run_0": first.store(), "T300_run_1": second.store()}


def measured(constants, discard=0.0, **runs):
    combination = Dict(Combination(OWN, OWN, OWN, 300.0).as_dict())
    settings = Dict({"discard": discard, "effective_frames": 0})
    return measure_anharmonicity(from_atoms(UNIT), constants, settings, combination, Dict({}), **runs)["details"]


@pytest.fixture(scope="module")
def details(constants, runs):
    """Return the details of both runs without the first quarter of each."""
    return measured(constants, 0.25, **runs)


@pytest.fixture(scope="module")
def alone(constants, runs):
    """Return σ of every frame of both runs, each measured by itself; NaN for the frame without forces."""
    found = {}
    for label, run in runs.items():
        values = []
        for frame in range(run.numsteps):
            one = atoms_to_trajectory([run.get_step_structure(frame).get_ase()])
            one.set_array("forces", run.get_array("forces")[frame][None])
            ok = np.isfinite(one.get_array("forces")).all()
            values.append(measured(constants, run=one).get_array("scores")[0] if ok else np.nan)
        found[label] = np.array(values)
    return found


@pytest.mark.long
@pytest.mark.slow
def test_colours_are_those_of_the_very_frames(code, runs, details, alone):
    """Sites are those of a run's mean: a frame alone sits a little elsewhere, by far less than frames differ."""
    samplers = {"cold": runs["T300_run_0"], "hot": runs["T300_run_1"]}
    builder = ConfigurationSpaceWorkChain.get_builder_from_protocol(
        code, samplers, "fast", sigmas=dict.fromkeys(samplers, details), options=OPTIONS
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    content = json.loads(outputs["chemiscope"].get_content())["properties"]
    found = np.array([np.nan if value is None else value for value in content["sigma"]["values"]])
    left_out = {"cold": {0, 1, 2, LOST}, "hot": {0, 1}}
    for sampler, label in (("cold", "T300_run_0"), ("hot", "T300_run_1")):
        own = np.array(content["sampler"]["values"]) == sampler
        frames = np.array(content["frame"]["values"])[own].astype(int)
        assert set(frames[np.isnan(found[own])]) == left_out[sampler]
        known = np.isfinite(found[own])
        order = np.flatnonzero(details.get_array("runs") == (label == "T300_run_1"))
        by_frame = dict(
            zip(details.get_array("frames")[order].tolist(), details.get_array("scores")[order], strict=True)
        )
        assert found[own][known].tolist() == [by_frame[frame] for frame in frames[known]]
        assert np.corrcoef(found[own][known], alone[label][frames[known]])[0, 1] > 0.9


def test_scores_know_their_frames(details):
    assert details.get_array("frames").tolist() == [3, 4, 6, 7, 8, 9, 10, 11, 2, 3, 4, 5, 6, 7]
    assert details.get_array("runs").tolist() == [0] * 8 + [1] * 6


def test_a_run_without_a_score_keeps_its_number(constants, runs):
    lost = run_of_frames(4, 0.05, 3)
    lost.set_array("forces", np.full((4, 32, 3), np.nan))
    details = measured(constants, a=lost, b=runs["T300_run_1"])
    assert set(details.get_array("runs").tolist()) == {1}


def refusal(code, trajectory, sigma):
    with pytest.raises(ValueError) as error:
        ConfigurationSpaceWorkChain.get_builder_from_protocol(
            code, {"own": trajectory}, "fast", sigmas={"own": sigma}, options=OPTIONS
        )
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_does_not_belong_together_is_one_line(code, runs, details):
    names = ", ".join(f"{label} (PK {node.pk})" for label, node in runs.items())
    assert refusal(code, run_of_frames(12, 0.05, 0), details) == (
        f"sigmas of 'own' are scores of a measurement: they are of the frames of {names}, and not of this trajectory: "
        "give one of those"
    )
    first, arrays = runs["T300_run_0"], {name: details.get_array(name) for name in ("scores", "runs", "frames")}
    assert "they are of several runs, and nothing says which" in refusal(code, first, ArrayData(arrays))
    assert "they have no array 'frames', and so belong to no frames" in refusal(
        code, first, ArrayData({name: arrays[name] for name in ("scores", "runs")})
    )
    single = {**arrays, "runs": np.zeros(14, dtype=int)}
    assert "they are of frame 11, but the trajectory has 8" in refusal(code, runs["T300_run_1"], ArrayData(single))
