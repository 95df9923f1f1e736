"""What is wrong with a reference, or with frames to compare, is one clear line, as early as it can be known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData, Dict, Node, QueryBuilder, TrajectoryData
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from click.testing import CliRunner
from engine_jobs import HELPERS
from golden_references import frame_of, solved
from phonopy.file_IO import write_FORCE_CONSTANTS, write_force_constants_to_hdf5, write_FORCE_SETS
from similarity_jobs import STAND_IN, salt_frames

from aiida_crucible.analysis.anharmonicity.combinations import REFERENCE, Combination
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms as from_phonopy
from aiida_crucible.calculations.similarity.calculation import SimilarityCalculation
from aiida_crucible.cli import main
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms
from aiida_crucible.workflows.anharmonicity.calcfunctions import measure_anharmonicity
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain
from aiida_crucible.workflows.harmonic_comparison.workchain import HarmonicComparisonWorkChain

SUPERCELL = (3, 2, 2)
OPTIONS = {"environment_variables": {"PYTHONPATH": os.pathsep.join(map(str, [HELPERS, STAND_IN]))}}


@pytest.fixture(scope="module")
def phonon():
    return solved(1.0)


@pytest.fixture(scope="module")
def cell(phonon):
    return from_phonopy(phonon.unitcell)


@pytest.fixture
def folder(tmp_path, monkeypatch, phonon, cell):
    """Go to a folder with the crystal, its supercell and phonopy's files of them."""
    monkeypatch.chdir(tmp_path)
    write("cell.vasp", cell, format="vasp", direct=True)
    write("supercell.vasp", from_phonopy(phonon.supercell), format="vasp", direct=True)
    write_FORCE_SETS(phonon.dataset, filename="FORCE_SETS")
    write_FORCE_CONSTANTS(phonon.force_constants, filename="FORCE_CONSTANTS", p2s_map=phonon.primitive.p2s_map)
    return tmp_path


@pytest.fixture
def run(folder, forgotten):
    """Return a function that imports and returns the lines that it wrote."""

    def run(*arguments, status=0):
        result = CliRunner().invoke(main, ["reference", "import", *map(str, arguments)])
        assert result.exit_code == status, result.output
        return result.output.splitlines()

    return run


@pytest.fixture
def refusal(run):
    """Return a function that expects an import to be refused, and returns the one line that says why."""

    def refusal(*arguments):
        before = QueryBuilder().append(Node).count()
        (line,) = run(*arguments, status=1)
        assert QueryBuilder().append(Node).count() == before
        assert line.startswith("Error: ")
        return line.removeprefix("Error: ")

    return refusal


def reordered(frame, order):
    other = frame[order]
    other.calc = SinglePointCalculator(other, energy=-1.0, forces=frame.get_forces()[order])
    return other


@pytest.fixture
def frames(cell):
    return [frame_of(cell * SUPERCELL, seed) for seed in range(4)]


@pytest.fixture
def swapped(frames):
    """Return frames of which the third has its first two atoms of copper exchanged."""
    copper = np.flatnonzero(frames[0].symbols == "Cu")
    order = np.arange(len(frames[0]))
    order[copper[[0, 1]]] = order[copper[[1, 0]]]
    return [*frames[:2], reordered(frames[2], order), frames[3]]


# Supercells that do not match


def test_force_constants_of_another_supercell(refusal):
    assert refusal("phonons", "FORCE_CONSTANTS", "--structure", "cell.vasp", "--supercell", 2, 2, 2) == (
        "FORCE_CONSTANTS holds force constants of shape (2, 24, 3, 3), but the supercell has 16 atoms and the "
        "primitive cell 2: give the supercell that they were computed in"
    )
    assert refusal("phonons", "FORCE_SETS", "--structure", "cell.vasp", "--supercell", 2, 2, 2) == (
        "FORCE_SETS holds forces on 24 atoms, but the supercell has 16: give the supercell that they were computed in"
    )


