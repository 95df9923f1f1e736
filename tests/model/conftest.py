"""Where the tests with real model packages find them: one Python environment a family."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiida.orm import Computer
from package_sources import source_of, variable_of

from crucible_engine.families.conformance import WEIGHTS_FOLDER

ROOT = Path(__file__).parents[2]
os.environ.setdefault(WEIGHTS_FOLDER, str(ROOT.parent / "shared" / "weights"))


@pytest.fixture(scope="session")
def python_of():
    """Return the function from a family's name to the Python of its environment.

    ``CRUCIBLE_PYTHON_<FAMILY>`` names one to use instead of the environment that ``aiida-crucible env create`` makes,
    which is made here where it does not exist yet.
    """
    found = {}

    def find(family):
        if family not in found:
            found[family] = _find(family)
        if isinstance(found[family], str):
            pytest.skip(found[family])
        return found[family]

    return find


def _find(family):
    """Return a path, or the reason why there is none."""
    from aiida_crucible.environments import ModelEnvironmentError, ensure

    chosen = os.environ.get(f"CRUCIBLE_PYTHON_{family.upper()}")
    if chosen:
        return Path(chosen)
    if family == "emt":  # needs nothing but ase
        return Path(sys.executable)
    try:
        return ensure(family, source=source_of(family))
    except ModelEnvironmentError as error:
        return f"no environment for {family}: {error}; {variable_of(family)} names a source for the tests"


@pytest.fixture(scope="module")
def computer(aiida_profile, tmp_path_factory):
    """Return a computer that polls without waiting; one a profile, which more than one module may have."""
    stored = Computer.collection.find({"label": "localhost"})
    computer = stored[0] if stored else Computer("localhost", "localhost", "", "core.local", "core.direct")
    computer.set_workdir(str(tmp_path_factory.mktemp("computer")))
    computer.set_minimum_job_poll_interval(0.0)
    computer.set_default_mpiprocs_per_machine(1)
    computer.store()
    computer.configure(safe_interval=0.0)
    return computer


@pytest.fixture(scope="session")
def run_in(python_of, tmp_path_factory):
    """Return a function that runs a Python script or module in a family's environment, with the engine importable."""
    from aiida_crucible.calculations.engine_archive import engine_archive
    from crucible_engine.wire.extensions import FOREIGN

    # The folder of a family of another package lies in the archive alone.
    engine = ROOT / "src"
    if FOREIGN:
        engine = tmp_path_factory.mktemp("engine") / "crucible_engine.pyz"
        engine.write_bytes(engine_archive())

    def run(family, *arguments, cwd, timeout=600):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(engine), str(ROOT / "tests" / "helpers")]),
            # The cells are so small that threads gain little, and they cost much where the machine does other things.
            "OMP_NUM_THREADS": "1",
        }
        command = [str(python_of(family)), *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run
