"""The recipe over a computer's transport: here the local one, as a stranger's computer."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from aiida.orm import load_code
from fake_uv import CUDA_PLAN, FakeUv

from aiida_crucible.environments import CudaRefusedError, ModelEnvironmentError, codes, manage, remote
from aiida_crucible.environments.local import has_gpu
from aiida_crucible.environments.manage import Request, create_environment, open_transport, recipe_for


@pytest.fixture
def uv(tmp_path, monkeypatch, forgotten):
    """Return the fake uv that the computer has in its PATH."""
    fake = FakeUv(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CRUCIBLE_ENVIRONMENTS", str(fake.root))
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    for module in (codes, manage):
        monkeypatch.setattr(module, "is_this_machine", lambda computer: False)
    return fake


def create(computer, request, lines=None, **options):
    return create_environment(request, computer, report=(lines if lines is not None else []).append, **options)


def test_environment_on_another_computer(uv, localhost):
    lines: list[str] = []
    code = create(localhost, Request("emt"), lines, label="emt-remote")
    assert load_code(f"emt-remote@{localhost.label}").uuid == code.uuid
    assert str(code.filepath_executable).startswith(str(uv.root))
    assert lines[0].startswith("creating ")
    hidden = {path.name for path in uv.root.iterdir() if path.name.startswith(".run-")}
    assert not hidden, "script, log and status are cleaned up"
    calls = uv.calls
    assert create(localhost, Request("emt"), label="emt-remote").uuid == code.uuid
    assert uv.calls == calls


def test_root_of_a_computer_is_remembered(uv, localhost, tmp_path):
    localhost.set_property(codes.ROOT_PROPERTY, str(tmp_path / "chosen"))
    try:
        code = create(localhost, Request("emt"), label="emt-chosen")
    finally:
        localhost.delete_property(codes.ROOT_PROPERTY)
    assert str(code.filepath_executable).startswith(str(tmp_path / "chosen"))


def test_prepend_text_of_a_computer_comes_first(uv, localhost, tmp_path):
    """What a cluster needs before anything works there: modules, a proxy, certificates."""
    localhost.set_prepend_text(f"export CRUCIBLE_ENVIRONMENTS={tmp_path}/prepended\ntouch {tmp_path}/seen")
    try:
        code = create(localhost, Request("emt"), label="emt-prepended")
    finally:
        localhost.set_prepend_text("")
    assert str(code.filepath_executable).startswith(f"{tmp_path}/prepended")
    assert (tmp_path / "seen").exists()


def test_dry_run_is_the_recipe_of_that_computer(uv, localhost):
    script = recipe_for(Request("emt"), localhost)
    assert str(uv.root) in script
    assert not uv.calls
    assert uv.run(script)[0] == 0
    calls = uv.calls
    create(localhost, Request("emt"), label="emt-by-hand")
    assert uv.calls == calls, "what was made by hand is found"


def test_failure_there_is_one_line_here(uv, localhost):
    uv.set("failure", "error: No space left on device (os error 28)\n")
    with pytest.raises(ModelEnvironmentError, match="was not created: the disk is full"):
        create(localhost, Request("chgnet"))


@pytest.mark.skipif(has_gpu(), reason="this machine has an NVIDIA driver, so that CUDA is welcome")
def test_refusal_there_can_be_answered_here(uv, localhost):
    uv.set("unreachable")
    uv.set("plan", CUDA_PLAN)
    with pytest.raises(CudaRefusedError, match="nvidia-cublas"):
        create(localhost, Request("chgnet"))


@pytest.mark.slow
def test_recipe_that_is_killed_there_is_told(uv, localhost):
    uv.set("slow")
    failure: list[BaseException] = []

    def work():
        with open_transport(localhost) as transport:
            site = remote.survey(transport)
            try:
                remote.create(transport, site, remote.specify(site, "emt", None), report=lambda _: None)
            except ModelEnvironmentError as error:
                failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    uv.wait_until_installing()
    for pid in pids_of(f"{uv.root}/.run-"):
        with contextlib.suppress(ProcessLookupError):  # a shell ends with the one that it has called
            os.kill(pid, signal.SIGKILL)
    thread.join(30)
    uv.unset("slow")
    assert "ended with status 137" in str(failure[0])


def pids_of(text):
    """Return the shells whose command line contains ``text``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program, *arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if program.endswith(b"bash") and any(text.encode() in argument for argument in arguments):
                found.append(int(entry.name))
    return found


def test_python_that_is_not_there(uv, localhost):
    with pytest.raises(ModelEnvironmentError, match="is no Python that runs there"):
        create(localhost, Request("emt", python="/nowhere/python"))


def test_python_outside_the_locks(uv, localhost):
    with pytest.raises(ModelEnvironmentError, match=r"Python 3\.9 is outside the locks"):
        create(localhost, Request("emt", python="3.9"))


def test_deletion_over_a_transport(uv, localhost, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "file").touch()
    with open_transport(localhost) as transport:
        remote.delete(transport, str(folder))
        remote.delete(transport, str(folder))
    assert not list(tmp_path.glob("a folder*"))


def test_long_log_is_reported_as_it_grows(uv, localhost):
    uv.set("slow")
    lines: list[str] = []
    thread = threading.Thread(target=create_in_thread, args=(localhost, lines))
    thread.start()
    uv.wait_until_installing()
    deadline = time.monotonic() + 20
    while not lines and time.monotonic() < deadline:
        time.sleep(0.05)
    assert any(line.startswith("creating ") for line in lines), "progress is shown before the end"
    uv.unset("slow")
    thread.join(30)
    assert not thread.is_alive()


def create_in_thread(computer, lines):
    with open_transport(computer) as transport:
        site = remote.survey(transport)
        remote.create(transport, site, remote.specify(site, "emt", None), report=lines.append)