def test_force_constants_of_a_supercell_of_as_many_atoms(refusal):
    assert refusal("phonons", "FORCE_CONSTANTS", "--structure", "cell.vasp", "--supercell", 2, 3, 2) == (
        "the force constants in FORCE_CONSTANTS differ by up to 4.9 eV/Å² (0.57 of the largest one) between pairs that "
        "symmetry makes the same: its atoms come in another order than phonopy's, or the supercell is another"
    )


def test_force_constants_of_other_rows(refusal, phonon):
    rows = np.array([0, 5])
    write_FORCE_CONSTANTS(phonon.force_constants, filename="FORCE_CONSTANTS", p2s_map=rows)
    write_force_constants_to_hdf5(phonon.force_constants, filename="fc.hdf5", p2s_map=rows)
    for name in ("FORCE_CONSTANTS", "fc.hdf5"):
        assert refusal("phonons", name, "--structure", "cell.vasp", "--supercell", *SUPERCELL) == (
            f"{name} holds force constants of the supercell's atoms 1, 6, but the primitive cell has its 1, 13 "
            "(counted from 1): give the unit cell and the supercell that they were computed in"
        )


def test_frames_of_another_supercell(refusal, cell, frames):
    write("md.extxyz", frames)
    write("small.vasp", cell * (2, 2, 2), format="vasp", direct=True)
    assert refusal("trajectory", "md.extxyz", "--structure", "small.vasp") == (
        "frame 0 of md.extxyz does not fit the structure: Au12Cu12 is not made of whole cells of Au8Cu8: another "
        "composition, or the wrong unit cell"
    )


def constants_node(primitive=True):
    """Return force constants of one spring to each neighbour's place in a cubic cell of copper."""
    n_primitive, n_atoms = (1, 4) if primitive else (4, 4)
    matrix = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) if primitive else np.eye(3)
    values = np.zeros((n_primitive, n_atoms, 3, 3))
    values[np.arange(n_primitive), np.arange(n_primitive)] = np.eye(3)
    return ArrayData({"force_constants": values, "supercell_matrix": np.eye(3, dtype=int), "primitive_matrix": matrix})


def comparison(code, model, constants, **phonon):
    return HarmonicComparisonWorkChain.get_builder_from_protocol(
        code, model, from_atoms(bulk("Cu", cubic=True)), constants, "fast", overrides={"phonon": phonon}
    )


@pytest.mark.parametrize("primitive", [True, False])
def test_the_model_has_bands_of_the_cell_that_the_reference_has(code, model, primitive):
    builder = comparison(code, model, constants_node(primitive))
    assert builder.phonon.parameters["primitive"] is primitive


def test_bands_of_another_primitive_cell_are_refused_before_anything_runs(code, model):
    with pytest.raises(ValueError) as error:
        comparison(code, model, constants_node(False), parameters={"primitive": True})
    assert str(error.value) == (
        "the model's primitive cell would be Cu, the reference's is Cu4: give the same crystal, and "
        "phonon.parameters.primitive as the reference has it (False for bands of the unit cell)"
    )


def test_another_crystal_than_the_references_is_refused_before_anything_runs(code, model):
    builder = comparison(code, model, constants_node())
    builder.phonon.structure = from_atoms(bulk("Ag", cubic=True))
    with pytest.raises(ValueError, match="the model's primitive cell would be Ag, the reference's is Cu"):
        run_get_node(builder)


# Permuted atoms


def test_permuted_atoms_are_mapped(run, frames):
    order = np.random.default_rng(0).permutation(len(frames[0]))
    write("md.extxyz", [reordered(frame, order) for frame in frames])
    assert "Warning: the atoms of md.extxyz were put into the order of the structure" in run(
        "trajectory", "md.extxyz", "--structure", "supercell.vasp"
    )


def test_a_frame_in_another_order_is_refused_by_its_number(refusal, frames):
    order = np.r_[np.arange(1, len(frames[0])), 0]
    write("md.extxyz", [*frames[:2], reordered(frames[2], order)])
    assert refusal("trajectory", "md.extxyz") == (
        "frame 2 of md.extxyz has its atoms in another order: atom 0 is Au, in frame 0 Cu"
    )


