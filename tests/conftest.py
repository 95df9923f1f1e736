"""AiiDA's own fixtures: every test sees a temporary profile without services, never the user's."""

import os

# Before numpy is imported: threads for matrices of three rows only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sqlite3

from sqlalchemy import event
from sqlalchemy.engine import Engine

pytest_plugins = ["aiida.tools.pytest_fixtures"]


@event.listens_for(Engine, "connect")
def _trust_the_machine(connection, _record):
    """Let SQLite not wait for the disk at each of a job's hundred commits: no test survives a power cut anyway."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
