"""What is used of other packages without being documented there: where a release moves it, a test here names it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import numpy as np
import pytest
from aiida.engine import Process, WorkChain
from aiida.orm import Data, Dict, Int, RemoteData
from aiida.plugins import WorkflowFactory
from aiida.tools import delete_nodes

import aiida_crucible
from aiida_crucible import compat
from aiida_crucible.compat import aiida_archive, aiida_engine, aiida_orm, phonopy

HOUSE = Path(aiida_crucible.__file__).parent
UNDOCUMENTED = (
    "aiida.orm.",
    "aiida.storage",
    "aiida.tools.graph",
    "aiida.common.constants",
    "aiida.common.escaping",
    "aiida.engine.daemon",
    "aiida.engine.processes.builder",
    "aiida.engine.processes.workchains",
    "aiida.manage.configuration.settings",
    "aiida_shell.launch",
    "phonopy.harmonic",
    "phonopy.interface",
    "phonopy.physical_units",
    "phonopy.structure",
    "phonopy.utils",
    "plumpy.processes",
    "sqlalchemy",
    "symfc",
)


def imported(path):
    """Return the modules and names that a compat module takes from other packages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module not in ("__future__", "typing", "collections.abc"):
            yield from ((node.module, alias.name) for alias in node.names)


NAMES = sorted({found for path in Path(compat.__file__).parent.glob("*.py") for found in imported(path)})


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}.{name}" for module, name in NAMES])
def test_a_name_is_where_it_was(module, name):
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Data, "_CLS_NODE_CACHING"),
        (RemoteData, "_clean"),
        (WorkChain, "_spec_class"),
        (aiida_engine.ProcessBuilderNamespace, "_inputs"),
        (Process, "step_until_terminated"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_member_is_where_it_was(owner, name):
    assert hasattr(owner, name)


def test_nobody_else_uses_what_is_not_documented():
    for path in HOUSE.rglob("*.py"):
        if "compat" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {module for module in modules if module.startswith(UNDOCUMENTED)}, path
        owners = {
            f"{ast.unparse(node.value)}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        }
        foreign = {
            owner for owner in owners if owner.partition(".")[0] not in ("self", "cls", "node", "super()", "units")
        }
        assert not {owner for owner in foreign if not owner.startswith(("cls.", "super()."))}, path


def test_a_builder_tells_its_ports_and_inputs(profile):
    builder = WorkflowFactory("crucible.relax").get_builder()
    assert "structures" in aiida_engine.ports_of(builder)
    builder.base.max_iterations = Int(3)
    assert aiida_engine.given_inputs(builder)["base"] == {"max_iterations": builder.base.max_iterations}


def test_nobody_calls_here():
    assert aiida_engine.callers_now() == []


def test_a_deleted_node_is_known(profile):
    node = Dict({"a": 1}).store()
    assert not aiida_orm.is_deleted(node)
    delete_nodes([node.pk], dry_run=False)
    assert aiida_orm.is_deleted(node)


def test_a_class_is_hashed_by_the_name_it_is_given(profile):
    assert aiida_orm.hashed_as("x")(type("Own", (Dict,), {"__module__": __name__}))._CLS_NODE_CACHING


def test_force_constants_of_the_symmetry_are_found():
    from ase.build import bulk

    atoms = bulk("Cu", cubic=True)
    solver = phonopy.Symfc(
        phonopy.SymfcAtoms(cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions(), numbers=atoms.numbers)
    )
    solver.compute_basis_set(2)
    constants, count = phonopy.random_force_constants(solver, len(atoms))
    assert constants.shape == (4, 4, 3, 3)
    assert count >= 1
    assert np.allclose(constants, constants.transpose(1, 0, 3, 2))


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("db_dblink", {"id", "input_id", "output_id", "label", "type"}),
        ("db_dbgroup", {"id", "uuid", "label", "type_string", "time", "description", "extras", "user_id"}),
        ("db_dbgroup_dbnodes", {"id", "dbnode_id", "dbgroup_id"}),
    ],
)
def test_the_tables_of_an_archive_that_are_written_are_as_they_were(table, columns):
    assert set(aiida_archive.models.SqliteBase.metadata.tables[table].columns.keys()) == columns


def test_a_digest_is_aiidas_own(profile):
    node = Dict({"a": 1}).store()
    assert aiida_archive.digest_as_if(node, {}) == node.base.caching.get_hash()
