"""ComparisonWorkChain with ASE's own potentials: a row for each model, whatever becomes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData
from ase.build import bulk
from click.testing import CliRunner

from aiida_crucible.nodes import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.report.write import write_report
from aiida_crucible.workflows.comparison import ComparisonWorkChain
from aiida_crucible.workflows.speed import SpeedWorkChain

HELPERS = Path(__file__).parents[1] / "helpers"
QUICK = {"mesh": [4, 4, 4], "dos_mesh": [6, 6, 6], "band_points": 11, "supercell_matrix": [2, 2, 2]}
OVERRIDES = {"reliability": {"phonon": {"parameters": QUICK}}}


def of_ase(factory, **arguments):
    settings = {"factory": factory, "arguments": arguments}
    return ModelData.get_or_create("ase", trust_code=True, settings=settings)


def models_of(code, model):
    return {
        "emt": (code, model),
        "asap": (code, of_ase("ase.calculators.emt:EMT", asap_cutoff=True)),
        "lennard_jones": (code, of_ase("ase.calculators.lj:LennardJones", sigma=2.3, epsilon=0.4, rc=6.0)),
    }


@pytest.fixture(scope="module")
def compared(code, model):
    builder = ComparisonWorkChain.get_builder_from_protocol(
        models_of(code, model),
        from_atoms(bulk("Cu", a=3.61)),
        "fast",
        reference={"source": "experiment", "lattice": {"a": 3.61}},
        overrides=OVERRIDES,
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return outputs, node


@pytest.mark.slow
def test_models_stand_beside_each_other(compared):
    summary = compared[0]["summary"].get_dict()
    assert set(summary["rows"]) == {"emt", "asap", "lennard_jones"}
    assert summary["rows"]["emt"]["lattice"]["a"] == pytest.approx(3.59, abs=0.01)
    assert {each["label"] for each in summary["ranking"]} == {"emt", "asap"} == set(compared[0]["verdicts"])
    assert summary["agreement"]["answer"] == "cannot-tell"  # two models


@pytest.mark.slow
def test_a_model_that_fails_its_verification_is_a_row(compared):
    """ASE's Lennard-Jones takes all species for one."""
    reason = compared[0]["summary"]["failed"]["lennard_jones"]
    assert "ignores-species" in reason and "\n" not in reason


@pytest.mark.slow
def test_the_page_has_every_model(compared, tmp_path):
    files = write_report([compared[1]], tmp_path / "page.html")
    page = files[0].read_text()
    assert "The models beside each other" in page and "Where the models agree" in page
    assert "ignores-species" in page


@pytest.mark.slow
def test_a_model_that_does_not_know_an_element_is_a_row(code, model):
    """EMT has no silicon: refused beforehand. Where every model fails, that is what is told."""
    models = {
        "emt": (code, model),
        "lennard_jones": (code, of_ase("ase.calculators.lj:LennardJones", sigma=2.1, epsilon=0.4, rc=6.0)),
    }
    builder = ComparisonWorkChain.get_builder_from_protocol(
        models, from_atoms(bulk("Si", "fcc", a=3.9)), "fast", overrides=OVERRIDES
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    summary = outputs["summary"].get_dict()
    assert "Si" in summary["failed"]["emt"] and "\n" not in summary["failed"]["emt"]
    assert set(summary["failed"]) == set(models) and summary["ranking"] == [] and "verdicts" not in outputs
    assert summary["agreement"]["answer"] == "cannot-tell"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": {}}, "there is nothing to compare"),
        ({"twice": True}, "are the same model: give it once"),
        ({"reference": {"energy_differences": {"bcc": 0.1}}}, "is of no competing phase"),
        ({"protocol": "fats"}, "there is no protocol 'fats'"),
        ({"overrides": {"reliability": {"phonons": {}}}}, "phonon"),
    ],
    ids=["none", "twice", "reference", "protocol", "override"],
)
def test_bad_input_is_one_line(code, model, change, said):
    models = {"one": (code, model)}
    if change.pop("twice", False):
        models["two"] = (code, model)
    arguments = {"models": models, "protocol": "fast", "overrides": OVERRIDES, **change}
    with pytest.raises(ValueError, match=said) as raised:
        ComparisonWorkChain.get_builder_from_protocol(
            arguments.pop("models"), from_atoms(bulk("Cu", a=3.61)), arguments.pop("protocol"), **arguments
        )
    assert "\n" not in str(raised.value)


def test_the_command_checks_before_it_starts(code, model):
    from aiida_crucible.cli.compare import compare

    told = CliRunner().invoke(compare, ["Cu:fcc:3.61", "-m", "emt", "-m", "emt"])
    assert told.exit_code != 0 and "a model is given twice" in str(told.exception or told.output)
    told = CliRunner().invoke(compare, ["Cu:fcc:3.61", "-m", "nep:a-b.txt", "-m", "nep:a_b.txt"])
    assert told.exit_code != 0 and "have the same label (nep_a_bptxt)" in str(told.exception or told.output)


