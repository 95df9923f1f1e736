"""The command line before AiiDA has anything to do: quick, and one line for what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from aiida_crucible.cli import main


@pytest.fixture
def without_profile(tmp_path):
    """Return a function that runs the command in a process that has no AiiDA profile."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "aiida_crucible.cli", *arguments],
            env={**os.environ, "AIIDA_PATH": str(tmp_path), "CRUCIBLE_ENVIRONMENTS": str(tmp_path / "environments")},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


HEAVY = {"aiida", "ase", "matplotlib", "numpy", "phonopy", "scipy", "spglib", "torch"}
"""Packages that take a tenth of a second or more to import."""


@pytest.mark.parametrize("arguments", [["--help"], ["env", "--help"], ["model", "--help"]])
def test_help_needs_nothing_that_is_slow_to_import(arguments):
    script = f"""
import sys
from aiida_crucible.cli import main
try:
    main({arguments!r})
finally:
    print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage:" in finished.stdout
    assert finished.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["env", "create", "chgnett"], "model family 'chgnett' is unknown: did you mean 'chgnet'?"),
        (["env", "make"], "there is no command 'make'"),
        (["modle"], "there is no command 'modle': did you mean 'model'?"),
        (["env", "create", "chgnet", "--dry-run", "--python", "3.9"], "Python 3.9 is outside the locks"),
        (["env", "create", "chgnet", "--dry-run", "--torch", "gpu"], "torch 'gpu' is unknown"),
        (["env", "check", "chgnet", "--options", "{queue"], "is no YAML"),
        (["model", "add", "sevennet", "--setting", "modal"], "write key=value"),
    ],
)
def test_mistake_is_one_line(arguments, message):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    lines = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["env", "create", "emt"], ["env", "list"], ["model", "add", "emt"]])
def test_without_a_profile_verdi_presto_is_named(without_profile, arguments):
    result = without_profile(*arguments)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: there is no AiiDA profile yet: `verdi presto`")
    assert "Traceback" not in result.stderr


def test_catalogue_is_listed_without_a_profile(without_profile):
    result = without_profile("model", "list")
    assert result.returncode == 0
    assert "7net-l3i5" in result.stdout
    assert "verdi presto" in result.stderr


@pytest.mark.slow
def test_dry_run_prints_the_recipe_and_does_nothing(without_profile, tmp_path):
    result = without_profile("env", "create", "chgnet", "--dry-run", "--torch", "cpu")
    assert result.returncode == 0
    check = subprocess.run(["bash", "-n"], input=result.stdout, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stderr) == (0, "")
    assert str(tmp_path / "environments") in result.stdout
    assert not (tmp_path / "environments").exists()


def test_unknown_profile_is_one_line(without_profile):
    result = without_profile("env", "list", "--profile", "nobody")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: there is no AiiDA profile")
