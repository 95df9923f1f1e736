"""The number of threads follows the job, the scheduler, or the engines that share the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types

import pytest
from engine_jobs import engine_environment

from crucible_engine.job import threads
from crucible_engine.job.threads import Registry, ThreadControl, fair_share, granted_threads

SLURM = {"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "6", "SLURM_JOB_CPUS_PER_NODE": "6(x2)"}

GRANTS = [
    (3, {**SLURM, "OMP_NUM_THREADS": "1"}, (3, "job")),
    (None, {**SLURM, "SLURM_CPUS_PER_TASK": "4", "OMP_NUM_THREADS": "1"}, (4, "SLURM_CPUS_PER_TASK")),
    (None, SLURM, (6, "SLURM_CPUS_ON_NODE")),
    (None, {"SLURM_JOB_ID": "7", "SLURM_JOB_CPUS_PER_NODE": "4(x2),8"}, (4, "SLURM_JOB_CPUS_PER_NODE")),
    (None, {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "64"}, (16, "SLURM_CPUS_PER_TASK")),
    (None, {"SLURM_CPUS_PER_TASK": "4"}, None),
    (None, {"PBS_JOBID": "7.host", "NCPUS": "8"}, (8, "NCPUS")),
    (None, {"PBS_JOBID": "7.host", "PBS_NUM_PPN": "5"}, (5, "PBS_NUM_PPN")),
    (None, {"LSB_JOBID": "7", "LSB_DJOB_NUMPROC": "12"}, (12, "LSB_DJOB_NUMPROC")),
    (None, {"JOB_ID": "7", "NSLOTS": "2"}, (2, "NSLOTS")),
    (None, {**SLURM, "HQ_JOB_ID": "1", "HQ_CPUS": "3,4,9"}, (3, "HQ_CPUS")),
    (None, {"OMP_NUM_THREADS": "5,2"}, (5, "OMP_NUM_THREADS")),
    (None, {"OMP_NUM_THREADS": "many"}, None),
    (None, {}, None),
]


@pytest.mark.parametrize(("requested", "environment", "granted"), GRANTS)
def test_the_first_that_says_something_counts(requested, environment, granted):
    assert granted_threads(requested, environment, cores=16) == granted


@pytest.mark.parametrize("cores", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("n_engines", [1, 2, 3, 5])
def test_shares_use_every_core_once(cores, n_engines):
    shares = [fair_share(cores, [None] * n_engines, rank) for rank in range(n_engines)]
    assert sum(shares) == max(cores, n_engines)
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True), "the oldest come first"


def test_what_others_were_given_is_not_shared():
    assert fair_share(8, [3, None, None], 1) == 3
    assert fair_share(8, [3, None, None], 2) == 2
    assert fair_share(2, [2, None], 1) == 1


def test_engines_see_each_other_come_and_go(tmp_path):
    first = Registry(tmp_path, None)
    assert first.share(8) == 8
    second, third = Registry(tmp_path, None), Registry(tmp_path, 2)
    assert (first.share(8), second.share(8)) == (3, 3)
    third.leave()
    assert (first.share(8), second.share(8)) == (4, 4)
    first.leave()
    assert second.share(8) == 8
    second.leave()
    assert list(tmp_path.iterdir()) == []


ENGINE = """
import os, sys
from crucible_engine.job.threads import ThreadControl
control = ThreadControl(None, os.environ)
print(control.count, flush=True)
sys.stdin.readline()
"""


def test_a_killed_engine_leaves_no_share_behind(tmp_path):
    registry = Registry(tmp_path, None)
    environment = engine_environment(CRUCIBLE_RUNTIME_FOLDER=str(tmp_path))
    environment.pop("OMP_NUM_THREADS", None)
    other = subprocess.Popen(
        [sys.executable, "-c", ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert int(other.stdout.readline()) >= 1
    assert registry.share(8) == 4
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert registry.share(8) == 8
    assert len(list(tmp_path.iterdir())) == 1, "the file of the dead is removed"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return an environment on a machine of 8 cores without a scheduler, with a torch that takes 8 threads."""
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    torch = types.SimpleNamespace(count=8)
    torch.get_num_threads = lambda: torch.count
    torch.set_num_threads = lambda count: setattr(torch, "count", count)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return {"CRUCIBLE_RUNTIME_FOLDER": str(tmp_path)}, torch


def test_an_engine_with_a_fixed_number_keeps_its_number_and_is_counted(machine, monkeypatch):
    environment, torch = machine
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock.now)
    first = ThreadControl(None, dict(environment))
    first.fix(6)
    second = ThreadControl(None, dict(environment))
    assert (first.count, torch.count, second.count) == (6, 6, 2)
    clock.now += 10
    first.adapt()
    assert first.count == 6
    first.leave()
    second.adapt()
    assert second.count == 8
    second.fix(100)
    assert second.count == 8, "there are no more cores"
    second.leave()
    given = ThreadControl(3, dict(environment))
    given.fix(5)
    assert given.count == 3
    given.leave()


def test_torch_follows_the_engines_that_come_and_go(machine, monkeypatch):
    environment, torch = machine
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock.now)
    first = ThreadControl(None, dict(environment))
    first.adapt()
    assert (first.count, first.rule, torch.count) == (8, "shared", 8)
    second = ThreadControl(None, dict(environment))
    clock.now += 0.5
    first.adapt()
    assert first.count == 8, "it looks once a second"
    clock.now += 0.6
    first.adapt()
    assert (first.count, second.count, torch.count) == (4, 4, 4)
    second.leave()
    clock.now += 2
    first.adapt()
    assert torch.count == 8
    assert first.report() == {"count": 8, "rule": "shared", "cores": 8}


def test_what_the_job_was_given_stays(machine):
    environment, torch = machine
    control = ThreadControl(3, dict(environment))
    control.apply()
    other = ThreadControl(None, dict(environment))
    control.adapt()
    assert other.count == 5
    assert (control.count, control.rule, torch.count) == (3, "job", 3)


def test_blas_and_openmp_are_told_before_they_are_loaded(machine):
    environment, _ = machine
    given = ThreadControl(2, environment)
    for variable in threads.THREAD_VARIABLES:
        assert environment[variable] == "2"
    assert not set(threads.WAITING) & set(environment)
    assert given.rule == "job"
    shared = {"CRUCIBLE_RUNTIME_FOLDER": environment["CRUCIBLE_RUNTIME_FOLDER"]}
    assert ThreadControl(None, shared).count == 6
    assert shared["OMP_NUM_THREADS"] == "6"
    assert {name: shared[name] for name in threads.WAITING} == threads.WAITING


def test_a_folder_of_somebody_else_is_not_trusted(machine, monkeypatch, tmp_path):
    environment, _ = machine
    monkeypatch.setattr(threads.os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    control = ThreadControl(None, environment)
    assert (control.count, control.rule) == (8, "cores")
    assert list(tmp_path.iterdir()) == []


def test_the_affinity_counts():
    assert 1 <= threads.usable_cores() <= len(os.sched_getaffinity(0))
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from crucible_engine.job import threads\n"
    shown = subprocess.run(
        [sys.executable, "-c", code + "print(threads.usable_cores())"],
        check=True, capture_output=True, text=True, env=engine_environment(),
    )  # fmt: skip
    assert shown.stdout.strip() == "1"
