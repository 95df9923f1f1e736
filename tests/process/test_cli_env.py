"""``aiida-crucible env`` on a profile, with a fake uv."""

from __future__ import annotations

import pytest
from aiida.orm import load_code
from click.testing import CliRunner
from fake_uv import CUDA_PLAN, FakeUv

from aiida_crucible.cli import main
from aiida_crucible.environments import local
from aiida_crucible.environments.codes import ROOT_PROPERTY


@pytest.fixture
def uv(tmp_path, monkeypatch):
    fake = FakeUv(tmp_path)
    monkeypatch.setattr(local, "find_uv", lambda: str(fake.path))
    monkeypatch.setattr(local, "has_gpu", lambda: False)
    monkeypatch.setenv(local.ROOT_VARIABLE, str(fake.root))
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    return fake


@pytest.fixture
def run(localhost, forgotten, uv):
    """Return a function that runs a command and returns its exit status and what it wrote."""

    def run(*arguments, answer=None):
        result = CliRunner().invoke(main, arguments, input=answer)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


@pytest.mark.slow
def test_life_of_an_environment(run, uv):
    status, output = run("env", "create", "emt")
    assert status == 0
    assert "creating " in output
    assert "emt@localhost" in output
    code = load_code("emt@localhost")

    _, listed = run("env", "list")
    row = listed.splitlines()[-1]
    for word in ("emt@localhost", "ready", "ase 3", str(uv.root)):
        assert word in row

    assert run("env", "remove", "emt", answer="n\n")[0] == 1
    assert local.is_complete(local.Path(code.filepath_executable).parent.parent)
    assert run("env", "remove", "emt", answer="y\n")[0] == 0
    assert code.is_hidden
    assert not local.Path(code.filepath_executable).exists()
    status, output = run("env", "remove", "emt", "--yes")
    assert status == 1
    assert output.startswith("Error: there is no environment 'emt'")
    assert "retired" not in run("env", "list")[1]
    assert "retired" in run("env", "list", "--all")[1]

    assert run("env", "create", "emt")[0] == 0
    assert load_code("emt@localhost").uuid == code.uuid, "the same lock is the same environment again"


def test_environment_without_a_code_is_listed_and_removed(run, uv):
    folder = local.ensure("emt", report=lambda _: None).parent.parent
    assert "no code" in run("env", "list")[1]
    assert run("env", "remove", folder.name, "--yes")[0] == 0
    assert not folder.exists()
    assert "no environments yet" in run("env", "list")[1]


def test_root_is_remembered_for_the_computer(run, localhost, tmp_path):
    try:
        assert run("env", "create", "emt", "--root", str(tmp_path / "large disk"))[0] == 0
    finally:
        localhost.delete_property(ROOT_PROPERTY)
    assert str(load_code("emt@localhost").filepath_executable).startswith(str(tmp_path / "large disk"))


@pytest.mark.parametrize("computer", [(), ("--computer", "localhost")])
def test_recipe_is_for_the_root_that_is_asked_for(run, computer):
    status, output = run("env", "create", "emt", "--root", "/large/disk", "--dry-run", *computer)
    assert status == 0
    assert "/large/disk" in output


@pytest.mark.parametrize(
    ("options", "message"), [("{queue: gpu}", "did you mean 'queue_name'"), ("{foo: 1}", "no option 'foo'")]
)
def test_misspelt_job_options_are_refused_before_a_job(run, options, message):
    run("env", "create", "emt")
    status, output = run("env", "check", "emt", "--options", options)
    assert (status, output.count("Error")) == (1, 1)
    assert message in output


@pytest.mark.skipif(local.has_gpu(), reason="this machine has an NVIDIA driver, so that CUDA is welcome")
class TestCuda:
    """A machine without a GPU, and an index that offers CUDA builds alone."""

    @pytest.fixture(autouse=True)
    def plain_index_only(self, uv):
        uv.set("unreachable")
        uv.set("plan", CUDA_PLAN)

    def test_nobody_to_ask_is_a_refusal_that_names_the_ways_out(self, run):
        status, output = run("env", "create", "chgnet")
        assert status == 1
        line = output.splitlines()[-1]
        assert line.startswith("Error: this machine has no GPU")
        assert "--torch cuda" in line
        assert output.count("has no GPU") == 1

    @pytest.mark.parametrize(("answer", "created"), [("y\n", True), ("n\n", False)])
    def test_it_is_asked_before_anything_is_downloaded(self, run, uv, monkeypatch, answer, created):
        monkeypatch.setattr("aiida_crucible.cli.env.is_interactive", lambda: True)
        status, output = run("env", "create", "chgnet", answer=answer)
        assert (status == 0) is created
        assert "Download it all the same?" in output
        assert any("--no-deps" in call for call in uv.calls) is created

    def test_yes_agrees(self, run):
        assert run("env", "create", "chgnet", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "emt", "--computer", "localhots"], "did you mean 'localhost'"),
        (["check", "chgnet"], "there is no environment 'chgnet'"),
        (["remove", "chgnet", "--yes"], "there is no environment 'chgnet'"),
        (["create", "emt", "--python", "2.7"], "Python 2.7 is outside the locks"),
        (["create", "emt", "--root", "relative/x"], "--root is 'relative/x', a relative path"),
        (["create", "emt", "--label", "a@b"], "label 'a@b' is no Code's"),
        (["create", "emt", "--label", "python"], "exists and is none of aiida-crucible's"),
    ],
)
def test_mistake_is_one_line_and_makes_nothing(run, uv, code, arguments, message):
    status, output = run("env", *arguments)
    assert not uv.calls
    assert status == 1
    assert output.startswith("Error: ")
    assert message in output
    assert len(output.splitlines()) == 1
