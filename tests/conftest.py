"""AiiDA's own fixtures: every test sees a temporary profile without services, never the user's."""

import gc
import os

# Before numpy is imported: threads for matrices of three rows only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import signal
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

# Tests start this Python more than a hundred times: each start would compile all of the project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Tests end processes by signals, and those started in the background or with `nohup` are born deaf to some.
for _name in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_name) is signal.SIG_IGN:
        signal.signal(_name, signal.default_int_handler if _name is signal.SIGINT else signal.SIG_DFL)

# Nobody here waits for the disk, neither at each file of AiiDA's repository nor below: no test survives a power cut.
os.fsync = lambda descriptor: None

pytest_plugins = ["aiida.tools.pytest_fixtures"]


@event.listens_for(Engine, "connect")
def _trust_the_machine(connection, _record):
    """Let SQLite not wait for the disk at each of a job's hundred commits."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def pytest_collection_finish():
    """Let the garbage collector not look through all modules again and again, which costs a tenth of the time."""
    gc.freeze()


@pytest.fixture
def small_disk(tmp_path):
    """Return the folder of a file system of 256 KiB, or skip where none can be mounted."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)
