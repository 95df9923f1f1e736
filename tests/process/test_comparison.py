"""ComparisonWorkChain with ASE's own potentials: a row for each model, whatever becomes of it."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from ase.build import bulk
from click.testing import CliRunner

from aiida_crucible.nodes import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.report.write import write_report
from aiida_crucible.workflows.comparison import ComparisonWorkChain

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
