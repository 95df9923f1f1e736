"""What a release would be: the files of ``make build``, and the package that they install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest
from doc_blocks import ROOT

import aiida_crucible
from aiida_crucible.environments.local import find_uv

pytestmark = pytest.mark.slow
PACKAGES = ("aiida_crucible", "crucible_engine")
IN_SOURCE = ("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "Makefile", "pyproject.toml")
NOT_IN_SOURCE = re.compile(r"(^|/)(\.venv|_build|generated|__pycache__|\.demo|dist)/")


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build as ``make build`` does: the wheel is made of the source distribution, not of the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    assert "uv build --python" in (ROOT / "Makefile").read_text()
    run(find_uv(), "build", "--python", sys.executable, "--out-dir", folder, cwd=ROOT)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


def files_of_the_packages():
    """Return what lies below ``src``, but for what Python writes."""
    paths = [path for name in PACKAGES for path in (ROOT / "src" / name).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT / "src").as_posix() for path in paths if "__pycache__" not in path.parts}


def test_the_wheel_holds_both_packages_whole_and_nothing_else(built):
    names = set(zipfile.ZipFile(built[0]).namelist())
    assert {name for name in names if ".dist-info/" not in name} == files_of_the_packages()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {"crucible_engine/families/chgnet/lock.txt", "aiida_crucible/workflows/sweep/protocol.yaml"} <= names


def test_the_source_holds_what_it_takes_to_build_and_to_test(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(IN_SOURCE) <= names
    assert {"docs/index.md", "docs/conf.py", "tests/conftest.py", "cluster/start.py", "examples/after_dft.py"} <= names
    assert {f"src/{name}" for name in files_of_the_packages()} <= names
    assert not [name for name in names if NOT_IN_SOURCE.search(name)]


def test_the_wheel_works_in_a_fresh_environment(built, tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    here = tmp_path / "venv" / "bin"
    run(find_uv(), "pip", "install", "--quiet", "--python", here / "python", built[0])
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    own |= {"AIIDA_PATH": str(tmp_path), "HOME": str(tmp_path), "PATH": f"{here}{os.pathsep}{own['PATH']}"}
    assert "Usage: aiida-crucible" in run(here / "aiida-crucible", "--help", env=own, cwd=tmp_path)
    assert aiida_crucible.__version__ in run(here / "aiida-crucible", "--version", env=own, cwd=tmp_path)
    assert "crucible.reliability" in run(here / "verdi", "plugin", "list", "aiida.workflows", env=own, cwd=tmp_path)
    assert "chgnet" in run(here / "aiida-crucible", "model", "list", env=own, cwd=tmp_path)


def test_the_workflow_of_a_release_builds_and_checks_the_tag():
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "make build" in workflow
    assert "aiida_crucible.__version__" in workflow
    (line,) = re.findall(r"run: test \"v\$\((.*?)\)\" =", workflow)
    code = re.search(r"-c '(.*)'", line)[1]
    assert run(sys.executable, "-c", code).strip() == aiida_crucible.__version__
