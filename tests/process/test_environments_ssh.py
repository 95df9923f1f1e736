"""The recipe over a real ssh connection, to an sshd of our own on the loopback interface."""

from __future__ import annotations

import functools
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from aiida.orm import Computer
from fake_uv import FakeUv

from aiida_crucible.environments import ModelEnvironmentError, remote
from aiida_crucible.environments.codes import ROOT_PROPERTY, find_environment
from aiida_crucible.environments.manage import Request, create_environment, recipe_for, remove_environment
from aiida_crucible.environments.recipe import render_recipe


def find_sshd():
    """Return the path of sshd, which has to be absolute and is rarely in a user's PATH."""
    return shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin", "/sbin"]))


pytestmark = [
    pytest.mark.skipif(find_sshd() is None, reason="no sshd on this machine (apt install openssh-server)"),
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start an sshd that lets this user in with a key of its own; return its port and the key's path."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-m", "PEM", "-f", str(folder / name)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        "PermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([find_sshd(), "-D", "-e", "-f", str(configuration)], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(100):
            if process.poll() is not None:
                pytest.skip(f"sshd does not start here: {process.stderr.read().strip().splitlines()[-1]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, folder / "user"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def computer(server, forgotten, tmp_path):
    """Return a computer that is reached over ssh."""
    port, key = server
    computer = Computer("over-ssh", "127.0.0.1", "", "core.ssh", "core.direct", str(tmp_path / "work")).store()
    computer.configure(
        username=getpass.getuser(),
        port=port,
        key_filename=str(key),
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


def test_dry_run_asks_the_computer_and_changes_nothing(uv, computer):
    assert str(uv.root) in recipe_for(Request("emt", python="3.11"), computer)
    assert not uv.calls


def test_computer_that_does_not_answer(computer, uv):
    computer.configure(port=1)
    with pytest.raises(ModelEnvironmentError, match="computer 'over-ssh' cannot be reached"):
        create_environment(Request("emt"), computer, report=lambda _: None)
