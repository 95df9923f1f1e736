"""Environments made for real: every family's lock, installed by uv from the package index."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conformance_cases import CASES, HEAVY

import crucible_engine
from aiida_crucible.environments import ensure, local
from aiida_crucible.environments.specification import (
    PYTHON_MINORS,
    environments_with_a_lock,
    locked_version,
    pythons_of,
)
from crucible_engine.tasks.registry import find_environment

pytestmark = pytest.mark.model
ENGINE = Path(crucible_engine.__file__).parent
FAMILIES = environments_with_a_lock()
MARKED = [pytest.param(name, marks=pytest.mark.long if name in HEAVY else ()) for name in FAMILIES]
IMPORTED_ELSEWHERE = {case.family for case in CASES.values()} - {"emt"}
"""Families whose package the conformance suite imports in the same environment."""


def overrides(family):
    """Return a family's own pins of packages against what another package says, where there are any."""
    path = ENGINE.parent / find_environment(family).folder.replace(".", "/") / "lock_overrides.in"
    return [path] if path.exists() else []


def overridden(family):
    """Return the names of packages that are pinned against what another one says."""
    text = "\n".join(path.read_text() for path in [ENGINE / "families" / "lock_overrides.in", *overrides(family)])
    return set(re.findall(r"^([a-z0-9-]+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def environment(python_of):
    """Return a function from a family to the Python of an environment made from its lock."""

    def find(family):
        python = ensure("emt") if family == "emt" else python_of(family)
        if not local.is_complete(python.parent.parent):
            pytest.skip(f"{python} was chosen by hand and is not made from a lock")
        return python

    return find


@pytest.mark.parametrize("family", MARKED)
def test_environment_holds_what_its_lock_says(environment, family):
    python = environment(family)
    content = local.read_content(python.parent.parent)
    owner = find_environment(family)
    package = owner.package
    if not owner.source:
        assert content["packages"][package] == locked_version(family, package)
    torch = locked_version(family, "torch")
    assert (content["torch"] or "").split("+")[0] == (torch or "")
    command = [local.find_uv(), "pip", "check", "--python", str(python)]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in check.stderr.splitlines() if "requires" in line]
    unmet = [line for line in said if not any(f"`{name}" in line for name in overridden(family))]
    assert owner.source or not unmet, "what is installed fits together, but for what is overridden"


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.long if name in IMPORTED_ELSEWHERE else ()) for name in FAMILIES]
)
def test_package_can_be_imported_and_nothing_of_ours_is_there(environment, family):
    package = find_environment(family).import_name
    code = f"import {package}, spglib, ase, importlib.util; print(importlib.util.find_spec('aiida'))"
    answer = subprocess.run([environment(family), "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split()[-1] == "None"


@pytest.mark.parametrize("family", MARKED)
def test_what_exists_is_found_without_uv(environment, family, monkeypatch):
    if find_environment(family).source:
        pytest.skip("where its source is has to be said each time")
    if family != "emt":
        environment(family)

    def refuse():
        raise AssertionError("uv was asked for")

    monkeypatch.setattr(local, "find_uv", refuse)
    assert ensure(family).exists()


def test_recipe_by_hand(tmp_path):
    """What ``--dry-run`` prints is run in a scratch folder, and makes what ``ensure`` would."""
    command = [sys.executable, "-m", "aiida_crucible.cli", "env", "create", "emt", "--dry-run"]
    environment = {**local.os.environ, local.ROOT_VARIABLE: str(tmp_path / "by hand")}
    script = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    made = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    python = made.stdout.strip()
    assert python == str(ensure("emt", root=tmp_path / "by hand"))
    answer = subprocess.run(
        [python, "-c", "import ase.calculators.emt, json; print(json.dumps(ase.__version__))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == locked_version("emt", "ase")


@pytest.mark.parametrize(
    "python",
    [
        pytest.param(python, marks=() if python in (PYTHON_MINORS[0], PYTHON_MINORS[-1]) else pytest.mark.long)
        for python in PYTHON_MINORS
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_lock_is_a_solution_on_every_python(family, python, tmp_path):
    """The family's requirements, dependencies and all, are met by what the lock pins; nothing is downloaded."""
    if python not in pythons_of(family):
        pytest.skip(f"{family} has no packages for Python {python}")
    folder = ENGINE.parent / find_environment(family).folder.replace(".", "/")
    requirements = ["--requirement", folder / "lock.in", "--constraint", folder / "lock.txt"]
    target = ["--python-version", python, "--target", tmp_path, "--override", ENGINE / "families" / "lock_overrides.in"]
    own = [part for path in overrides(family) for part in ("--override", path)]
    command = [local.find_uv(), "pip", "install", "--dry-run", *target, *own, *requirements]
    solved = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert solved.returncode == 0, solved.stderr
    assert find_environment(family).source or f"{find_environment(family).package}==" in solved.stderr
