"""Whatever a job left behind, its parser ends with an exit code and one line, and with nodes that can be stored."""

from __future__ import annotations

import io

import numpy as np
import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, FolderData, Node, QueryBuilder, TrajectoryData
from aiida.orm.implementation.utils import clean_value
from aiida.plugins import CalculationFactory, ParserFactory
from fuzzing import fuzz
from hostile_outputs import N_ATOMS, Remains, hostile_remains

from aiida_crucible.monitoring.progress import last_line

TASKS = ("evaluate", "relax", "dynamics", "similarity", "speed", "verify")
PARAMETERS = {
    "relax": {"trajectory_interval": 1},
    "dynamics": {"temperatures": [300.0, 400.0], "steps": 12},
}


@pytest.fixture(scope="module")
def jobs(code, model, profile):
    """Return a stored job of each task, without outputs."""
    from ase.build import bulk

    from aiida_crucible.nodes.structures import from_atoms

    frames = TrajectoryData()
    frames.set_trajectory(symbols=["Cu"] * N_ATOMS, positions=np.zeros((4, N_ATOMS, 3)))
    cells = {"a": from_atoms(bulk("Cu", cubic=True)).store(), "b": from_atoms(bulk("Cu", cubic=True)).store()}
    inputs = {
        "evaluate": {"structures": cells},
        "relax": {"structures": cells},
        "dynamics": {"structure": cells["a"]},
        "similarity": {"trajectories": {"a": frames.store()}},
        "speed": {"structures": cells},
        "verify": {},
    }
    return {task: job(task, code, model, inputs[task]) for task in TASKS}


def job(task, code, model, inputs):
    process_class = CalculationFactory(f"crucible.{task}")
    node = CalcJobNode(computer=code.computer, process_type=process_class.build_process_type())
    node.set_option("resources", {"num_machines": 1})
    for label, value in {"code": code, "model": model, "parameters": Dict(PARAMETERS.get(task, {})), **inputs}.items():
        for key, data in {None: value}.items() if isinstance(value, Node) else value.items():
            link = label if key is None else f"{label}__{key}"
            node.base.links.add_incoming(data.store(), link_type=LinkType.INPUT_CALC, link_label=link)
    return node.store()


@pytest.fixture
def attempt(jobs, model, tmp_path, caplog):
    """Return one try at a parser, see :data:`fuzzing.Attempt`."""
    remains = Remains(tmp_path, model.sha256)
    count = 0

    def attempt(rng):
        nonlocal count
        count += 1
        task = rng.choice(TASKS)
        kept, temporary = hostile_remains(rng, task, remains)
        retrieved = FolderData()
        for name, content in kept.items():
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(content), name)
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for name, content in temporary.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        parser_class = ParserFactory(f"crucible.{task}")
        parser = type("Parser", (parser_class,), {"retrieved": retrieved})(jobs[task])
        before = QueryBuilder().append(Node).count()
        code = parser.parse(retrieved_temporary_folder=str(folder))
        assert QueryBuilder().append(Node).count() == before
        require_storable(task, parser.outputs)
        if "progress.jsonl" in kept:
            last_line(kept["progress.jsonl"].decode(errors="replace"))
        return code.message if code.status else None

    return attempt


def require_storable(task, outputs):
    """Require that AiiDA takes all outputs, so that none of them is stored without the others."""
    spec = CalculationFactory(f"crucible.{task}").spec()
    for label, node in outputs.items():
        name, _, key = label.partition(".")
        assert isinstance(node, spec.outputs[name].valid_type), label
        assert not key or key in ("a", "b", "replica_0", "replica_1"), label
        node._validate()
        clean_value(node.base.attributes.all)  # what the database takes


@pytest.mark.slow
def test_fifty_hostile_outputs(attempt):
    fuzz(attempt, 50, always_the_same=True)


@pytest.mark.long
def test_a_thousand_hostile_outputs(attempt):
    fuzz(attempt, 1000, always_the_same=False)
