"""The recipe over a real ssh connection, to an sshd of our own on the loopback interface."""

from __future__ import annotations

import functools
import getpass
from pathlib import Path

import pytest
from aiida.orm import Computer
from daemons import UnavailableError
from fake_uv import FakeUv
from loopback_sshd import LoopbackSshd

from aiida_crucible.environments import ModelEnvironmentError, remote
from aiida_crucible.environments.codes import ROOT_PROPERTY, find_environment
from aiida_crucible.environments.manage import Request, create_environment, recipe_for, remove_environment
from aiida_crucible.environments.specification import render_recipe


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start an sshd that lets this user in with a key of its own."""
    sshd = LoopbackSshd(tmp_path_factory.mktemp("sshd"))
    try:
        sshd.start()
        yield sshd
    except UnavailableError as error:
        pytest.skip(str(error))
    finally:
        sshd.stop()


@pytest.fixture
def computer(server, forgotten, tmp_path):
    """Return a computer that is reached over ssh."""
    computer = Computer("over-ssh", "127.0.0.1", "", "core.ssh", "core.direct", str(tmp_path / "work")).store()
    computer.configure(
        username=getpass.getuser(),
        port=server.port,
        key_filename=str(server.key),
        key_policy="AutoAddPolicy",
        look_for_keys=False,
        allow_agent=False,
        load_system_host_keys=False,
        safe_interval=0.0,
    )
    return computer


@pytest.fixture
def uv(tmp_path, monkeypatch, computer):
    """Return a fake uv that the recipe uses on the computer."""
    fake = FakeUv(tmp_path)
    monkeypatch.setattr(remote, "render_recipe", functools.partial(render_recipe, uv=str(fake.path)))
    computer.set_property(ROOT_PROPERTY, str(fake.root))
    return fake


@pytest.mark.slow
def test_environment_over_ssh(uv, computer):
    lines: list[str] = []
    code = create_environment(Request("emt", python="3.11"), computer, report=lines.append)
    assert code.full_label == "emt@over-ssh"
    assert Path(code.filepath_executable).is_relative_to(uv.root)
    assert any(line.startswith("creating ") for line in lines)
    calls = uv.calls
    assert create_environment(Request("emt", python="3.11"), computer, report=lines.append).uuid == code.uuid
    assert uv.calls == calls

    environment = find_environment("emt", computer)
    assert environment.state == "ready"
    remove_environment(environment)
    assert not Path(environment.folder).exists()


@pytest.mark.slow
def test_dry_run_asks_the_computer_and_changes_nothing(uv, computer):
    assert str(uv.root) in recipe_for(Request("emt", python="3.11"), computer)
    assert not uv.calls


def test_computer_that_does_not_answer(computer, uv):
    computer.configure(port=1)
    with pytest.raises(ModelEnvironmentError, match="computer 'over-ssh' cannot be reached"):
        create_environment(Request("emt"), computer, report=lambda _: None)
