"""This interpreter as a Code and ASE's EMT as the model: jobs that need no torch and no services."""

from __future__ import annotations

import io
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiida.common.links import LinkType
from aiida.engine import ExitCode
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, Computer, Dict, FolderData, InstalledCode, Node, QueryBuilder, StructureData
from aiida.plugins import CalculationFactory, ParserFactory
from aiida.tools import delete_nodes
from ase.build import bulk
from fake_uv import FakeUv

from aiida_crucible.environments import local
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms

HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture(scope="module", autouse=True)
def profile(aiida_profile):
    """Start each module with an empty profile: no test sees what those of another module left."""
    aiida_profile.reset_storage()
    # A WorkChain that asks without a pause whether its jobs have ended takes a core from them.
    get_manager().get_runner(poll_interval=0.05)
    return aiida_profile


@pytest.fixture(scope="module")
def localhost(profile, tmp_path_factory):
    """Return a computer that is polled ten times a second."""
    computer = Computer("localhost", "localhost", "this machine", "core.local", "core.direct")
    computer.set_workdir(str(tmp_path_factory.mktemp("computer")))
    computer.set_minimum_job_poll_interval(0.1)
    computer.set_default_mpiprocs_per_machine(1)
    computer.store()
    computer.configure(safe_interval=0.0, use_login_shell=False)
    return computer


@pytest.fixture(scope="module")
def code(localhost):
    """Return this interpreter, which has numpy and ASE and so all that EMT needs."""
    return InstalledCode(label="python", computer=localhost, filepath_executable=sys.executable).store()


@pytest.fixture(scope="module")
def stand_in(localhost, tmp_path_factory):
    """Return a Code that pretends to be an environment of MACE, see ``helpers/stand_in.py``."""
    path = tmp_path_factory.mktemp("stand_in") / "python"
    path.write_text(f"#!{sys.executable}\n{(HELPERS / 'stand_in.py').read_text()}")
    path.chmod(0o755)
    code = InstalledCode(label="stand_in", computer=localhost, filepath_executable=str(path)).store()
    code.base.extras.set("crucible_environment", {"family": "mace", "version": None, "lock": "0a1b2c"})
    return code


@pytest.fixture
def checkpoint_model(tmp_path):
    """Return a model that is a checkpoint file, another one in each test."""
    path = tmp_path / "mine.model"
    path.write_bytes(b"PK\x03\x04" + uuid.uuid4().bytes)
    return ModelData.get_or_create("mace", checkpoint=path)


@pytest.fixture(scope="module")
def model(profile):
    """Return ASE's effective medium theory."""
    return ModelData.get_or_create("emt")


@pytest.fixture
def forgotten(aiida_profile):
    """Forget every node and computer that a test makes: the session's own have to stay."""
    last = {entity: QueryBuilder().append(entity, project="id").all(flat=True) for entity in (Node, Computer)}
    yield
    new = QueryBuilder().append(Node, filters={"id": {"!in": last[Node] or [0]}}, project="id").all(flat=True)
    delete_nodes(new, dry_run=False)
    for computer in QueryBuilder().append(Computer, filters={"id": {"!in": last[Computer] or [0]}}).all(flat=True):
        Computer.collection.delete(computer.pk)


@pytest.fixture
def copper() -> StructureData:
    """Return fcc copper, one atom off its site, in a cubic cell of four."""
    atoms = bulk("Cu", cubic=True)
    atoms.positions[0] += (0.05, 0.02, -0.03)
    return from_atoms(atoms)


@pytest.fixture
def parse(code, model, tmp_path):
    """Return a function that parses what a job left behind, without running one.

    It takes a task, the files that were retrieved for good (name → bytes), those retrieved for the parser alone, the
    inputs beside code and model, the exit status that the scheduler gave, and options of the job; it returns outputs
    by label and the exit code.
    """

    def run(
        task: str,
        files: Mapping[str, bytes],
        temporary: Mapping[str, bytes] | None = None,
        inputs: Mapping[str, Any] | None = None,
        scheduler_status: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Node], ExitCode]:
        process_class = CalculationFactory(f"crucible.{task}")
        node = CalcJobNode(computer=code.computer, process_type=process_class.build_process_type())
        for option, value in {
            "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1},
            **(options or {}),
        }.items():
            node.set_option(option, value)
        for label, value in {"code": code, "model": model, "parameters": Dict(), **(inputs or {})}.items():
            for key, data in {label: value}.items() if isinstance(value, Node) else value.items():
                link = label if data is value else f"{label}__{key}"
                node.base.links.add_incoming(data.store(), link_type=LinkType.INPUT_CALC, link_label=link)
        node.store()
        if scheduler_status is not None:
            node.set_exit_status(scheduler_status)
            node.set_exit_message("the scheduler said so")
        retrieved = FolderData()
        for name, content in files.items():
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(content), name)
        retrieved.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="retrieved")
        retrieved.store()
        for name, content in (temporary or {}).items():
            (tmp_path / name).write_bytes(content)
        parser = ParserFactory(f"crucible.{task}")(node)
        exit_code = parser.parse(retrieved_temporary_folder=str(tmp_path))
        return dict(parser.outputs), exit_code

    return run


@pytest.fixture
def uv_that_installs_nothing(tmp_path, monkeypatch):
    """Put a uv in the place of the real one that installs nothing, on a machine without a GPU."""
    uv = FakeUv(tmp_path)
    monkeypatch.setattr(local, "find_uv", lambda: str(uv.path))
    monkeypatch.setattr(local, "has_gpu", lambda: False)
    monkeypatch.setenv(local.ROOT_VARIABLE, str(uv.root))
    return uv
