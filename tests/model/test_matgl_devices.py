"""Weights whose backend computes on the CPU alone, where torch sees a GPU."""

import json

import pytest

pytestmark = pytest.mark.model

SCRIPT = """
import json, sys
from pathlib import Path
from unittest import mock
from conformance_cases import CASES, checkpoint_of, make_checkpoint
from crucible_engine.families import torch_support
from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import EngineError, ModelReference

case = CASES["m3gnet-random"]
make_checkpoint(case, sys.argv[1])
reference = ModelReference("matgl", checkpoint=str(checkpoint_of(case, sys.argv[1])))
with mock.patch.object(torch_support, "available_devices", lambda: ["cpu", "cuda:0", "cuda"]):
    device = load_model(reference, "auto").device
    try:
        load_model(reference, "cuda")
    except EngineError as error:
        print(json.dumps([device, error.condition.value, error.message]))
"""


def test_auto_takes_the_cpu_and_a_gpu_is_refused_in_one_line(run_in, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    found = run_in("matgl", tmp_path / "script.py", tmp_path, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    device, condition, message = json.loads(found.stdout.splitlines()[-1])
    assert (device, condition) == ("cpu", "device-unavailable")
    assert "take device cpu, not cuda" in message and "\n" not in message
