"""An exported archive tells everything, in a profile that never saw the computer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
from aiida.engine import run_get_node
from aiida.tools.archive import create_archive
from engine_jobs import HELPERS

from aiida_crucible.calculations.engine_archive import engine_archive
from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.nodes.model import ModelData

JOB = """
import hashlib, json
def digest(node, name): return hashlib.sha256(node.base.repository.get_object_content(name, mode="rb")).hexdigest()
inputs, outputs = node.inputs, node.outputs
print(json.dumps({
    "structure": inputs.structures.copper.get_formula(),
    "parameters": inputs.parameters.get_dict(),
    "model": [inputs.model.family, inputs.model.dtype, inputs.model.identity],
    "weights": digest(inputs.model, "checkpoint.model"),
    "environment": inputs.code.base.extras.get("crucible_environment"),
    "job": json.loads(node.base.repository.get_object_content("job.json"))["task"],
    "engine": digest(node, "crucible_engine.pyz"),
    "results": outputs.results.get_dict(),
    "energies": outputs.properties.get_array("energies").tolist(),
    "forces": outputs.properties.get_array("forces").tolist(),
}))
"""


@pytest.fixture
def seen_elsewhere(tmp_path):
    """Return a function that exports a node, imports it elsewhere, and returns what some code prints of it there."""

    def see(node, code):
        archive = tmp_path / "work.aiida"
        create_archive([node], filename=archive)
        command = [sys.executable, str(HELPERS / "imported_archive.py"), str(archive), node.uuid, code]
        environment = {**os.environ, "AIIDA_PATH": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return see


@pytest.mark.slow
def test_archive_needs_no_file_outside(stand_in, checkpoint_model, copper, seen_elsewhere):
    inputs = {"code": stand_in, "model": checkpoint_model, "structures": {"copper": copper}}
    outputs, node = run_get_node(EvaluateCalculation, **inputs)
    assert node.is_finished_ok, node.exit_message
    shutil.rmtree(outputs["remote_folder"].get_remote_path())
    seen = seen_elsewhere(node, JOB)
    assert seen == {
        "structure": "Cu4",
        "parameters": node.inputs.parameters.get_dict(),
        "model": [checkpoint_model.family, checkpoint_model.dtype, checkpoint_model.identity],
        "weights": checkpoint_model.sha256,
        "environment": stand_in.base.extras.get("crucible_environment"),
        "job": "evaluate",
        "engine": hashlib.sha256(engine_archive()).hexdigest(),
        "results": outputs["results"].get_dict(),
        "energies": outputs["properties"].get_array("energies").tolist(),
        "forces": outputs["properties"].get_array("forces").tolist(),
    }


@pytest.mark.slow
def test_trust_does_not_travel(checkpoint_model, tmp_path, seen_elsewhere):
    trusted = ModelData.get_or_create("mace", checkpoint=tmp_path / "mine.model", trust_pickle=True)
    assert trusted.trusted
    assert seen_elsewhere(trusted, "print(str(node.trusted).lower())") is False
