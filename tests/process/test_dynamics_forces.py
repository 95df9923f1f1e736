"""Dynamics with one kind of forces of two, or both: as a CalcJob, and what is refused before anything is submitted."""

from __future__ import annotations

import sys

import pytest
from aiida.engine import run, run_get_node
from aiida.orm import Dict, InstalledCode
from click.testing import CliRunner
from two_forces import springs

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.dynamics.forces import require_both_forces
from aiida_crucible.cli.root import main
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.sweep import TemperatureSweepWorkChain
from crucible_engine.tasks.parameters import validate_parameters

SPLIT = {
    "ensemble": "nve", "steps": 16, "direct_steps": 4, "series_interval": 4, "frame_interval": 8,
    "temperatures": [300.0],
}  # fmt: skip
FACTORY = {"factory": "two_forces:Springs"}
TWO = {**FACTORY, "direct_arguments": {"swirl": 0.05}}


@pytest.fixture(scope="module")
def helpers_code(localhost, request):
    """Return this interpreter with the tests' helpers on its path."""
    helpers = request.config.rootpath / "tests" / "helpers"
    return InstalledCode(
        label="python-with-springs",
        computer=localhost,
        filepath_executable=sys.executable,
        prepend_text=f"export PYTHONPATH={helpers}",
    ).store()


def any_calculator(**settings):
    return ModelData.get_or_create("ase", trust_code=True, settings=settings)


def given(code, model, **parameters):
    return {"code": code, "model": model, "structure": from_atoms(springs()), "parameters": {**SPLIT, **parameters}}


@pytest.mark.parametrize("parameters", [{}, {"direct_steps": None, "forces": "direct"}])
def test_a_run_says_which_forces_acted(helpers_code, parameters):
    outputs, node = run_get_node(DynamicsCalculation, **given(helpers_code, any_calculator(**TWO), **parameters))
    assert node.is_finished_ok, node.exit_message
    assert outputs["results"]["summary"]["forces"] == ("direct" if parameters else "both")
    assert outputs["series"]["replica_0"].get_array("step").tolist() == [0, 4, 8, 12, 16]
    assert outputs["trajectories"]["replica_0"].get_stepids().tolist() == [0, 8, 16]


@pytest.mark.parametrize("parameters", [{}, {"direct_steps": None, "forces": "direct"}])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: ModelData.get_or_create("emt"), r"needs both kinds of forces: models of emt have one kind"),
        (lambda: any_calculator(**FACTORY), "the model of ase has one kind .* the setting 'direct_arguments'"),
    ],
)
def test_a_model_with_one_kind_is_refused_before_submission(code, model, message, parameters):
    with pytest.raises(ValueError, match=message) as caught:
        run(DynamicsCalculation, **given(code, model(), **parameters))
    assert "\n" not in str(caught.value).strip()


def test_what_a_verification_saw_is_remembered(helpers_code):
    values = validate_parameters("dynamics", SPLIT)
    seen, unseen = ({"summary": {"capabilities": {"direct_forces": has}}} for has in (True, False))
    model = any_calculator(**TWO)
    require_both_forces(values, model, helpers_code, Dict(seen))
    require_both_forces(values, model, helpers_code, Dict({"summary": {"capabilities": {}}}))
    require_both_forces(validate_parameters("dynamics", {}), model, helpers_code, Dict(unseen))
    with pytest.raises(ValueError, match="has no direct ones: leave it out, or choose another model"):
        require_both_forces(values, model, helpers_code, Dict(unseen))


OVERRIDES = {
    "base": {"dynamics": {"parameters": {"ensemble": "nvt-bussi", **{k: SPLIT[k] for k in SPLIT if k[:2] != "en"}}}}
}


def test_a_workchain_refuses_it_with_its_builder(code):
    with pytest.raises(ValueError, match="dynamics with direct_steps 4 needs both kinds of forces: models of emt"):
        TemperatureSweepWorkChain.get_builder_from_protocol(
            code, ModelData.get_or_create("emt"), from_atoms(springs()), "fast", overrides=OVERRIDES
        )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("{parameters: {both_forces: true}}", "models of emt have one kind of forces, not both"),
        ("{parameters: {both_forces: 8}}", "'both_forces' of model tests is 8"),
        ("{parameters: {direct_steps: 0}}", "'direct_steps' of model tests is 0"),
    ],
)
def test_the_command_line_refuses_it_in_one_line(code, overrides, message):
    words = ["launch", "model-tests", "Cu:fcc", "-m", "emt", "--code", code.label, "--overrides", overrides]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1 and message in result.output and result.output.count("\n") <= 2, result.output
