"""AiiDA's own fixtures: every test sees a temporary profile without services, never the user's."""

import os

# Before numpy is imported: threads for matrices of three rows only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sqlite3
import sys

from sqlalchemy import event
from sqlalchemy.engine import Engine

# Tests start this Python more than a hundred times: each start would compile all of the project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Nobody here waits for the disk, neither at each file of AiiDA's repository nor below: no test survives a power cut.
os.fsync = lambda descriptor: None

pytest_plugins = ["aiida.tools.pytest_fixtures"]


@event.listens_for(Engine, "connect")
def _trust_the_machine(connection, _record):
    """Let SQLite not wait for the disk at each of a job's hundred commits."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
