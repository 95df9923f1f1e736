"""``crucible.evaluate`` of several trajectories in one job: what belongs to which, restarts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from engine_jobs import HELPERS

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.calculations.output_files import split_properties
from aiida_crucible.calculations.validation import frame_label
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, trajectory_to_atoms
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain

INTERRUPTED = EvaluateCalculation.exit_codes.ERROR_INTERRUPTED.status
EXPECTED = {"a_silver": (2, 8), "b_copper": (3, 4), "c_molecule": (1, 2)}
"""Frames and atoms by key."""


def rattled(atoms, count, seed):
    frames = [atoms.copy() for _ in range(count)]
    for index, frame in enumerate(frames):
        frame.rattle(0.03, seed=seed + index)
    return frames


@pytest.fixture(scope="module")
def trajectories(profile):
    """Return trajectories of different lengths, sizes and species, not in the order of their keys."""
    return {
        "b_copper": atoms_to_trajectory(rattled(bulk("Cu", cubic=True), 3, seed=1)),
        "c_molecule": atoms_to_trajectory([molecule("CO")]),
        "a_silver": atoms_to_trajectory(rattled(bulk("Ag", cubic=True) * (2, 1, 1), 2, seed=9)),
    }


@pytest.fixture(scope="module")
def frames_of(trajectories):
    return {key: list(trajectory_to_atoms(trajectory)) for key, trajectory in trajectories.items()}


def jobs_of(node):
    return [called for called in node.called if isinstance(called, CalcJobNode)]


def mortal(tmp_path, call, by="SIGKILL"):
    """Return EMT as a model whose process dies once, and the options that let the engine find it."""
    arguments = {"marker": str(tmp_path / "died"), "call": call, "by": by}
    model = ModelData.get_or_create(
        "ase", trust_code=True, settings={"factory": "mortal_calculators:mortal", "arguments": arguments}
    )
    return model, {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}}


@pytest.mark.slow
def test_each_trajectory_has_its_own_properties(code, model, trajectories, frames_of):
    outputs, node = run_get_node(EvaluateCalculation, code=code, model=model, trajectories=trajectories)
    assert node.is_finished_ok, node.exit_message
    assert "properties" not in outputs
    assert outputs["results"]["summary"]["n_structures"] == 6
    assert sorted(outputs["properties_of"]) == sorted(EXPECTED)
    for key, (n_frames, n_atoms) in EXPECTED.items():
        properties = outputs["properties_of"][key]
        assert properties.get_array("n_atoms").tolist() == [n_atoms] * n_frames
        assert properties.get_array("forces").shape == (n_frames, n_atoms, 3)
        for index, atoms in enumerate(frames_of[key]):
            atoms.calc = EMT()
            assert properties.get_array("energies")[index] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
            assert np.allclose(properties.get_array("forces")[index], atoms.get_forces(), atol=1e-10)
            stress = atoms.get_stress() if atoms.pbc.all() else np.full(6, np.nan)
            assert np.allclose(properties.get_array("stresses")[index], stress, atol=1e-10, equal_nan=True)


@pytest.mark.slow
def test_the_same_as_in_jobs_of_their_own(code, model, trajectories):
    parameters = {"stress": False, "batch_size": 2}
    inputs = {"code": code, "model": model, "parameters": parameters}
    together, _ = run_get_node(EvaluateCalculation, **inputs, trajectories=trajectories)
    alone, _ = run_get_node(EvaluateCalculation, **inputs, trajectory=trajectories["b_copper"])
    found = together["properties_of"]["b_copper"]
    assert sorted(found.get_arraynames()) == sorted(alone["properties"].get_arraynames())
    for name in found.get_arraynames():
        assert np.array_equal(found.get_array(name), alone["properties"].get_array(name)), name


@pytest.mark.slow
def test_killed_and_continued(code, trajectories, tmp_path):
    """At the fourth of six frames: the first trajectory is whole, the second is not."""
    model, metadata = mortal(tmp_path, 4)
    inputs = {"code": code, "model": model, "trajectories": trajectories, "metadata": metadata}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.is_finished_ok, node.exit_message
    killed, finished = jobs_of(node)
    assert killed.exit_status == INTERRUPTED
    assert killed.outputs.results["summary"]["n_completed"] == 3
    assert list(killed.outputs.properties_of) == ["a_silver"]
    assert finished.inputs.restart_from.uuid == killed.outputs.retrieved.uuid
    assert finished.outputs.results["summary"]["n_resumed"] == 3
    undisturbed, _ = run_get_node(EvaluateCalculation, **inputs)
    for key, wanted in undisturbed["properties_of"].items():
        for name in wanted.get_arraynames():
            found = outputs["properties_of"][key].get_array(name)
            assert np.array_equal(found, wanted.get_array(name), equal_nan=True), name
    partial = killed.outputs.properties_of.a_silver
    assert np.array_equal(partial.get_array("forces"), undisturbed["properties_of"]["a_silver"].get_array("forces"))


@pytest.mark.slow
def test_what_gives_up_attaches_what_is_whole(code, trajectories, tmp_path):
    model, metadata = mortal(tmp_path, 6, "MemoryError")
    inputs = {"code": code, "model": model, "trajectories": trajectories, "metadata": metadata}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.exit_status == EvaluateBaseWorkChain.exit_codes.ERROR_UNRECOVERABLE.status
    assert sorted(outputs["properties_of"]) == ["a_silver", "b_copper"]


@pytest.mark.slow
def test_frames_without_finite_forces_are_named_by_trajectory(code, tmp_path):
    _, metadata = mortal(tmp_path, 1)
    settings = {"factory": "faulty_calculators:faulty", "arguments": {"fault": "nan"}}
    model = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    nodes = {symbol: atoms_to_trajectory(rattled(bulk(symbol, cubic=True), 2, seed=0)) for symbol in ("Ag", "Au")}
    outputs, node = run_get_node(EvaluateCalculation, code=code, model=model, trajectories=nodes, metadata=metadata)
    assert node.is_finished_ok, node.exit_message
    assert outputs["results"]["outcome"] == "non-finite"
    assert outputs["results"]["summary"]["non_finite"] == ["Au/frame 0", "Au/frame 1"]
    assert np.isfinite(outputs["properties_of"]["Ag"].get_array("forces")).all()


def spoiled(scale):
    frames = rattled(bulk("Cu", cubic=True), 3, seed=3)
    frames[2].set_cell(frames[2].cell * scale)
    return atoms_to_trajectory(frames)


def dense():
    return atoms_to_trajectory([bulk("Cu", a=0.5)])


@pytest.mark.parametrize("process", [EvaluateCalculation, EvaluateBaseWorkChain])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict, "there is nothing to evaluate: give structures, a trajectory, trajectories or a dataset"),
        (
            lambda: {"trajectories": {}},
            "there is nothing to evaluate: give structures, a trajectory, trajectories or a dataset",
        ),
        (lambda: {"trajectories": {"one": spoiled(1), "two": spoiled(0.1)}}, "trajectory 'two': frame 2 has a cell of"),
        (lambda: {"trajectories": {"bad": dense()}}, "trajectory 'bad': structure 'frame 0' has a cell of"),
        (
            lambda: {"trajectories": {"iron": atoms_to_trajectory([bulk("Fe")])}},
            "trajectory 'iron' contains Fe, which model emt does not know",
        ),
        (
            lambda: {"trajectories": {"one": spoiled(1)}, "trajectory": spoiled(1)},
            "give structures, a trajectory, trajectories or a dataset: one of them, and no other",
        ),
        (
            lambda: {"trajectories": {"one": spoiled(1)}, "structures": {"two": from_atoms(bulk("Cu"))}},
            "give structures, a trajectory, trajectories or a dataset: one of them, and no other",
        ),
    ],
)
def test_what_cannot_be_evaluated(code, model, process, given, message):
    inputs = {"code": code, "model": model, **given()}
    with pytest.raises(ValueError, match=message) as refusal:
        run_get_node(process, **({"evaluate": inputs} if process is EvaluateBaseWorkChain else inputs))
    assert len([line for line in str(refusal.value).splitlines() if line.strip()]) == 1


def test_labels_of_frames():
    assert frame_label(7) == "frame 7"
    assert frame_label(7, "copper") == "copper/frame 7"


def test_parts_of_properties():
    n_atoms = np.array([2, 1, 3, 2])
    arrays = {"n_atoms": n_atoms, "energies": np.arange(4.0), "forces": np.arange(24.0).reshape(8, 3)}
    first, second = split_properties(arrays, [1, 2])  # and one that is left over
    assert first["energies"].tolist() == [0.0]
    assert first["forces"].tolist() == arrays["forces"][:2].tolist()
    assert second["n_atoms"].tolist() == [1, 3]
    assert second["forces"].tolist() == arrays["forces"][2:6].tolist()
    assert split_properties(arrays, []) == []


@pytest.mark.parametrize("workflow", [PhononWorkChain, AnharmonicityWorkChain])
def test_workflows_that_say_what_is_evaluated_do_not_ask_for_it(workflow):
    ports = workflow.spec().inputs["forces"]["evaluate"]
    assert not {*EvaluateCalculation.TREATED} & {*ports}