POLAR = {
    "polarization": {
        "parameters": {"temperatures": [300], "supercell_matrix": [2, 2, 2], "stability_time": 0.1},
        "base": {"dynamics": {"parameters": {"steps": 60, "frame_interval": 5}}},
    },
    "speed": {"base": {"speed": {"parameters": {"repeats": [1, 2], "steps": 3, "largest_batch": 2}}}},
}


@pytest.fixture(scope="module")
def alloy():
    """Return a crystal of two elements in which the second is off its site, and the same with it there."""
    symmetric = bulk("NiAl", "cesiumchloride", a=2.9)
    polar = symmetric.copy()
    polar.positions[1, 2] += 0.02
    return from_atoms(polar), from_atoms(symmetric)


@pytest.mark.slow
def test_polarization_and_speed_are_asked_of_all_that_are_sound(code, model, alloy, tmp_path):
    structure, symmetric = alloy
    charges = ArrayData({"charges": np.array([np.eye(3), -np.eye(3)])})
    polar = {**POLAR["polarization"], "reference_structure": symmetric, "born_charges": charges}
    builder = ComparisonWorkChain.get_builder_from_protocol(
        models_of(code, model),
        structure,
        "fast",
        overrides={**OVERRIDES, "speed": POLAR["speed"], "polarization": polar},
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    rows = outputs["summary"]["rows"]
    assert {label: len(rows[label].get("polarization", [])) for label in rows} == {
        "emt": 1, "asap": 1, "lennard_jones": 0,
    }  # fmt: skip
    found = rows["emt"]["polarization"][0]
    assert found["temperature"] == 300 and found["value"] is not None and rows["emt"]["missing"] == {}
    assert set(outputs["speed"]["models"]) == {"emt", "asap"}
    called = {each.label or each.base.attributes.get("process_label") for each in node.called}
    assert called
    text = write_report([node], tmp_path / "report.html")[0].read_text()
    assert "Polarization of" in text and "What a force call costs" in text


@pytest.mark.slow
def test_a_timing_tells_of_what_it_could_not_time(code, model):
    knows_no_copper = of_ase("bounded_calculators:bounded", n_atoms=4, beyond="MemoryError")
    models = {"emt": (code, model), "bounded": (code, knows_no_copper)}
    builder = SpeedWorkChain.get_builder_from_protocol(
        models,
        from_atoms(bulk("Cu", cubic=True)),
        "fast",
        options={"environment_variables": {"PYTHONPATH": str(HELPERS)}},
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    sizes = {label: [size["outcome"] for size in each["sizes"]] for label, each in outputs["summary"]["models"].items()}
    assert sizes == {"emt": ["measured", "measured"], "bounded": ["measured", "out-of-memory"]}


@pytest.mark.parametrize("chain", [SpeedWorkChain, ComparisonWorkChain])
def test_elements_that_nobody_knows_are_refused_before_anything_runs(chain, code, model):
    with pytest.raises(ValueError, match="contains Si, which model emt does not know") as caught:
        chain.get_builder_from_protocol({"emt": (code, model)}, from_atoms(bulk("Si")), "fast")
    assert "\n" not in str(caught.value)


def test_the_published_question_needs_no_structure(code, model):
    every = ModelData.get_or_create("ase", trust_code=True, settings={"factory": "ase.calculators.lj:LennardJones"})
    builder = ComparisonWorkChain.get_builder_from_protocol({"one": (code, every)}, protocol="pto-test-small")
    assert builder.structure.get_formula() == "O3PbTi" and set(builder.competing) == {"cubic"}
    assert builder.reference["transition_temperature"] == 760.0
    sweep = builder.reliability.sweep
    assert (
        np.linalg.det(sweep.parameters["supercell_matrix"]) == pytest.approx(8)
        and sweep.base.dynamics.parameters["steps"] == 2000
    )
    assert builder.polarization.parameters["cell_lengths"] == [3.90, 3.90, 4.15]
    assert builder.polarization.born_charges.get_array("charges")[1, 0, 0] == pytest.approx(7.06, abs=0.1)
    whole = ComparisonWorkChain.get_builder_from_protocol({"one": (code, every)}, protocol="pto-test")
    assert len(whole.reliability.sweep.parameters["temperatures"]) == 8
    assert whole.polarization.base.dynamics.parameters["steps"] == 50000


def test_the_published_runs_without_its_crystal(code, model):
    """The protocol's settings may serve another crystal, which has no charges then."""
    builder = ComparisonWorkChain.get_builder_from_protocol(
        {"emt": (code, model)}, from_atoms(bulk("Cu", cubic=True)), "pto-test-small"
    )
    assert not builder.polarization.parameters and "competing" not in builder._inputs(prune=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "emt"], "there is no crystal to ask about"),
        (["Cu:fcc:3.61", "-m", "emt", "--small"], "--small goes with --protocol pto-test"),
        (["--protocol", "pto-test", "--phase", "Cu:bcc:2.9", "-m", "emt"], "are of a structure"),
    ],
)
def test_what_is_missing_is_said_in_one_line(code, arguments, said):
    from aiida_crucible.cli import main

    ended = CliRunner().invoke(main, ["compare", *arguments, "--yes", "--dry-run"])
    assert ended.exit_code and said in ended.output and "Traceback" not in ended.output