def test_a_frame_with_equal_atoms_exchanged_is_told_of(run, swapped):
    write("md.extxyz", swapped)
    (line,) = [line for line in run("trajectory", "md.extxyz") if "another order" in line]
    assert line.startswith(
        "Warning: in 1 of 4 frames an atom is farther from its place in frame 0 than neighbours are from each other"
    )
    assert "of frame 2 by" in line


def test_a_supercell_in_another_order_than_phonopys(refusal, phonon):
    phonon.save("phonopy.yaml", settings={"force_constants": True})
    text = Path("phonopy.yaml").read_text()
    first, last = "- symbol: Cu # 1\n", "- symbol: Au # 24\n"
    before, supercell = text.split("\nsupercell:\n")
    assert first in supercell and last in supercell
    changed = supercell.replace(first, "- symbol: Au # 1\n").replace(last, "- symbol: Cu # 24\n")
    Path("permuted.yaml").write_text(f"{before}\nsupercell:\n{changed}")
    assert refusal("phonons", "permuted.yaml") == (
        "the supercell in permuted.yaml is not the one that phonopy makes now: atom 0 is Au 0.00 Å from where Cu "
        "belongs: the atoms come in another order, or elsewhere"
    )


# Force constants that break the sum rule


def test_a_broken_sum_rule_is_warned_of_with_its_size(run, phonon):
    values = np.array(phonon.force_constants)
    values[0, 0] += 0.3 * np.eye(3)
    write_FORCE_CONSTANTS(values, filename="FORCE_CONSTANTS", p2s_map=phonon.primitive.p2s_map)
    assert run("phonons", "FORCE_CONSTANTS", "--structure", "cell.vasp", "--supercell", *SUPERCELL)[-1] == (
        "Warning: the force constants in FORCE_CONSTANTS break the acoustic sum rule by 0.3 eV/Å² (0.034 of the "
        "largest one), which symmetrisation has taken out"
    )


# Trajectories without forces


def test_frames_without_forces(refusal, frames):
    write("bare.extxyz", [frame.copy() for frame in frames])
    assert refusal("trajectory", "bare.extxyz") == (
        "frame 0 of bare.extxyz has no forces: if an extxyz file calls them otherwise, give forces_key; set forces to "
        "'optional' where none are needed (--forces-key, --without-forces)"
    )


def test_one_frame_without_forces(refusal, frames):
    write("some.extxyz", [frames[0], frames[1].copy()])
    line = "frame 1 of some.extxyz has no forces, but frame 0 has: give frames that all have them"
    assert refusal("trajectory", "some.extxyz") == line
    assert refusal("trajectory", "some.extxyz", "--without-forces") == line


# Frames of another composition


def test_a_frame_of_another_composition(refusal, cell, frames):
    write("md.extxyz", [frames[0], frame_of((cell * SUPERCELL)[:-1], 0)])
    assert refusal("trajectory", "md.extxyz") == (
        "frame 1 of md.extxyz is of Au11Cu12, frame 0 of Au12Cu12: one trajectory has one composition"
    )


def test_frames_of_another_composition_than_the_structure(refusal):
    write("md.extxyz", [frame_of(bulk("Ag", cubic=True), 0)])
    assert refusal("trajectory", "md.extxyz", "--structure", "cell.vasp") == (
        "frame 0 of md.extxyz does not fit the structure: it is of Ag4, the structure of AuCu; give its own"
    )


def test_samplers_of_another_composition(code):
    salt = list(salt_frames(2, only=0.1).values())
    other = [bulk("KCl", "rocksalt", a=6.3)] * 2
    with pytest.raises(ValueError) as error:
        map_of(code, salt=salt, other=other)
    assert (
        "trajectories 'other' and 'salt' are of different compositions: give frames of one composition, or set the "
        "parameter mixed_compositions to true"
    ) in str(error.value)


# A single frame


def map_of(code, parameters=None, options=None, **frames):
    """Ask for a map of samplers' frames, down to where its job would be made."""
    trajectories = {name: atoms_to_trajectory(list(images)) for name, images in frames.items()}
    inputs = {"code": code, "trajectories": trajectories, "metadata": {"options": options or {}}}
    return run_get_node(SimilarityCalculation, **inputs, parameters=parameters or {})


