"""The digest of a calculator's code follows everything that runs, and nothing else."""

import os
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest
from ase.calculators.emt import EMT

from crucible_engine.families.ase import code_digest
from crucible_engine.families.ase.code_digest import digest_of_code
from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

FACTORY = """
from {package}.potential import Potential

def make(**arguments):
    return Potential()
"""
POTENTIAL = """
from ase.calculators.emt import EMT

class Potential(EMT):
    scale = 1.0

    def calculate(self, *arguments, **keywords):
        import {helper}
        super().calculate(*arguments, **keywords)
"""
SCRIPT = """
import json, sys
from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import ModelReference
settings = json.loads(sys.argv[1])
print(load_model(ModelReference("ase", trust_code=True, dtype="float64", settings=settings)).sha256)
"""


@pytest.fixture
def project(tmp_path):
    """Return a folder with a factory's module, the package of its class, and a module that this imports late."""
    package = tmp_path / "ownpackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "potential.py").write_text(POTENTIAL.format(helper="ownhelper"))
    (tmp_path / "ownhelper.py").write_text("CUTOFF = 5.0\n")
    (tmp_path / "ownfactory.py").write_text(FACTORY.format(package="ownpackage"))
    (tmp_path / "unrelated.py").write_text("")
    (tmp_path / "weights.bin").write_bytes(b"first")
    return tmp_path


def digest(project, arguments="{}"):
    """Return the digest that a new process gives."""
    settings = textwrap.dedent(f'{{"factory": "ownfactory:make", "arguments": {arguments}}}')
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{project}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", SCRIPT, settings]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


@pytest.mark.slow
def test_digest_follows_what_runs(project):
    before = digest(project)
    assert digest(project) == before
    (project / "unrelated.py").write_text("CHANGED = True\n")
    assert digest(project) == before

    seen = {before}
    for name in ("ownpackage/potential.py", "ownhelper.py", "ownfactory.py"):
        file = project / name
        file.write_text(file.read_text() + "CHANGED = True\n")
        seen.add(digest(project))
    (project / "ownpackage" / "compiled.so").write_bytes(b"machine code")
    seen.add(digest(project))
    (project / "ownpackage" / "compiled.so").write_bytes(b"other code")
    seen.add(digest(project))
    assert len(seen) == 6


@pytest.mark.slow
def test_digest_follows_files_that_arguments_name(project):
    arguments = f'{{"weights": ["{project / "weights.bin"}"]}}'
    before = digest(project, arguments)
    (project / "weights.bin").write_bytes(b"second")
    assert digest(project, arguments) != before


def test_an_installed_package_counts_by_its_files_where_it_has_the_class(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    monkeypatch.setattr(code_digest, "INSTALLED", (*code_digest.INSTALLED, project.resolve()))
    # Only their modules are asked for, which nothing has to import.
    of_class = type("Potential", (), {"__module__": "ownpackage.potential"})
    of_factory = type("Factory", (), {"__module__": "ownfactory"})

    def digest_after(name):
        file = project / name
        file.write_text(file.read_text() + "CHANGED = True\n")
        return digest_of_code("ownfactory:make", of_factory(), of_class(), {})

    before = digest_after("unrelated.py")
    assert digest_after("ownhelper.py") == before
    assert digest_after("ownpackage/potential.py") != before


@pytest.mark.parametrize(("package", "counts"), [("numpy", True), ("ase", True), ("aiida-core", False)])
def test_digest_follows_the_versions_of_installed_packages(monkeypatch, package, counts):
    def digest_with(number):
        monkeypatch.setattr(metadata, "version", lambda name: number if name == package else version(name))
        return digest_of_code("ase.calculators.emt:EMT", EMT, EMT(), {})

    version = metadata.version
    assert (digest_with("1.0") != digest_with("2.0")) == counts
    assert digest_with("1.0") == digest_with("1.0")


def test_calculator_with_another_digest_is_refused():
    settings = {"factory": "ase.calculators.lj:LennardJones"}
    found = load_model(ModelReference("ase", trust_code=True, dtype="float64", settings=settings)).sha256
    load_model(ModelReference("ase", trust_code=True, dtype="float64", settings=settings, sha256=found))
    with pytest.raises(EngineError, match="LennardJones") as error:
        load_model(ModelReference("ase", trust_code=True, dtype="float64", settings=settings, sha256="0" * 64))
    assert error.value.condition is Condition.WEIGHTS_MISMATCH
