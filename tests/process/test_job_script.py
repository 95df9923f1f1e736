"""The shell script of a job: who is told of a signal, and what remains of how the engine ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from aiida.common.datastructures import CalcInfo
from aiida.schedulers.datastructures import JobTemplateCodeInfo
from aiida.schedulers.plugins.slurm import SlurmScheduler

from aiida_crucible.calculations.job_script import pass_signals_on

# Says when it is ready, and ends half a second after the first signal with a status of its own.
ENGINE = """
import signal, sys, time

def end(number, frame):
    time.sleep(0.5)
    print(signal.Signals(number).name, flush=True)
    sys.exit(7)

for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
    signal.signal(getattr(signal, name), end)
print("ready", flush=True)
time.sleep(30)
"""


@pytest.fixture(params=["bash", "sh"])
def start(request, tmp_path):
    """Return a function that starts a job script as AiiDA writes it, with a command for the engine."""

    def start(*command, before=""):
        info, code = CalcInfo(), JobTemplateCodeInfo()
        pass_signals_on(info, "exit_status.txt")
        code.cmdline_params, code.stdout_name, code.stderr_name = list(command), "stdout.txt", "stderr.txt"
        code.use_double_quotes = [False, False]
        line = SlurmScheduler()._get_run_line([code], info.codes_run_mode)
        script = tmp_path / "script"
        script.write_text("\n\n".join([info.prepend_text, before, line, info.append_text]))
        return subprocess.Popen([request.param, str(script)], cwd=tmp_path)

    return start


def wait_for(path, text):
    deadline = time.monotonic() + 20
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{text!r} never came into {path.name}"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_signal_to_the_shell_alone_reaches_the_engine(start, tmp_path, name):
    process = start(sys.executable, "-c", ENGINE)
    wait_for(tmp_path / "stdout.txt", "ready")
    process.send_signal(getattr(signal, name))
    assert process.wait(10) == 0
    assert (tmp_path / "stdout.txt").read_text().split() == ["ready", name]
    assert (tmp_path / "exit_status.txt").read_text() == "7\n"


def test_every_further_signal_is_passed_on_too(start, tmp_path):
    counter = ENGINE.replace("sys.exit(7)", "None").replace("time.sleep(0.5)", "None")
    process = start(sys.executable, "-c", counter.replace("time.sleep(30)", "signal.pause(); signal.pause()"))
    wait_for(tmp_path / "stdout.txt", "ready")
    for name in ("SIGUSR1", "SIGTERM"):
        process.send_signal(getattr(signal, name))
        wait_for(tmp_path / "stdout.txt", name)
    assert process.wait(10) == 0
    assert (tmp_path / "exit_status.txt").read_text() == "0\n"


@pytest.mark.parametrize(("end", "status"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("None", 0)])
def test_end_of_the_engine_is_written_down(start, tmp_path, end, status):
    assert start(sys.executable, "-c", f"import os, sys; {end}").wait(20) == 0
    assert (tmp_path / "exit_status.txt").read_text() == f"{status}\n"


def test_signal_before_the_engine_ends_the_job(start, tmp_path):
    """Where a user's own commands, say the loading of modules, take their time."""
    process = start(sys.executable, "-c", ENGINE, before="echo ready > before.txt\nsleep 0.5")
    wait_for(tmp_path / "before.txt", "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143
    assert not (tmp_path / "exit_status.txt").exists()
    assert not (tmp_path / "stdout.txt").exists()
