"""Frames compared as a CalcJob and as a WorkChain, with stand-ins for dscribe and scikit-learn."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData, CalcJobNode
from engine_jobs import HELPERS
from similarity_jobs import STAND_IN, salt_frames

from aiida_crucible.calculations.similarity.calculation import SimilarityCalculation
from aiida_crucible.nodes.structures import atoms_to_trajectory
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain, SimilarityBaseWorkChain

OPTIONS = {"environment_variables": {"PYTHONPATH": os.pathsep.join(map(str, [HELPERS, STAND_IN]))}}


@pytest.fixture(scope="module")
def trajectories(aiida_profile):
    frames = salt_frames(6, cold=0.02, warm=0.3)
    return {
        name: atoms_to_trajectory([atoms for label, atoms in frames.items() if label.startswith(name)])
        for name in ("cold", "warm")
    }


@pytest.mark.slow
def test_samplers_are_mapped_and_drawn(code, trajectories):
    sigmas = {"warm": ArrayData({"sigma": np.linspace(0.2, 0.7, 6)})}
    builder = ConfigurationSpaceWorkChain.get_builder_from_protocol(
        code, trajectories, "fast", sigmas=sigmas, options=OPTIONS, overrides={"base": {"similarity": {"parameters": {
            "frames": 4}}}},
    )  # fmt: skip
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    summary = outputs["results"]["summary"]
    assert summary["samplers"]["warm"] == {"given": 6, "chosen": 4}
    assert outputs["map"].get_array("kernel").shape == (8, 8)
    assert outputs["map"].get_array("sampler").tolist() == [0] * 4 + [1] * 4
    content = json.loads(outputs["chemiscope"].get_content())
    assert len(content["structures"]) == 8 and content["structures"][0]["size"] == 8
    assert content["properties"]["sampler"]["values"] == ["cold"] * 4 + ["warm"] * 4
    assert content["properties"]["sigma"]["values"] == pytest.approx([None] * 4 + [0.2, 0.3, 0.5, 0.6])
    with outputs["figure"].open(mode="rb") as picture:
        assert picture.read(4) == b"\x89PNG"


def test_an_interrupted_job_says_how_far_it_was(parse, trajectories):
    outputs, code = parse("similarity", {"exit_status.txt": b"137\n"}, {}, {"trajectories": trajectories})
    assert code.status == SimilarityCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert outputs["results"]["summary"] == {"tiles_done": 0}


@pytest.mark.slow
def test_a_job_that_is_cut_short_is_continued(code, trajectories, tmp_path):
    """The first job dies after its journal was begun, before a tile is done; the second continues that journal."""
    inputs = {"code": code, "trajectories": trajectories, "parameters": {"alpha": 0.2}}
    whole, _ = run_get_node(SimilarityBaseWorkChain, similarity={**inputs, "metadata": {"options": OPTIONS}})
    dies = {**OPTIONS["environment_variables"], "CRUCIBLE_TEST_DIES_ONCE": str(tmp_path / "died")}
    outputs, node = run_get_node(
        SimilarityBaseWorkChain,
        similarity={**inputs, "metadata": {"options": {"environment_variables": dies}}},
    )
    assert node.is_finished_ok, node.exit_message
    killed, finished = (called for called in node.called if isinstance(called, CalcJobNode))
    assert killed.exit_status == SimilarityCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert killed.outputs.results["summary"]["tiles_done"] == finished.outputs.results["summary"]["n_resumed"] == 0
    assert finished.inputs.restart_from.uuid == killed.outputs.retrieved.uuid
    for name in whole["map"].get_arraynames():
        assert np.array_equal(outputs["map"].get_array(name), whole["map"].get_array(name)), name


def test_arrays_that_do_not_fit(parse, trajectories):
    stream = io.BytesIO()
    np.savez(stream, kernel=np.eye(3))
    results = {"task": "similarity", "condition": "finished", "protocol": SimilarityCalculation.CACHE_VERSION}
    files = {"results.json": json.dumps(results).encode()}
    _, code = parse("similarity", files, {"arrays.npz": stream.getvalue()}, {"trajectories": trajectories})
    assert code.status == SimilarityCalculation.exit_codes.ERROR_ARRAYS_MISMATCH.status
    assert "self_similarities is missing" in code.message


def test_bad_input_is_one_line(code, trajectories):
    def refusal(**changes):
        inputs = {"code": code, "trajectories": trajectories, "metadata": {"options": OPTIONS}, **changes}
        with pytest.raises(ValueError) as error:
            run_get_node(SimilarityCalculation, **inputs)
        return str(error.value)

    single = atoms_to_trajectory([next(iter(salt_frames(1).values()))])
    assert "there are not two frames to compare" in refusal(trajectories={"only": single})
    other = next(iter(salt_frames(1).values()))[:7]
    mixed = {**trajectories, "odd": atoms_to_trajectory([other])}
    assert "trajectories 'cold' and 'odd' are of different compositions" in refusal(trajectories=mixed)
    assert "did you mean 'alpha'" in refusal(parameters={"alhpa": 1})


def test_sigma_belongs_to_frames(code, trajectories):
    with pytest.raises(ValueError, match="has no array 'sigma' with 6 numbers"):
        ConfigurationSpaceWorkChain.get_builder_from_protocol(
            code, trajectories, sigmas={"cold": ArrayData({"sigma": np.zeros(5)})}
        )


def test_an_environment_of_a_model_is_refused(code, stand_in, trajectories):
    with pytest.raises(ValueError, match="similarity needs 'analysis': create one with `aiida-crucible env create an"):
        ConfigurationSpaceWorkChain.get_builder_from_protocol(stand_in, trajectories)
