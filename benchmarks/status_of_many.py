"""Time `aiida-crucible status` on a sweep of 200 processes, in a profile of its own that is made here.

python benchmarks/status_of_many.py [processes]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PROCESSES = int(sys.argv[1]) if len(sys.argv) > 1 else 200
REPEATS = 5
LINE = {"task": "dynamics", "done": 2500, "total": 10000, "rate": 11.4, "eta": 655.6, "temperature": 312.4}


def make_sweep(folder):
    """Store a sweep whose jobs run on this machine, as far as the database and their folders tell; return its PK."""
    from aiida.common.datastructures import CalcJobState
    from aiida.common.links import LinkType
    from aiida.orm import CalcJobNode, Dict, RemoteData, WorkChainNode, load_computer
    from aiida.schedulers.datastructures import JobState
    from plumpy import ProcessState

    n_jobs = (PROCESSES - 1) // 2
    temperatures = [100.0 + 5 * index for index in range(n_jobs + 10)]
    computer = load_computer("localhost")

    def chain(kind, caller=None, **inputs):
        node = WorkChainNode(process_type=f"aiida.workflows:crucible.{kind}")
        node.set_process_label(kind)
        node.set_process_state(ProcessState.WAITING)
        for label, value in inputs.items():
            node.base.links.add_incoming(value, LinkType.INPUT_WORK, label)
        if caller is not None:
            node.base.links.add_incoming(caller, LinkType.CALL_WORK, f"job_{len(temperatures)}_{time.monotonic_ns()}")
        return node.store()

    parameters = Dict({"temperatures": temperatures, "supercell_matrix": [3, 3, 3]}).store()
    root = chain("sweep", parameters=parameters, verification=Dict({}).store())
    for temperature in temperatures[:n_jobs]:
        base = chain("dynamics.base", root)
        job = CalcJobNode(computer=computer, process_type="aiida.calculations:crucible.dynamics")
        job.set_process_label("DynamicsCalculation")
        job.set_process_state(ProcessState.WAITING)
        job.base.links.add_incoming(base, LinkType.CALL_CALC, "iteration_01")
        job.store()
        job.base.extras.set("crucible_temperatures", [temperature])
        place = folder / job.uuid
        (place / "run").mkdir(parents=True)
        (place / "progress.jsonl").write_text(json.dumps({"time": time.time(), **LINE}) + "\n")
        (place / "run" / "state.npz").write_bytes(b"")
        job.set_remote_workdir(str(place))
        job.set_state(CalcJobState.WITHSCHEDULER)
        job.set_scheduler_state(JobState.RUNNING)
        remote = RemoteData(str(place), computer=computer)
        remote.base.links.add_incoming(job, LinkType.CREATE, "remote_folder")
        remote.store()
    return root.pk


def main():
    """Print the median of some calls."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["AIIDA_PATH"] = name
        folder = Path(sys.executable).parent
        subprocess.run([folder / "verdi", "presto", "--non-interactive"], check=True, capture_output=True)
        from aiida import load_profile

        load_profile()
        pk = make_sweep(Path(name) / "jobs")
        seconds, used = [], []
        for _ in range(REPEATS):
            begin, before = time.perf_counter(), os.times()
            said = subprocess.run(
                [folder / "aiida-crucible", "status", str(pk)], check=True, capture_output=True, text=True
            )
            seconds.append(time.perf_counter() - begin)
            after = os.times()
            used.append(after.children_user + after.children_system - before.children_user - before.children_system)
        print(said.stdout.splitlines()[0])
        times = f"median {median(seconds):.2f} s ({median(used):.2f} s of CPU)"
        print(f"status of {PROCESSES} processes: {times}, {REPEATS} calls")


if __name__ == "__main__":
    main()
