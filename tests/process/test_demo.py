"""The demonstration's profile, progress and messages, with ASE's toy potential in place of real models."""

import json
import subprocess
import sys

import pytest
from aiida.engine import ExitCode
from aiida.orm import WorkChainNode

from aiida_crucible.demo import messages
from aiida_crucible.monitoring.together import run_together
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain

OPEN = """
import sys
from pathlib import Path
from aiida_crucible.demo.profile import open_profile
open_profile(Path(sys.argv[1]))
from aiida.manage.caching import get_use_cache
from aiida.orm import load_computer
assert load_computer("localhost").is_configured
assert get_use_cache(identifier="aiida.calculations:crucible.relax")
"""


def open_profile(folder):
    return subprocess.run([sys.executable, "-c", OPEN, str(folder)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_profile_is_made_once_and_opened_again(tmp_path):
    for _ in range(2):
        finished = open_profile(tmp_path / "demo")
        assert finished.returncode == 0, finished.stderr
    profiles = json.loads((tmp_path / "demo" / ".aiida" / "config.json").read_text())["profiles"]
    assert list(profiles) == ["crucible-demo"]


@pytest.mark.slow
def test_somebody_elses_aiida_is_left_alone(tmp_path):
    assert open_profile(tmp_path).returncode == 0
    configuration = tmp_path / ".aiida" / "config.json"
    configuration.write_text(configuration.read_text().replace("crucible-demo", "mine"))
    before = configuration.read_text()
    finished = open_profile(tmp_path)
    assert "holds profiles of another AiiDA: choose another folder" in finished.stderr
    assert configuration.read_text() == before


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
import psutil
from aiida_crucible.monitoring import together as progress
from aiida_crucible.demo.profile import open_profile
open_profile(Path(sys.argv[1]))
from aiida.orm import CalcJobNode, InstalledCode, QueryBuilder, load_computer
from ase.build import bulk
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain

def interrupt_the_first_job(display, nodes):
    for job in QueryBuilder().append(CalcJobNode).all(flat=True):
        if job.get_job_id():
            ids.append(int(job.get_job_id()))
            os.kill(os.getpid(), signal.SIGINT)

ids = []
progress.Display.update = interrupt_the_first_job
builder = RelaxBaseWorkChain.get_builder()
builder.relax.code = InstalledCode(load_computer("localhost"), sys.executable).store()
builder.relax.model = ModelData.get_or_create("emt")
crystal = bulk("Cu", cubic=True) * (6, 6, 6)
crystal.rattle(0.2)
builder.relax.structures = {"large": from_atoms(crystal)}
builder.relax.parameters = {"fmax": 1e-9, "max_steps": 100000}
try:
    progress.run_together({"one": builder})
except KeyboardInterrupt:
    time.sleep(1)
    print("left" if psutil.pid_exists(ids[0]) and psutil.Process(ids[0]).status() != "zombie" else "ended")
"""


@pytest.mark.slow
def test_an_interrupted_demo_leaves_no_job_behind(tmp_path):
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "demo")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert finished.stdout.split() == ["ended"], finished.stdout + finished.stderr


@pytest.fixture
def builder(code, model, copper):
    builder = RelaxBaseWorkChain.get_builder()
    builder.relax.code, builder.relax.model, builder.relax.structures = code, model, {"copper": copper}
    return builder


@pytest.mark.slow
def test_several_workchains_run_together_and_each_step_gets_a_line(builder, capsys):
    nodes = run_together({"one": builder, "other": builder})
    assert all(node.is_finished_ok for node in nodes.values())
    lines = [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines()]
    assert sorted(line.split(":")[0].split() for line in lines) == [["one", "relaxing"], ["other", "relaxing"]]


def test_a_failure_is_one_line_that_says_where_to_look(aiida_profile, monkeypatch):
    monkeypatch.setenv("AIIDA_PATH", "/somewhere")
    node = WorkChainNode().store()
    node.set_process_state("finished")
    node.set_exit_status(ExitCode(320).status)
    node.set_exit_message("the relaxation failed: no such device")
    line = messages.failure("CHGNet 0.3.0", node)
    assert line.startswith("CHGNet 0.3.0: the relaxation failed: no such device. Look at `AIIDA_PATH=/somewhere ")
    assert line.endswith(f"verdi process report {node.pk}`")
    assert "\n" not in line
