"""``crucible.dynamics`` of several structures in one job: outputs by replica, restarts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, Int
from ase.build import bulk, molecule
from click.testing import CliRunner
from engine_jobs import HELPERS

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.cli import main
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain
from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.wire.schema import SERIES_COLUMNS

PARAMETERS = {
    "temperatures": [300.0, 300.0],
    "steps": 10,
    "time_step": 2.0,
    "series_interval": 2,
    "frame_interval": 5,
    "checkpoint_interval": 4,
    "average_from": 0.2,
}


@pytest.fixture(scope="module")
def structures(profile):
    """Return two crystals, by keys whose order is not that in which they are given."""
    return {"b_silver": from_atoms(bulk("Ag", cubic=True) * (2, 1, 1)), "a_copper": from_atoms(bulk("Cu", cubic=True))}


@pytest.fixture(scope="module")
def finished(code, model, structures):
    inputs = {"code": code, "model": model, "structures": structures, "parameters": PARAMETERS}
    outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs)
    assert node.is_finished_ok, node.exit_message
    return outputs, node


def jobs_of(node):
    return [called for called in node.called if isinstance(called, CalcJobNode)]


@pytest.mark.slow
def test_each_replica_is_of_its_own_structure(finished, structures):
    outputs, _ = finished
    summary = outputs["results"]["summary"]
    assert (summary["n_atoms"], summary["sizes"], summary["n_completed"]) == (8, [4, 8], 2)
    for index, key in enumerate(sorted(structures)):
        label, start = f"replica_{index}", to_atoms(structures[key])
        assert summary["replicas"][label]["structure"] == key
        assert outputs["final"][label].get_symbols_set() == structures[key].get_symbols_set()
        assert outputs["trajectories"][label].symbols == start.get_chemical_symbols()
        assert np.allclose(outputs["trajectories"][label].get_positions()[0], start.positions, atol=1e-5)
        assert outputs["averages"][label].get_array("mean_positions").shape == (len(start), 3)
        assert len(outputs["series"][label].get_array("step")) == 6


@pytest.mark.slow
def test_status_tells_how_many(finished):
    _, node = finished
    (job,) = jobs_of(node)
    output = CliRunner().invoke(main, ["status", str(job.pk)], catch_exceptions=False).output
    assert "dynamics of 2 structures, 300 K" in output


@pytest.mark.slow
def test_killed_in_the_second_and_continued_bit_for_bit(code, structures):
    """Each process of the first run ends itself in the second structure."""

    def run(calls):
        settings = {"factory": "short_lived_calculators:short_lived", "arguments": {"calls": calls, "by": "SIGKILL"}}
        inputs = {
            "code": code,
            "model": ModelData.get_or_create("ase", trust_code=True, settings=settings),
            "structures": structures,
            "parameters": PARAMETERS,
            "metadata": {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}},
        }
        outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs, max_iterations=Int(2))
        assert node.is_finished_ok, node.exit_message
        return outputs, jobs_of(node)

    wanted, _ = run(10_000)
    found, (killed, last) = run(20)
    summary = killed.outputs.results["summary"]
    assert summary["checkpoint"] == {"replica": 1, "step": 4}
    assert (summary["n_atoms"], summary["sizes"]) == (8, [4, 8])
    assert killed.outputs.averages.replica_0.get_array("mean_positions").shape == (4, 3)
    assert len(killed.outputs.series.replica_1.get_array("step")) == 3
    assert last.outputs.results["summary"]["resumed_from_step"] == 14
    for namespace in ("trajectories", "series", "averages"):
        for label, node in wanted[namespace].items():
            for name in node.get_arraynames():
                assert node.get_array(name).tobytes() == found[namespace][label].get_array(name).tobytes(), name


def refused(message, process, **inputs):
    with pytest.raises(ValueError, match=message) as refusal:
        run_get_node(process, **({"dynamics": inputs} if process is DynamicsBaseWorkChain else inputs))
    assert len([line for line in str(refusal.value).splitlines() if line.strip()]) == 1


def crystals(*symbols):
    return {f"{symbol}_{index}": from_atoms(bulk(symbol, cubic=True)) for index, symbol in enumerate(symbols)}


@pytest.mark.parametrize("process", [DynamicsCalculation, DynamicsBaseWorkChain])
@pytest.mark.parametrize(
    ("given", "parameters", "message"),
    [
        (dict, {}, r"there is nothing that moves: give a structure, or structures \(one for each temperature\)"),
        (
            lambda: {"structure": from_atoms(bulk("Cu")), "structures": crystals("Cu")},
            {},
            "give a structure, or structures .*, not both",
        ),
        (
            lambda: {"structures": crystals("Cu", "Ag", "Au")},
            {"temperatures": [300, 400]},
            "number of structures of dynamics is 3, but that of 'temperatures' is 2: give one structure for all",
        ),
        (lambda: {"structures": crystals("Cu")}, {"temperatures": [300, 400]}, "is 1, but that of 'temperatures' is 2"),
        (
            lambda: {"structures": crystals("Cu", "Ag")},
            {"temperatures": [300, 300], "start": "sequential"},
            "'start' of dynamics is 'sequential', but each of 2 structures begins by itself: choose 'independent'",
        ),
        (
            lambda: {"structures": crystals("Cu", "Fe")},
            {"temperatures": [300, 300]},
            "structure 'Fe_1' contains Fe, which model emt does not know",
        ),
        (
            lambda: {"structures": {**crystals("Cu"), "water": from_atoms(molecule("H2O"))}},
            {"temperatures": [300, 300], "ensemble": "npt-mtk"},
            "structure 'water': H2O is a molecule .* or choose an nvt ensemble",
        ),
        (
            lambda: {"structure": from_atoms(bulk("Cu")), "reference": from_atoms(bulk("Cu", cubic=True))},
            {},
            r"the reference \(Cu4\) has not the atoms of the structure \(Cu\) in their order, or another periodicity",
        ),
        (
            lambda: {"structures": {**crystals("Cu"), "dense": from_atoms(bulk("Cu", a=0.5))}},
            {"temperatures": [300, 300]},
            "structure 'dense' has a cell of",
        ),
    ],
)
def test_what_cannot_be_run(code, model, process, given, parameters, message):
    refused(message, process, code=code, model=model, parameters=parameters, **given())


@pytest.mark.slow
def test_a_folder_of_other_structures_is_not_continued(code, model, structures):
    from aiida.common.links import LinkType
    from aiida.orm import RemoteData
    from plumpy import ProcessState

    node = CalcJobNode(computer=code.computer, process_type="aiida.calculations:crucible.dynamics")
    inputs = {"code": code, "model": model, "parameters": Dict(PARAMETERS)}
    inputs |= {f"structures__{key}": structure for key, structure in structures.items()}
    for label, value in inputs.items():
        node.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_CALC, link_label=label)
    node.set_process_state(ProcessState.FINISHED)
    node.store()
    folder = RemoteData("/nowhere", computer=code.computer)
    folder.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="remote_folder")
    folder.store()
    again = {"code": code, "model": model, "parameters": PARAMETERS, "restart_from": folder}
    changed = {**structures, "a_copper": from_atoms(bulk("Au", cubic=True))}
    renamed = {"a_copper": structures["a_copper"], "c_silver": structures["b_silver"]}
    for other in (changed, renamed):
        refused("was begun by .* with another structure: give the same", DynamicsCalculation, **again, structures=other)
    _, node = run_get_node(DynamicsCalculation, **again, structures=structures)
    assert node.exit_status == DynamicsCalculation.exit_codes.ERROR_NOTHING_TO_CONTINUE.status


def test_what_a_killed_job_left_is_told_by_structure(parse, structures, tmp_path):
    """Also if it was killed before anything of it came back."""
    folder = tmp_path / "run"
    folder.mkdir()
    inputs = {"structures": structures, "parameters": Dict(PARAMETERS)}
    Checkpoints(folder, {}).write({"done": {}, "step": 4}, {})
    state = {"state.npz": (folder / "state.npz").read_bytes()}
    outputs, _ = parse("dynamics", {"exit_status.txt": b"137"}, state, inputs)
    summary = outputs["results"]["summary"]
    assert (summary["n_replicas"], summary["n_atoms"], summary["sizes"]) == (2, 8, [4, 8])
    assert summary["checkpoint"] == {"replica": 0, "step": 4}


def test_arrays_of_the_other_structure_are_refused(parse, structures, model):
    import io
    import json

    from crucible_engine.wire.schema import Condition, Results

    content = Results("dynamics", Condition.FINISHED.value, "", "stable", model={"sha256": model.sha256}).to_dict()
    stream = io.BytesIO()
    rows = np.zeros((6, len(SERIES_COLUMNS)))
    np.savez(stream, series_0=rows, series_1=rows, mean_positions_1=np.zeros((4, 3)))
    _, code = parse(
        "dynamics",
        {"results.json": json.dumps(content).encode()},
        {"arrays.npz": stream.getvalue()},
        {"structures": structures, "parameters": Dict(PARAMETERS)},
    )
    assert code.status == DynamicsCalculation.exit_codes.ERROR_ARRAYS_MISMATCH.status
    assert "mean_positions_1 has shape (4, 3) where (8, 3) was expected" in code.message


@pytest.mark.parametrize("workflow", [TemperatureSweepWorkChain, AnharmonicityWorkChain])
def test_workflows_that_say_what_moves_do_not_ask_for_it(workflow):
    ports = workflow.spec().inputs["base"]["dynamics"]
    assert not {*DynamicsCalculation.TREATED} & {*ports}
