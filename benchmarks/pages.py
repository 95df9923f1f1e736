"""Time `aiida-crucible report` on 6 runs of 8 temperatures, and `aiida-crucible site` on many archives.

python benchmarks/pages.py [archives]

The runs are of copper with EMT, made here in a profile of their own, where AiiDA's cache may answer the later ones. The
archives are copies of the first one with other UUIDs in each, since a report that stands in two archives is made once;
each holds one report.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

ARCHIVES = int(sys.argv[1]) if len(sys.argv) > 1 else 500
RUNS = 6
FOLDER = Path(sys.executable).parent
RUN = ["-m", "emt", "-T", "100:450:50", "--steps", "400", "--protocol", "fast", "--yes", "--no-estimate"]


def call(*arguments, allowed=(0,)):
    """Run a command of this environment; return what it printed and how long it took."""
    begin = time.perf_counter()
    done = subprocess.run(
        [FOLDER / arguments[0], *map(str, arguments[1:])], capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return done.stdout, time.perf_counter() - begin


def copy_with_other_uuids(archive, target):
    """Write an archive again, every node with another UUID."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "db.sqlite3"
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as copy:
            database.write_bytes(source.read("db.sqlite3"))
            with sqlite3.connect(database) as connection:
                nodes = [row[0] for row in connection.execute("SELECT id FROM db_dbnode")]
                new = [(str(uuid.uuid4()), node) for node in nodes]
                connection.executemany("UPDATE db_dbnode SET uuid = ? WHERE id = ?", new)
            connection.close()
            for member in source.infolist():
                content = database.read_bytes() if member.filename == "db.sqlite3" else source.read(member)
                copy.writestr(member.filename, content)


def main():
    """Print times and sizes."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["AIIDA_PATH"] = name
        place = Path(name)
        call("verdi", "presto", "--non-interactive")
        call("verdi", "config", "set", "caching.default_enabled", "True")
        keys, archives = [], []
        for number in range(RUNS):
            report = place / f"{number}.html"
            printed, seconds = call("aiida-crucible", "run", "Cu:fcc", *RUN, "--report", report, allowed=(0, 2, 3))
            keys.append(re.findall(r"PK (\d+)", printed)[-1])
            print(f"run {number}: run and page {seconds:.0f} s, page {report.stat().st_size / 1e6:.2f} MB", flush=True)
            archives.append(place / f"{number}.aiida")
            call("verdi", "archive", "create", archives[-1], "--nodes", keys[-1])
        page = place / "all.html"
        _, seconds = call("aiida-crucible", "report", *keys, "--output", page)
        print(
            f"report of {len(keys)} runs x 8 temperatures: {seconds:.1f} s, {page.stat().st_size / 1e6:.2f} MB",
            flush=True,
        )
        copies = place / "copies"
        copies.mkdir()
        for copy in range(ARCHIVES):
            copy_with_other_uuids(archives[0], copies / f"{copy:04d}.aiida")
        site = place / "site"
        _, seconds = call("aiida-crucible", "site", *sorted(copies.iterdir()), "--output", site)
        index = (site / "index.html").stat().st_size
        total = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        print(
            f"site of {ARCHIVES}: {seconds:.0f} s, first page {index / 1e6:.2f} MB, all {total / 1e6:.0f} MB",
            flush=True,
        )
        shutil.rmtree(site)


if __name__ == "__main__":
    main()
