"""A job that was killed says which temperatures it did not come to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiida.orm import Dict

from aiida_crucible.workflows.sweep.inputs import count_postponed, is_done

CHECKPOINT = {"replica": 2, "step": 40}


@pytest.mark.parametrize(
    ("summary", "left_over"),
    [
        ({"replicas": {"replica_0": {"averages": {}}}, "checkpoint": {"replica": 1, "step": 0}}, 2),
        ({"replicas": {}, "checkpoint": CHECKPOINT}, 1),
        ({"replicas": {}, "checkpoint": {"replica": 4, "step": 0}}, 0),
        ({"replicas": {}, "checkpoint": None}, 0),
        ({}, 0),
    ],
)
def test_temperatures_that_a_job_did_not_come_to(summary, left_over):
    outputs = {"results": Dict({"summary": summary})}

    class Outputs(dict):
        results = outputs["results"]

    child = SimpleNamespace(is_finished_ok=False, outputs=Outputs(outputs))
    assert count_postponed(child, 4) == left_over
    assert is_done(child, "replica_0") == bool(summary.get("replicas"))
