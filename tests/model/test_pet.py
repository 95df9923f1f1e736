"""PET and models of metatomic's: units, ensembles, what is refused, and phonons with the spread of an ensemble."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from aiida.engine import run
from aiida.orm import InstalledCode
from ase.build import bulk
from click.testing import CliRunner
from numpy.testing import assert_allclose

from aiida_crucible.calculations.evaluate import EvaluateCalculation
from aiida_crucible.cli.model import model as model_group
from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.workflows.phonon import PhononWorkChain
from aiida_crucible.workflows.relax import RelaxWorkChain

HELPER = Path(__file__).parents[1] / "helpers" / "pet_models.py"
EXPECTED = 0.9545
"""The part of normally distributed errors within two standard deviations."""

pytestmark = [pytest.mark.model, pytest.mark.long]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pet")


@pytest.fixture(scope="module")
def outcome(run_in, folder):
    report = folder / "report.json"
    finished = run_in("pet", HELPER, folder, report, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return json.loads(report.read_text())


@pytest.mark.parametrize(
    ("what", "condition", "words"),
    [
        ("untrusted", "CHECKPOINT_UNTRUSTED", ["AtomisticModel", "trust_pickle"]),
        ("another program", "CHECKPOINT_OF_ANOTHER_FAMILY", ["none of pet"]),
        ("plain tensors", "CHECKPOINT_OF_ANOTHER_FAMILY", ["none of pet"]),
        *((f"truncated to {part}/8", "CHECKPOINT_UNREADABLE", ["truncated"]) for part in (1, 4, 7)),
        ("no energy", "CHECKPOINT_UNREADABLE", ["no energy", "mtt::dos"]),
        ("no unit of length", "CHECKPOINT_UNREADABLE", ["unit of its length"]),
        ("no unit of energy", "CHECKPOINT_UNREADABLE", ["unit of its energy"]),
        ("charge", "CHECKPOINT_UNREADABLE", ["needs charge"]),
        ("no gradient", "CHECKPOINT_UNREADABLE", ["differentiated"]),
        ("no elements", "CHECKPOINT_UNREADABLE", ["-1"]),
        ("another device", "DEVICE_UNAVAILABLE", ["choose cuda"]),
        ("another precision", "INVALID_JOB", ["float64", "choose float32"]),
        ("only variants", "INVALID_JOB", ["pbe, twice"]),
        ("another variant", "INVALID_JOB", ["'pbe'"]),
        ("too many members", "INVALID_JOB", ["its ensemble has 3"]),
        ("one member", "INVALID_JOB", ["give 2 or more"]),
        ("members of nothing", "INVALID_JOB", ["no ensemble"]),
        ("by name, members of nothing", "INVALID_JOB", ["pet-omat-s-v1.0.0 has no ensemble"]),
        ("gold", "UNSUPPORTED_ELEMENT", ["Au"]),
    ],
)
def test_what_is_refused_is_refused_in_one_line(outcome, what, condition, words):
    found, message = outcome[what]
    assert found == condition and all(word in message for word in words), message
    assert "\n" not in message and len(message) < 400


def test_weights_by_name_are_loaded_or_the_message_says_how_to_get_them(outcome):
    if outcome["by name"] is not None:
        condition, message = outcome["by name"]
        assert condition == "CHECKPOINT_MISSING" and "pet-mad-s-v1.6.0" in message and "\n" not in message


def test_units_are_converted_and_forces_are_the_energys_own(outcome):
    assert outcome["formula"] < 1e-10 and outcome["units"] < 1e-10 and outcome["variant"] < 1e-12


def test_an_exported_model_and_its_checkpoint_are_the_same(outcome):
    assert outcome["exported and checkpoint"] < 1e-10


def test_left_handed_cells_slabs_and_molecules_are_treated_right(outcome):
    assert outcome["left-handed"] < 1e-10 and outcome["slab"] < 1e-10 and outcome["molecule"]


def test_members_are_those_that_were_asked_for_and_their_mean_is_the_model(outcome):
    assert outcome["sizes"] == [16, 4, 0, 16]
    assert outcome["shapes"] == [[16], [16, 4, 3], [16, 6]]
    assert outcome["mean"] < 1e-10 and outcome["first of many"] < 1e-10
    assert outcome["spread"] > 1e-3 and outcome["no members in the calculator"] == 0


def test_forces_and_stresses_of_members_are_gradients_of_their_energies(outcome):
    assert outcome["forces of members"] < 1e-5 and outcome["stresses of members"] < 1e-5
    # TorchScript rounds the factors of this model to single precision.
    assert outcome["members"] < 1e-6


@pytest.mark.parametrize("what", ["energies", "forces"])
def test_two_standard_deviations_hold_most_errors_on_frames_that_were_left_out(outcome, what, record_property):
    for figure in ("coverage", "error", "spread"):
        record_property(f"{figure} of {what}", outcome[f"{figure} of {what}"])
    # 60 energies: three standard errors of their share are 8 %; forces of one frame are not independent.
    assert abs(outcome[f"coverage of {what}"] - EXPECTED) < 0.1


@pytest.fixture(scope="module")
def code(computer, python_of):
    return InstalledCode(label="pet", computer=computer, filepath_executable=str(python_of("pet"))).store()


@pytest.fixture(scope="module")
def weights(outcome, folder):
    kept = folder / "llpr.pt"
    shutil.copy(folder / "trained" / "llpr.pt", kept)
    return kept


def node(weights, **settings):
    return ModelData.get_or_create(
        "pet", checkpoint=weights, dtype="float64", settings=settings, trust_pickle=True, elements=["Cu", "Al", "Ni"]
    )


def test_evaluate_gives_what_the_members_say(code, weights):
    structures = {"copper": from_atoms(bulk("Cu")), "alloy": from_atoms(bulk("CuAl", "cesiumchloride", 3.0))}
    with_members, alone = (
        run(EvaluateCalculation, code=code, model=model, structures=structures)["properties"]
        for model in (node(weights, ensemble=4), node(weights))
    )
    assert with_members.get_array("ensemble_energies").shape == (2, 4)
    for name in ("energies", "forces", "stresses"):
        assert_allclose(with_members.get_array(name), alone.get_array(name), atol=1e-10)
    assert_allclose(with_members.get_array("ensemble_energies").mean(axis=1), alone.get_array("energies"), atol=1e-10)
    assert not [name for name in alone.get_arraynames() if name.startswith("ensemble")]


def test_phonons_have_the_spread_of_the_members(code, weights):
    builder = PhononWorkChain.get_builder_from_protocol(
        code,
        node(weights, ensemble=8),
        from_atoms(bulk("Cu")),
        "fast",
        overrides={"parameters": {"supercell_matrix": [2, 2, 2]}},
    )
    builder.pop("relax")
    outputs = run(builder)
    assert outputs["summary"].get_dict()["committee"]["n_members"] == 8
    spread = outputs["bands"].get_array("spread")
    assert spread.shape == outputs["bands"].get_bands().shape and np.isfinite(spread).all() and spread.max() > 0


def test_a_relaxed_crystal_has_the_lattice_of_each_member(code, weights):
    """Each is asked alone, which the engine does by differentiating its energy only."""
    builder = RelaxWorkChain.get_builder_from_protocol(code, node(weights, ensemble=3), from_atoms(bulk("Cu")), "fast")
    structure = run(builder)["summary"]["structures"]["structure"]
    assert structure["outcome"] == "converged"
    found = structure["ensemble"]
    assert found["n_members"] == 3
    lattices = found["lattice"]["a"]
    assert len(lattices) == found["n_converged"] > 1 and len(set(lattices)) > 1


def test_the_command_line_says_that_there_is_an_ensemble(weights):
    shown = CliRunner().invoke(model_group, ["show", str(node(weights, ensemble=4).pk)])
    assert "4 members say their own" in shown.output, shown.output
