"""``env check`` and ``model add --code``: scripts that run in an environment as jobs with provenance."""

from __future__ import annotations

import re
import sys

import ase
import pytest
from aiida.manage.caching import enable_caching
from aiida.orm import CalcJobNode, InstalledCode
from click.testing import CliRunner

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.cli import main
from aiida_crucible.environments import ModelEnvironmentError, codes
from aiida_crucible.environments.script_job import check_environment, describe_checkpoint, path_on_computer
from crucible_engine.wire.schema import ModelReference


@pytest.fixture
def environment(localhost, forgotten):
    """Return this interpreter as an environment of EMT, which needs ASE and nothing else."""
    code = InstalledCode(label="emt-here", computer=localhost, filepath_executable=sys.executable).store()
    content = {"family": "emt", "package": "ase", "version": ase.__version__, "lock": "0", "torch": None}
    code.base.extras.set(
        ENVIRONMENT_KEY, {**content, "build": "cpu", "release": None, "python": "3.11", "megabytes": 1}
    )
    return codes.RegisteredEnvironment(code, content)


@pytest.mark.slow
def test_probe_finds_a_sound_environment(environment):
    with enable_caching():
        (_, first), (found, process) = (check_environment(environment) for _ in range(2))
    findings = {item.name: item for item in found}
    assert "failed" not in {item.status for item in found}
    assert findings["package"].message == f"ase {ase.__version__} can be imported"
    assert findings["evaluation"].status == "passed"
    differences = re.findall(r"(\S+) eV/", findings["evaluation"].message)
    assert len(differences) == 2
    assert max(map(float, differences)) < 1e-10, "another processor may round the last digits otherwise"
    assert findings["torch"].status == "not-applicable"
    assert isinstance(process, CalcJobNode)
    assert process.inputs.code.uuid == environment.code.uuid
    assert process.uuid != first.uuid
    assert not process.base.caching.is_created_from_cache, "the state of a computer is asked for every time"


@pytest.mark.slow
def test_command_fails_when_a_check_does(environment):
    extra = environment.code.base.extras.get(ENVIRONMENT_KEY)
    environment.code.base.extras.set(ENVIRONMENT_KEY, {**extra, "version": "3.0.0"})
    result = CliRunner().invoke(main, ["env", "check", "emt-here"])
    assert result.exit_code == 1
    assert "its lock says 3.0.0: it was changed by hand" in result.output
    assert "verdi process show" in result.output


@pytest.mark.slow
def test_python_that_does_not_start_is_one_line(localhost, forgotten):
    code = InstalledCode(label="nowhere", computer=localhost, filepath_executable="/nowhere/python").store()
    content = {"family": "emt", "version": "1", "torch": None}
    with pytest.raises(ModelEnvironmentError, match=r"did not run in nowhere@localhost .*verdi process report"):
        check_environment(codes.RegisteredEnvironment(code, content))


@pytest.mark.slow
def test_checkpoint_that_cannot_be_loaded_is_one_line(environment, tmp_path):
    reference = ModelReference("emt", checkpoint=str(tmp_path / "weights.pt"), dtype="float64")
    with pytest.raises(ModelEnvironmentError, match="has no checkpoint files"):
        describe_checkpoint(environment, reference)


def test_checkpoint_of_another_family_than_the_code(environment):
    with pytest.raises(ModelEnvironmentError, match=r"an environment of family 'emt', .* one of 'mace'"):
        describe_checkpoint(environment, ModelReference("mace", checkpoint="/x"))


def test_checkpoint_has_to_lie_where_the_code_runs(environment, monkeypatch, tmp_path):
    assert path_on_computer("/data/x", "localhost", environment) == "/data/x"
    monkeypatch.chdir(tmp_path)
    assert path_on_computer("x", None, environment) == str(tmp_path / "x")
    with pytest.raises(ModelEnvironmentError, match="copy it to localhost first"):
        path_on_computer("/data/x", "elsewhere", environment)
