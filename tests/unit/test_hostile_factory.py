"""Family ``ase`` runs what its settings name: not before somebody said that it may."""

from __future__ import annotations

import pytest

from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import Condition, EngineError, Job, ModelReference


def touching(marker):
    return {"factory": "os:system", "arguments": {"command": f"touch {marker}"}}


@pytest.mark.parametrize("said", [{}, {"trust_code": False}, {"trust_pickle": True}])
def test_a_factory_does_not_run_unless_trusted(tmp_path, said):
    marker = tmp_path / "ran"
    content = {"family": "ase", "dtype": "float64", "settings": touching(marker), **said}
    job = Job.from_dict({**Job("evaluate", ModelReference("ase")).to_dict(), "model": content})
    with pytest.raises(EngineError, match=r"runs the code that it names \(factory 'os:system'\).*set trust_code"):
        load_model(job.reference)
    assert not marker.exists()


@pytest.mark.parametrize("said", ["no", "yes", 1, None])
def test_trust_is_true_or_false(said):
    content = {"family": "ase", "dtype": "float64", "settings": touching("nowhere"), "trust_code": said}
    with pytest.raises(EngineError, match=r"trust_code of the model of the job is .*: give true or false"):
        Job.from_dict({**Job("evaluate", ModelReference("ase")).to_dict(), "model": content})


def test_the_condition_is_one_of_its_own():
    with pytest.raises(EngineError) as caught:
        load_model(ModelReference("ase", dtype="float64", settings={"factory": "os:system"}))
    assert caught.value.condition is Condition.CODE_UNTRUSTED
