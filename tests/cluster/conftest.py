"""A cluster of our own, set up as a user would: SLURM here and over ssh, a daemon, and a model environment there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from aiida.engine import submit
from aiida.engine.daemon.client import DaemonClient, get_daemon_client
from aiida.orm import Computer, InstalledCode, load_code, load_computer, load_node
from daemons import UnavailableError
from doc_blocks import read_page
from engine_jobs import HELPERS
from loopback_slurm import LoopbackSlurm
from loopback_sshd import LoopbackSshd

from aiida_crucible.nodes.model import ModelData

HERE = Path(__file__).parent
WAYS_TO_PACKAGES = ("UV_", "PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
HOW_TO = HERE.parents[1] / "docs" / "howto" / "remote-computer.md"


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def environment():
    """Return what sets variables for this process and those that it starts, the daemon among them."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def scratch():
    """Return a folder of a short path that every process of this machine may enter."""
    folder = Path(tempfile.mkdtemp(prefix="crucible-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def slurm(scratch, environment):
    """Start SLURM."""
    slurm = LoopbackSlurm(scratch / "slurm")
    slurm.folder.mkdir()
    try:
        slurm.start()
        for name, value in slurm.environment.items():
            environment.setenv(name, value)
        yield slurm
    except UnavailableError as error:
        pytest.skip(str(error))
    finally:
        slurm.stop()


@pytest.fixture(scope="session")
def sshd(scratch, slurm, environment):
    """Start sshd; ``ssh cluster`` leads to it, for us with a home folder of our own."""
    sshd = LoopbackSshd(scratch / "sshd", slurm.environment)
    sshd.folder.mkdir()
    home = scratch / "home"
    home.mkdir()
    try:
        sshd.start()
        sshd.write_user_files(home, "cluster")
        environment.setenv("HOME", str(home))
        yield sshd
    except UnavailableError as error:
        pytest.skip(str(error))
    finally:
        sshd.stop()


@pytest.fixture(scope="session", autouse=True)
def aiida_profile(slurm, sshd, aiida_config, aiida_profile_factory):
    """Load a temporary profile with the broker that ``verdi presto`` chooses, so that it can have a daemon."""
    with aiida_profile_factory(aiida_config, broker_backend="core.zeromq") as profile:
        yield profile


@pytest.fixture(scope="session")
def command(aiida_profile):
    """Return a function that runs a command line of this environment on the profile, and returns what it wrote."""

    def run(program, *arguments):
        path = Path(sys.executable).parent / program
        done = subprocess.run(
            [str(path), *arguments],
            env=DaemonClient.get_env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def daemon(aiida_profile, command):
    """Start the daemon, which ends with the session; return its client."""
    command("verdi", "daemon", "start", "--timeout", "60")
    yield get_daemon_client(aiida_profile.name)
    command("verdi", "daemon", "stop", "--timeout", "60")


@pytest.fixture(scope="session")
def code_beside(slurm, aiida_profile, scratch):
    """Return this Python on a computer whose SLURM is this machine's own."""
    computer = Computer("beside", "localhost", "", "core.local", "core.slurm", str(scratch / "beside"))
    computer.set_default_mpiprocs_per_machine(1)
    computer.set_minimum_job_poll_interval(1.0)
    computer.store()
    computer.configure(safe_interval=0.0, use_login_shell=False)
    return InstalledCode(label="python", computer=computer, filepath_executable=sys.executable).store()


@pytest.fixture(scope="session")
def computer_over_ssh(sshd, command, scratch, tmp_path_factory):
    """Return the computer of the how-to page, set up by its commands; only names and places are ours."""
    (block,) = [block for block in read_page(HOW_TO).blocks if block.caption == "computer.yaml"]
    content = yaml.safe_load(block.text)
    content.update(hostname="cluster", work_dir=str(scratch / "work"))
    content["prepend_text"] = prepend_text(scratch / "environments")
    path = tmp_path_factory.mktemp("computer") / "computer.yaml"
    path.write_text(yaml.safe_dump(content))
    command("verdi", "computer", "setup", "--non-interactive", "--config", str(path))
    command(
        "verdi", "computer", "configure", "core.ssh_async", "cluster", "--non-interactive", "--safe-interval", "0.1"
    )
    computer = load_computer("cluster")
    computer.set_minimum_job_poll_interval(1.0)
    return computer


def prepend_text(environments):
    """Return what a user of that cluster would need: uv and Python, and the way to the package index."""
    variables = {name: value for name, value in os.environ.items() if name.upper().startswith(WAYS_TO_PACKAGES)}
    variables["CRUCIBLE_ENVIRONMENTS"] = str(environments)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([f"export PATH={Path(sys.executable).parent}:$PATH", *lines])


@pytest.fixture
def places(scratch):
    """Return what pages about clusters ask for, see ``let … = given`` in :mod:`doc_blocks`."""
    lines = prepend_text(scratch / "environments").splitlines()
    return {"scratch/aiida": str(scratch / "pages"), "prepend": "\n  ".join(lines), "clusters": str(scratch / "play")}


@pytest.fixture(scope="session")
def code_over_ssh(computer_over_ssh, command):
    """Return an environment of the family emt that was made on the computer."""
    command("aiida-crucible", "env", "create", "emt", "--computer", computer_over_ssh.label)
    return load_code("emt@cluster")


@pytest.fixture(params=["beside", "over_ssh"])
def code(request):
    """Return each of the codes in turn."""
    return request.getfixturevalue(f"code_{request.param}")


@pytest.fixture(scope="session")
def model(aiida_profile):
    """Return ASE's effective medium theory."""
    return ModelData.get_or_create("emt")


@pytest.fixture(scope="session")
def options():
    """Return a function that completes the options of a job, which may be made to cost time and memory."""

    def make(seconds=0.0, megabytes=0, **options):
        costs = {"COSTLY_EMT_SECONDS": str(seconds), "COSTLY_EMT_MEGABYTES": str(megabytes)}
        merged = {
            "resources": {"num_machines": 1, "num_cores_per_mpiproc": 1},
            "max_memory_kb": 300_000,
            "max_wallclock_seconds": 600,
            "environment_variables": {"PYTHONPATH": str(HELPERS / "costly_emt"), **costs},
            **options,
        }
        return {name: value for name, value in merged.items() if value is not None}

    return make


@pytest.fixture(scope="session")
def start(daemon):
    """Return a function that submits a process to the daemon and returns its node."""
    return submit


@pytest.fixture(scope="session")
def finish(daemon):
    """Return a function that waits until the process of a node has ended, and returns the node as it is then."""

    def wait(node, seconds=120.0):
        deadline = time.monotonic() + seconds
        while not node.is_terminated:
            if time.monotonic() > deadline:
                log = Path(daemon.daemon_log_file).read_text()[-3000:]
                pytest.fail(f"{node.process_label}<{node.pk}> is still {node.process_state} after {seconds} s:\n{log}")
            time.sleep(0.2)
        return load_node(node.pk)  # the one at hand does not see what the daemon put into its repository

    return wait
