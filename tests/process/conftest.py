"""This interpreter as a Code and ASE's EMT as the model: jobs that need no torch and no services."""

from __future__ import annotations

import sys

import pytest
from aiida.orm import Computer, InstalledCode, StructureData
from ase.build import bulk

from aiida_crucible.data.model import ModelData
from aiida_crucible.structures import from_atoms


@pytest.fixture(scope="session")
def localhost(aiida_profile, tmp_path_factory):
    """Return a computer that polls without waiting."""
    computer = Computer("localhost", "localhost", "this machine", "core.local", "core.direct")
    computer.set_workdir(str(tmp_path_factory.mktemp("computer")))
    computer.set_minimum_job_poll_interval(0.0)
    computer.set_default_mpiprocs_per_machine(1)
    computer.store()
    computer.configure(safe_interval=0.0)
    return computer


@pytest.fixture(scope="session")
def code(localhost):
    """Return this interpreter, which has numpy and ASE and so all that EMT needs."""
    return InstalledCode(label="python", computer=localhost, filepath_executable=sys.executable).store()


@pytest.fixture(scope="session")
def model(aiida_profile):
    """Return ASE's effective medium theory."""
    return ModelData.get_or_create("emt")


@pytest.fixture
def copper() -> StructureData:
    """Return fcc copper, one atom off its site, in a cubic cell of four."""
    atoms = bulk("Cu", cubic=True)
    atoms.positions[0] += (0.05, 0.02, -0.03)
    return from_atoms(atoms)