def test_a_single_frame_imported_is_told_of(run, frames):
    write("one.extxyz", frames[:1])
    assert run("trajectory", "one.extxyz")[-1] == (
        "Warning: one.extxyz gives a single frame: no average over it has an error"
    )


def test_a_single_frame_has_no_map(code):
    with pytest.raises(ValueError, match="there are not two frames to compare: give trajectories with more"):
        map_of(code, only=salt_frames(1, only=0.1).values())


def test_a_single_frame_has_a_score_without_an_error(phonon, cell):
    structure, constants = from_atoms(cell), ArrayData(
        {
            "force_constants": phonon.force_constants,
            "supercell_matrix": np.array(phonon.supercell_matrix),
            "primitive_matrix": np.array(phonon.primitive_matrix),
        }
    )  # fmt: skip
    atoms = frame_of(cell * SUPERCELL, 0)
    trajectory: TrajectoryData = atoms_to_trajectory([atoms])
    trajectory.set_array("forces", atoms.get_forces()[None])
    combination = Dict(Combination(REFERENCE, REFERENCE, REFERENCE).as_dict())
    found = measure_anharmonicity(structure, constants, Dict({}), combination, Dict({}), reference=trajectory)
    score = found["score"].get_dict()
    assert score["sigma"]["time_averaged"]["value"] > 0
    assert score["sigma"]["time_averaged"]["standard_error"] is None
    assert "a single frame has no error bar" in score["warnings"]
    assert score["class"] == CANNOT_TELL


# A constant kernel


def test_frames_that_are_all_the_same_are_refused_before_a_job(code):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    message = "all 5 frames are the same: there is no map of them; give frames that differ"
    with pytest.raises(ValueError, match=message):
        map_of(code, a=[atoms] * 2, b=[atoms] * 3)
    trajectories = {"a": atoms_to_trajectory([atoms] * 5)}
    with pytest.raises(ValueError, match=message):
        ConfigurationSpaceWorkChain.get_builder_from_protocol(code, trajectories, "fast")


# More memory than there is


def test_more_memory_than_is_asked_of_the_scheduler(code):
    with pytest.raises(ValueError) as error:
        map_of(
            code, {"memory": 2048}, {"max_memory_kb": 1024**2}, salt=salt_frames(2, only=0.1).values()
        )  # fmt: skip
    assert (
        "memory is 2048 MiB, but metadata.options.max_memory_kb is 1048576 (1024 MiB): give less, or ask the "
        "scheduler for more"
    ) in str(error.value)


@pytest.mark.slow
def test_more_memory_than_there_is(code):
    """That the machine has less is known there alone: the job says so before it computes anything."""
    _, node = run_get_node(
        SimilarityCalculation,
        code=code,
        trajectories={"only": atoms_to_trajectory(list(salt_frames(2, only=0.1).values()))},
        parameters={"memory": 10**9},
        metadata={"options": OPTIONS},
    )
    assert "memory is 1000000000 MiB, but " in node.exit_message
    assert " MiB: give less, or ask for more" in node.exit_message


# Anharmonicity: its builder says all of it


def test_a_reference_that_does_not_fit_is_refused_by_the_builder(code, model, cell):
    trajectory = atoms_to_trajectory([bulk("Cu", cubic=True) * 2] * 3)
    copper = from_atoms(bulk("Cu"))
    arguments = (code, model, copper, "fast")
    with pytest.raises(ValueError, match="the frames have no forces: give a trajectory with an array `forces`"):
        AnharmonicityWorkChain.get_builder_from_protocol(*arguments, reference={"trajectory": trajectory})
    trajectory.set_array("forces", np.zeros((3, 32, 3)))
    for reference, message in (
        ({"trajectory": trajectory, "structure": from_atoms(bulk("Ag"))},
         "reference.trajectory does not fit to reference.structure: Cu32 is not made of whole cells of Ag"),
        ({"trajectory": trajectory, "structure": copper, "force_constants": constants_node()},
         "reference.force_constants and reference.structure: "),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message) as error:
            AnharmonicityWorkChain.get_builder_from_protocol(*arguments, reference=reference)
        assert "\n" not in str(error.value)
