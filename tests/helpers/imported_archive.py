"""``python imported_archive.py ARCHIVE UUID CODE``: imports into an empty profile and runs CODE, which prints JSON."""

from __future__ import annotations

import contextlib
import sys

from aiida import load_profile
from aiida.orm import load_node
from aiida.storage.sqlite_temp import SqliteTempBackend
from aiida.tools.archive import import_archive

archive, uuid, code = sys.argv[1:]
load_profile(SqliteTempBackend.create_profile("empty"))
with contextlib.redirect_stdout(sys.stderr):
    import_archive(archive)
exec(code, {"node": load_node(uuid)})  # what a test wants to see of it
