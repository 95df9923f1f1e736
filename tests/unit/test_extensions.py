"""Families and tasks of other packages: found by their entry points, shipped with the engine, refused in one line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile

import pytest

from aiida_crucible.calculations.engine_archive import engine_archive

FAMILY = """
from crucible_engine.families.facts import Family
from . import beside

FAMILY = Family(
    name={name!r}, package="ase", import_name="ase", title="", maturity={maturity!r}, default_name=None,
    default_dtype="float64", dtypes=("float64",), names={{}}, settings={{}}, reference="",
)
"""
TASK = """
from crucible_engine.tasks.facts import Task

TASK = Task(name="count", parameters={})
"""
LISTING = """
from crucible_engine.families.registry import FAMILIES
from crucible_engine.tasks.registry import TASKS
print(*FAMILIES, *TASKS)
"""


class Packages:
    """A folder of packages as an installer would leave them, for a Python of its own.

    :param folder: an empty folder.
    """

    def __init__(self, folder):
        self.folder = folder

    def install(self, group, name, source, package="stranger", target=None):
        """Write a package whose entry point names its folder ``inner``."""
        inner = self.folder / package / "inner"
        inner.mkdir(parents=True)
        (self.folder / package / "__init__.py").write_text("")
        (inner / "__init__.py").write_text(source)
        (inner / "beside.py").write_text("")
        about = self.folder / f"{package}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {target or f'{package}.inner'}\n")

    def run(self, script, *path):
        """Run a script; return what it printed, and what it said besides."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path or [self.folder]))}
        finished = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout, finished.stderr


@pytest.fixture
def packages(tmp_path):
    return Packages(tmp_path)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return Packages(tmp_path_factory.mktemp("none")).run(LISTING)


@pytest.mark.slow
def test_nothing_is_added_where_no_package_does(usual):
    listed, said = usual
    assert said == "" and "stranger" not in listed
    assert "chgnet" in listed.split() and "evaluate" in listed.split()


@pytest.mark.slow
def test_a_family_and_a_task_are_found_and_travel_with_the_engine(packages, usual, tmp_path):
    packages.install("aiida_crucible.families", "stranger", FAMILY.format(name="stranger", maturity="toy"))
    packages.install("aiida_crucible.tasks", "count", TASK, "counter")
    listed, said = packages.run(LISTING)
    assert said == "" and set(listed.split()) == {*usual[0].split(), "stranger", "count"}
    shipped = tmp_path / "crucible_engine.pyz"
    write = (
        "import sys; from pathlib import Path\n"
        "from aiida_crucible.calculations.engine_archive import engine_archive\n"
        f"Path({str(shipped)!r}).write_bytes(engine_archive())"
    )
    packages.run(write)
    # The compute node has the archive alone.
    assert set(packages.run(LISTING, shipped)[0].split()) == set(listed.split())
    # Where the package is there as well, nobody finds it twice.
    assert packages.run(LISTING, shipped, packages.folder) == packages.run(LISTING, shipped)
    with zipfile.ZipFile(shipped) as archive, zipfile.ZipFile(io.BytesIO(engine_archive())) as own:
        added = set(archive.namelist()) - set(own.namelist())
        assert {own.read(name) == archive.read(name) for name in own.namelist()} == {True}
    assert {name.rpartition("/")[0] for name in added} == {
        "crucible_engine/families/stranger",
        "crucible_engine/tasks/count",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "source", "target", "reason"),
    [
        ("stranger", "raise RuntimeError('on\\npurpose')", None, "RuntimeError: on purpose"),
        ("stranger", "import sys; sys.exit(3)", None, "SystemExit: 3"),
        ("stranger", "import no_such_module", None, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("stranger", "", None, "its package has no FAMILY of crucible_engine.families.facts"),
        ("stranger", FAMILY.format(name="other", maturity="toy"), None, "its FAMILY calls itself 'other'"),
        (
            "stranger",
            FAMILY.format(name="stranger", maturity="fine"),
            None,
            "its maturity is 'fine': choose one of stable, experimental, toy",
        ),
        ("stranger", "", "json.decoder", "'json.decoder' is no folder with an __init__.py"),
        ("stranger", "", "no_such_package", "'no_such_package' is no folder with an __init__.py"),
        ("stranger", "", "bare", "'bare' is no folder with an __init__.py"),
        ("a-b", "", None, "its name is no name of a Python package"),
        ("chgnet", FAMILY.format(name="chgnet", maturity="toy"), None, "the name is taken"),
        ("registry", FAMILY.format(name="registry", maturity="toy"), None, "the name is taken"),
    ],
)
def test_what_cannot_be_used_is_left_out_in_one_line_and_breaks_nothing(packages, usual, name, source, target, reason):
    (packages.folder / "bare").mkdir()
    packages.install("aiida_crucible.families", name, source, target=target)
    listed, said = packages.run(LISTING)
    assert listed == usual[0]
    assert said == f"the model family {name!r} of package stranger is left out: {reason}\n"


@pytest.mark.slow
def test_a_name_that_two_packages_want_is_the_first_ones(packages):
    for package in ("one", "two"):
        source = FAMILY.format(name="wanted", maturity="toy")
        packages.install("aiida_crucible.families", "wanted", source, package)
    listed, said = packages.run(LISTING)
    assert listed.split().count("wanted") == 1
    assert said.endswith("is left out: the name is taken\n") and said.count("\n") == 1


@pytest.mark.slow
def test_an_environment_keeps_the_name_that_it_has(packages):
    packages.install("aiida_crucible.families", "analysis", FAMILY.format(name="analysis", maturity="toy"))
    listed, said = packages.run(
        "from crucible_engine.tasks.registry import ENVIRONMENTS; print(ENVIRONMENTS['analysis'].title)"
    )
    assert listed == "configuration space (SOAP, REMatch, kernel PCA)\n"
    assert said == (
        "crucible_engine.families.analysis gets no environment 'analysis': that is the name of the one for "
        "crucible_engine.tasks.similarity\n"
    )
