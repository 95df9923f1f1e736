"""The page "add a model family", done literally: its files are written, its commands run, by a stranger."""

import ast
import os
import re
import shlex
import site
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_crucible.environments.local import find_uv
from crucible_engine.families.registry import FAMILIES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "add-a-family.md"
FILE = re.compile(r"^```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = [pytest.mark.model, pytest.mark.slow]


class Stranger:
    """Somebody with a clone, a Python of their own that sees the tests' packages, and an empty profile.

    :param home: an empty folder.
    """

    def __init__(self, home):
        self.home, self.said = home, {}
        for name in ("src", "tests"):
            (home / name).symlink_to(ROOT / name)
        (home / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
        python = home / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
        (own,) = (home / "venv").glob("lib/python*/site-packages")
        seen = [path for path in sys.path if path.endswith("site-packages")] or site.getsitepackages()
        own.joinpath("tests.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in seen))
        modules = {"aiida-crucible": "aiida_crucible.cli", "verdi": "aiida", "pytest": "pytest"}
        for name, module in modules.items():
            python.with_name(name).write_text(f'#!/bin/sh\nexec "{python}" -m {module} "$@"\n')
            python.with_name(name).chmod(0o755)
        python.with_name("uv").symlink_to(find_uv())
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(home / "venv"),
            "AIIDA_PATH": str(home / "aiida"),
            "CRUCIBLE_ENVIRONMENTS": str(home / "environments"),
            "OMP_NUM_THREADS": "1",
        }

    def run(self, line):
        """Run a command and return what it wrote."""
        finished = subprocess.run(
            shlex.split(line), cwd=self.home, env=self.environment, capture_output=True, text=True, check=False
        )
        self.said[line] = finished.stdout
        assert finished.returncode == 0, f"{line}\n{finished.stdout}{finished.stderr}"
        return finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Stranger(tmp_path_factory.mktemp("stranger"))


def test_a_stranger_adds_a_family_and_a_task_by_the_page_alone(stranger):
    text = PAGE.read_text(encoding="utf-8")
    for name, content in FILE.findall(text):
        path = stranger.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    assert "Error" not in stranger.run("verdi presto")
    commands = [line for block in COMMANDS.findall(text) for line in block.splitlines()]
    for line in commands:
        stranger.run(line)
    said = stranger.said
    assert re.search(r"^morse +copper", said["aiida-crucible model list --family morse"], re.MULTILINE)
    assert "passed" in said["pytest tests/model/test_conformance.py -k morse"]
    (energy,) = (float(number) for number in re.findall(r"-\d+\.\d+", said["python evaluate.py"]))
    energies = ast.literal_eval(said["python expand.py"].strip().splitlines()[-1])
    assert len(energies) == 5 and abs(energies[2] - energy) < 1e-6


def test_a_foreign_package_that_is_broken_breaks_nothing_else(stranger):
    facts = stranger.home / "crucible-morse" / "src" / "crucible_morse" / "morse" / "__init__.py"
    sound = facts.read_text()
    try:
        facts.write_text("raise RuntimeError('on\\npurpose')\n")
        listed = stranger.run("aiida-crucible model list")
        (line,) = [line for line in listed.splitlines() if "on purpose" in line]
        assert line == "the model family 'morse' of package crucible-morse is left out: RuntimeError: on purpose"
        assert all(re.search(f"^{name} ", listed, re.MULTILINE) for name in FAMILIES if FAMILIES[name].names)
        assert "unknown" in stranger.run("aiida-crucible env list")
        assert "invented parameters" in stranger.run("aiida-crucible model show 'morse copper'")
    finally:
        facts.write_text(sound)
