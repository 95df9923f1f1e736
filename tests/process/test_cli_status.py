"""``aiida-crucible status``: what it says of jobs that run, have ended, or cannot be asked."""

from __future__ import annotations

import io
import json
import time

import pytest
from aiida.common.datastructures import CalcJobState
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Computer, Dict, FolderData, RemoteData, WorkChainNode
from aiida.schedulers.datastructures import JobState
from click.testing import CliRunner
from plumpy import ProcessState

from aiida_crucible.cli import main
from aiida_crucible.monitoring.words import duration

LINE = {
    "task": "dynamics",
    "done": 2500,
    "total": 10000,
    "rate": 11.44,
    "eta": 655.6,
    "replica": "replica_1",
    "step": 500,
    "temperature": 312.4,
    "ns_per_day": 1.977,
}


@pytest.fixture
def run(forgotten):
    """Return a function that runs ``status`` and returns its exit status and what it wrote."""

    def run(*arguments):
        result = CliRunner().invoke(main, ["status", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def job(localhost, tmp_path):
    """Return a function that makes the node of a job as AiiDA keeps it, and what it has on the computer."""

    def make(
        task="dynamics", lines=(LINE,), state=ProcessState.WAITING, computer=localhost, caller=None, retrieved=None
    ):
        node = CalcJobNode(computer=computer, process_type=f"aiida.calculations:crucible.{task}")
        node.set_process_label("DynamicsCalculation")
        node.set_process_state(state)
        if caller is not None:
            node.base.links.add_incoming(caller, link_type=LinkType.CALL_CALC, link_label="iteration_01")
        node.store()
        folder = tmp_path / node.uuid
        (folder / "run").mkdir(parents=True)
        text = "".join(json.dumps({"time": time.time(), **line}) + "\n" for line in lines)
        (folder / "progress.jsonl").write_text(text + '{"time": 1, "done": 26')
        (folder / "run" / "state.npz").write_bytes(b"")
        node.set_remote_workdir(str(folder))
        if not node.is_terminated:
            node.set_state(CalcJobState.WITHSCHEDULER)
            node.set_scheduler_state(JobState.RUNNING)
        remote = RemoteData(str(folder), computer=computer)
        remote.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="remote_folder")
        remote.store()
        if retrieved is not None:
            files = FolderData()
            files.base.repository.put_object_from_filelike(io.BytesIO(json.dumps(retrieved).encode()), "progress.jsonl")
            files.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="retrieved")
            files.store()
        return node

    return make


@pytest.fixture
def workchain():
    """Return a function that makes the node of a WorkChain."""

    def make(state=ProcessState.WAITING, caller=None):
        node = WorkChainNode(process_type="aiida.workflows:crucible.dynamics.base")
        node.set_process_label("DynamicsBaseWorkChain")
        node.set_process_state(state)
        if caller is not None:
            node.base.links.add_incoming(
                caller, link_type=LinkType.CALL_WORK, link_label=f"child_{time.monotonic_ns()}"
            )
        return node.store()

    return make


def cells(output):
    """Return the table's rows as dictionaries."""
    lines = output.splitlines()
    rule = next(index for index, line in enumerate(lines) if line.startswith("---"))
    spans, start = [], 0
    for part in lines[rule].split("  "):
        spans.append(slice(start, start + len(part)))
        start += len(part) + 2
    header = [lines[rule - 1][span].strip() for span in spans]
    return [
        dict(zip(header, (line[span].strip() for span in spans), strict=True)) for line in lines[rule + 1 :] if line
    ]


def test_running_job_is_asked_on_its_computer(run, job):
    node = job()
    status, said = run(node.pk)
    assert status == 0
    (row,) = cells(said)
    checkpoint = row.pop("checkpoint")
    assert checkpoint.endswith("s ago")
    assert row == {
        "job": str(node.pk), "what": "dynamics", "state": "running", "done": "2500/10000", "%": "25.0",
        "steps/s": "11.4", "ns/day": "1.98", "left": "10 min 56 s", "T (K)": "312", "replica": "replica_1",
    }  # fmt: skip
    assert cells(run(node.uuid)[1])[0]["job"] == str(node.pk)


@pytest.mark.parametrize("task", ["evaluate", "relax"])
def test_other_tasks(task, run, job):
    node = job(task, [{"task": task, "done": 3, "total": 8, "rate": None, "eta": None}])
    (row,) = cells(run(node.pk)[1])
    assert (row["what"], row["done"], row["%"]) == (task, "3/8", "37.5")
    assert not {"T (K)", "ns/day", "left"} & set(row)


