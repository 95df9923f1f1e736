"""``crucible.evaluate`` from inputs to output nodes, and every bad input with its one line."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ContainerizedCode, Dict, InstalledCode, PortableCode, StructureData
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from aiida_crucible.calculations.engine_archive import engine_archive
from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms, trajectory_to_atoms
from crucible_engine.tasks.parameters import validate_parameters


@pytest.fixture
def inputs(code, model, copper):
    """Return inputs that work."""
    return {"code": code, "model": model, "structures": {"copper": copper}}


def frames_of_copper(count):
    rng = np.random.default_rng(7)
    frames = [bulk("Cu", cubic=True) for _ in range(count)]
    for frame in frames:
        frame.positions += rng.normal(0, 0.03, frame.positions.shape)
    return frames


@pytest.mark.slow
def test_structures_of_different_sizes(code, model, copper):
    supercell, carbon_monoxide = from_atoms(bulk("Cu", cubic=True) * (2, 1, 1)), from_atoms(molecule("CO"))
    structures = {"b_bulk": copper, "a_supercell": supercell, "c_molecule": carbon_monoxide}
    outputs, node = run_get_node(EvaluateCalculation, code=code, model=model, structures=structures)
    assert node.is_finished_ok, node.exit_message
    properties = outputs["properties"]
    assert properties.get_array("n_atoms").tolist() == [8, 4, 2]
    start = 0
    for index, key in enumerate(sorted(structures)):
        atoms = to_atoms(structures[key])
        atoms.calc = EMT()
        assert properties.get_array("energies")[index] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        assert np.allclose(properties.get_array("forces")[start : start + len(atoms)], atoms.get_forces(), atol=1e-10)
        stress = atoms.get_stress() if all(structures[key].pbc) else np.full(6, np.nan)
        assert np.allclose(properties.get_array("stresses")[index], stress, atol=1e-10, equal_nan=True)
        start += len(atoms)
    results = outputs["results"].get_dict()
    assert results["outcome"] == "finite"
    assert results["environment"]["packages"]["ase"]
    assert results["model"]["sha256"] == model.sha256


@pytest.mark.slow
def test_trajectory_and_what_the_repository_keeps(code, model):
    trajectory = atoms_to_trajectory(frames_of_copper(5))
    options = {"device": "cpu", "resources": {"num_machines": 1, "num_cores_per_mpiproc": 1}}
    outputs, node = run_get_node(
        EvaluateCalculation,
        code=code,
        model=model,
        trajectory=trajectory,
        parameters={"stress": False},
        metadata={"options": options},
    )
    assert node.is_finished_ok, node.exit_message
    assert outputs["properties"].get_arraynames() == ["energies", "forces", "n_atoms"]
    forces = outputs["properties"].get_array("forces")
    assert forces.shape == (5, 4, 3)
    for atoms, found in zip(trajectory_to_atoms(trajectory), forces, strict=True):
        atoms.calc = EMT()
        assert np.allclose(found, atoms.get_forces(), atol=1e-10)
    assert node.base.repository.get_object_content("crucible_engine.pyz", mode="rb") == engine_archive()
    assert "structures.npz" not in node.base.repository.list_object_names()
    assert "arrays.npz" not in outputs["retrieved"].list_object_names()
    assert "journal.bin" not in outputs["retrieved"].list_object_names()
    assert outputs["results"]["environment"]["threads"]["count"] == 1
    assert node.inputs.parameters.get_dict() == validate_parameters("evaluate", {"stress": False})


@pytest.mark.slow
def test_container(inputs, code):
    """Any command that takes an image's name and a program stands for the container's engine."""
    inputs["code"] = ContainerizedCode(
        label="container",
        computer=code.computer,
        engine_command="env IMAGE={image_name}",
        image_name="model.sif",
        filepath_executable=str(code.filepath_executable),
    ).store()
    outputs, node = run_get_node(EvaluateCalculation, **inputs)
    assert node.is_finished_ok, node.exit_message
    assert outputs["results"]["outcome"] == "finite"


def test_engine_is_the_same_file_every_time():
    assert engine_archive.__wrapped__() == engine_archive.__wrapped__()


def on_top():
    return from_atoms(Atoms("Cu2", [(0, 0, 0), (0.05, 0, 3.55)], cell=[3.6, 3.6, 3.6], pbc=True))


def alloy():
    structure = StructureData(cell=np.eye(3) * 3.6)
    structure.append_atom(symbols=["Cu", "Au"], weights=[0.5, 0.5], position=(0, 0, 0), name="CuAu")
    return structure


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda: {"structures": {"bad": from_atoms(bulk("Fe"))}},
            "'bad' contains Fe, which model emt does not",
        ),
        (lambda: {"structures": {"bad": alloy()}}, "structure 'bad': sites of kind 'CuAu' are partially occupied"),
        (lambda: {"structures": {"bad": on_top()}}, "structure 'bad' has atoms on top of each other"),
        (
            lambda: {"structures": {"bad": from_atoms(bulk("Cu", a=0.5))}},
            r"structure 'bad' has a cell of 0.0312 Å³ for 1 atoms",
        ),
        (
            lambda: {"structures": {}},
            "there is nothing to evaluate: give structures, a trajectory, trajectories or a dataset",
        ),
        (lambda: {"structures": {"bad": bulk("Cu")}}, "expected .*StructureData"),
        (
            lambda: {"trajectory": atoms_to_trajectory([bulk("Cu")])},
            "give structures, a trajectory, trajectories or a dataset: one of",
        ),
        (
            lambda: {"parameters": Dict({"batchsize": 4})},
            "no parameter 'batchsize': did you mean 'batch_size'",
        ),
        (lambda: {"parameters": {"batch_size": 0}}, "'batch_size' of evaluate is 0: it must be at least 1"),
        (lambda: {"parameters": "fast"}, "parameters are 'fast': give a dict or a Dict node"),
        (lambda: {"metadata": {"options": {"device": "gpu"}}}, "device 'gpu' is unknown: give auto, cpu, cuda"),
        (lambda: {"metadata": {"options": {"withmpi": True}}}, "the engine runs as one process, never under MPI"),
        (
            lambda: {"metadata": {"options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 4}}}},
            "asks for 4 processes: the engine is one; give it cores with num_cores_per_mpiproc",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_inputs_are_refused_before_submission(inputs, spoil, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run_get_node(EvaluateCalculation, **{**inputs, **spoil()})


def test_spoiled_trajectory_names_the_frame(code, model):
    frames = frames_of_copper(3)
    frames[2].set_cell(frames[2].cell * 0.1)
    with pytest.raises(ValueError, match="frame 2 has a cell of"):
        run_get_node(EvaluateCalculation, code=code, model=model, trajectory=atoms_to_trajectory(frames))
    with pytest.raises(ValueError, match="the trajectory contains Fe"):
        run_get_node(EvaluateCalculation, code=code, model=model, trajectory=atoms_to_trajectory([bulk("Fe")]))


def test_environment_of_another_family_is_refused(inputs, code):
    other = InstalledCode(label="chgnet", computer=code.computer, filepath_executable="/usr/bin/python").store()
    other.base.extras.set("crucible_environment", {"family": "chgnet", "version": "0.4"})
    inputs["code"] = other
    with pytest.raises(ValueError, match="is an environment of family 'chgnet', but model emt needs 'emt'"):
        run_get_node(EvaluateCalculation, **inputs)


def test_portable_code_is_refused(inputs, tmp_path, localhost):
    (tmp_path / "python").write_text("")
    inputs["code"] = PortableCode(label="portable", filepath_executable="python", filepath_files=tmp_path)
    inputs["metadata"] = {"computer": localhost}
    with pytest.raises(ValueError, match="code 'portable' is a PortableCode: give an InstalledCode"):
        run_get_node(EvaluateCalculation, **inputs)


def test_checkpoint_on_another_computer_is_refused(inputs, tmp_path, localhost, aiida_computer_local):
    (tmp_path / "mine.model").write_bytes(b"PK\x03\x04weights")
    elsewhere = aiida_computer_local(label="elsewhere")
    inputs["model"] = ModelData.get_or_create("mace", checkpoint=tmp_path / "mine.model", computer=elsewhere)
    with pytest.raises(ValueError, match="stays on computer 'elsewhere', but the code runs on 'localhost'"):
        run_get_node(EvaluateCalculation, **inputs)