def test_finished_job_is_told_from_what_was_retrieved(run, job):
    node = job(state=ProcessState.FINISHED, retrieved={**LINE, "time": 1.0, "done": 10000, "eta": 0.0})
    node.set_exit_status(0)
    node.outputs.remote_folder.base.extras.set(RemoteData.KEY_EXTRA_CLEANED, True)
    (row,) = cells(run(node.pk)[1])
    assert (row["state"], row["done"], row["%"]) == ("finished", "10000/10000", "100.0")
    assert not {"left", "checkpoint", "note"} & set(row)


def test_failed_job_says_why(run, job):
    node = job(state=ProcessState.FINISHED, retrieved={**LINE, "time": 1.0})
    node.set_exit_status(400)
    node.set_exit_message("stopped by SIGTERM: restart the job\nand more")
    (row,) = cells(run(node.pk)[1])
    assert (row["state"], row["note"]) == ("exit 400", "stopped by SIGTERM: restart the job")


def test_workchain_shows_the_newest_job_of_each_chain(run, job, workchain):
    sweep = workchain()
    first, second = workchain(caller=sweep), workchain(caller=sweep)
    old = job(state=ProcessState.FINISHED, caller=first, retrieved={**LINE, "time": 1.0, "done": 1000})
    new, other = job(caller=first), job(caller=second, lines=[])
    status, said = run(sweep.pk)
    assert status == 0
    assert said.startswith(f"DynamicsBaseWorkChain<{sweep.pk}> is waiting: 0 of 2 jobs ended, 1 continued before")
    assert [row["job"] for row in cells(said)] == [str(new.pk), str(other.pk)]
    assert [row["done"] for row in cells(said)] == ["2500/10000", "-"]
    assert str(old.pk) not in [row["job"] for row in cells(said)]


def test_no_job_yet(run, workchain):
    node = workchain()
    assert run(node.pk) == (0, f"DynamicsBaseWorkChain<{node.pk}> is waiting: no job yet\n")
    ended = workchain(ProcessState.FINISHED)
    status, said = run(ended.pk)
    assert status == 1
    assert "has ended and ran no job of the engine" in said


def test_job_that_has_no_folder_yet(run, localhost):
    node = CalcJobNode(computer=localhost, process_type="aiida.calculations:crucible.dynamics")
    node.set_process_state(ProcessState.CREATED)
    node.store()
    (row,) = cells(run(node.pk)[1])
    assert row["state"] == "created"


@pytest.mark.parametrize("identifier", ["987654", "nobody", "0a1b2c3d-0000-0000-0000-000000000000"])
def test_unknown_process(identifier, run):
    status, said = run(identifier)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"Error: there is no process '{identifier}' in this profile")


def test_node_that_is_no_process(run):
    node = Dict({}).store()
    status, said = run(node.pk)
    assert status == 1
    assert said == f"Error: {node.pk} is a Dict, no process: `verdi process list -a` shows them\n"


def test_cleaned_folder(run, job):
    node = job(state=ProcessState.KILLED)
    node.outputs.remote_folder.base.extras.set(RemoteData.KEY_EXTRA_CLEANED, True)
    status, said = run(node.pk)
    assert status == 1
    assert said.splitlines()[-1] == "Error: its folder was cleaned from localhost"


def test_unreachable_computer_is_asked_once_and_named(run, job, workchain, tmp_path):
    away = Computer("away", "127.0.0.1", "", "core.ssh", "core.direct", str(tmp_path)).store()
    away.configure(username="nobody", port=1, look_for_keys=False, allow_agent=False, safe_interval=0.0)
    node = job(computer=away)
    status, said = run(node.pk)
    assert status == 1
    assert said.splitlines()[-1].startswith("Error: computer 'away' cannot be reached: ")
    chain = workchain()
    here, there = job(caller=workchain(caller=chain)), job(caller=workchain(caller=chain), computer=away)
    status, said = run(chain.pk)
    assert status == 0
    rows = {row["job"]: row for row in cells(said)}
    assert rows[str(here.pk)]["done"] == "2500/10000"
    assert "cannot be reached" in rows[str(there.pk)]["note"]


def test_watch_ends_with_the_process(run, job, monkeypatch):
    node = job()
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            node.set_process_state(ProcessState.FINISHED)
            node.set_exit_status(0)

    monkeypatch.setattr("aiida_crucible.cli.status.time.sleep", sleep)
    status, said = run(node.pk, "--watch", 2)
    assert (status, looks) == (0, [2.0, 2.0])
    assert said.count("2500/10000") == 3
    assert run(node.pk, "--watch", 0)[0] == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (200_000, "2 d 7 h")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words
