"""``crucible.verify`` and its WorkChain: found again where nothing changed, run again where something did."""

from __future__ import annotations

import sys

import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, InstalledCode, QueryBuilder

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.calculations.verifications import find_verification
from aiida_crucible.calculations.verify.calculation import VerifyCalculation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.report.verification import WIDTH, format_verification
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain

FAULTY = {"factory": "planted_calculators:emt_with_stress_in_gpa"}


@pytest.fixture
def faulty_code(localhost, request):
    """Return this interpreter with the tests' helpers on its path."""
    helpers = request.config.rootpath / "tests" / "helpers"
    label = "python-with-helpers"
    found = QueryBuilder().append(InstalledCode, filters={"label": label}).first(flat=True)
    python = InstalledCode(
        label=label,
        computer=localhost,
        filepath_executable=sys.executable,
        prepend_text=f"export PYTHONPATH={helpers}",
    )
    return found or python.store()


@pytest.fixture
def faulty_model(aiida_profile):
    """Return EMT with its stress in GPa, as an ASE calculator of the user's own."""
    return ModelData.get_or_create("ase", trust_code=True, dtype="float64", settings=FAULTY)


@pytest.fixture
def without_stress(aiida_profile):
    """Return EMT without stresses, as an ASE calculator of the user's own."""
    settings = {"factory": "forgetful_calculators:make", "arguments": {"name": "NoStress"}}
    return ModelData.get_or_create("ase", trust_code=True, dtype="float64", settings=settings)


@pytest.fixture
def changing(localhost, tmp_path):
    """Return the file of a calculator's class, a Code that finds it, and its model."""
    file = tmp_path / "changing_potential.py"
    file.write_text("from ase.calculators.emt import EMT\n\nclass Changing(EMT):\n    pass\n")
    (tmp_path / "changing_factory.py").write_text("from changing_potential import Changing\n\nmake = Changing\n")
    code = InstalledCode(
        label="python-with-changing",
        computer=localhost,
        filepath_executable=sys.executable,
        prepend_text=f"export PYTHONPATH={tmp_path}",
    )
    settings = {"factory": "changing_factory:make"}
    return file, code.store(), ModelData.get_or_create("ase", trust_code=True, dtype="float64", settings=settings)


def digest_in(outputs):
    return outputs["results"].get_dict()["model"]["sha256"]


def run(code, model, **inputs):
    return run_get_node(VerifyWorkChain, code=code, model=model, **inputs)


def jobs_of(node):
    return [child for child in node.called if isinstance(child, CalcJobNode)]


@pytest.fixture
def verified(code):
    """Return a model that was verified, and its WorkChain."""
    model = ModelData.get_or_create("emt")
    outputs, node = run(code, model)
    assert node.is_finished_ok, node.exit_message
    return model, outputs, node


@pytest.mark.slow
def test_sound_model(code, model, copper):
    outputs, node = run_get_node(VerifyCalculation, code=code, model=model, structures={"copper": copper})
    assert node.is_finished_ok, node.exit_message
    results = outputs["results"].get_dict()
    assert results["outcome"] == "passed"
    assert results["summary"]["faults"] == []
    assert results["summary"]["force_noise"] < 1e-12
    assert "copper" in [probe["label"] for probe in results["summary"]["probes"]]
    statuses = {check["name"]: check["status"] for check in results["summary"]["checks"]}
    assert statuses["fingerprint"] == statuses["weights"] == statuses["stress unit"] == "passed"


@pytest.mark.slow
def test_verification_is_found_again(verified, code, localhost):
    model, outputs, _ = verified
    again, node = run(code, model)
    assert node.is_finished_ok, node.exit_message
    assert jobs_of(node) == []
    assert again["results"].uuid == outputs["results"].uuid
    same_place = InstalledCode(label="twin", computer=localhost, filepath_executable=str(code.filepath_executable))
    assert find_verification(same_place.store(), model).outputs.results.uuid == outputs["results"].uuid


@pytest.mark.slow
@pytest.mark.parametrize("change", ["code", "parameters", "structures", "device", "model", "protocol", "package"])
def test_verification_of_something_else_is_not_taken(verified, code, localhost, copper, monkeypatch, change):
    model, _, _ = verified
    assert find_verification(code, model) is not None
    arguments = {"code": code, "model": model}
    if change == "code":
        elsewhere = InstalledCode(label="other", computer=localhost, filepath_executable="/usr/bin/python3")
        arguments["code"] = elsewhere.store()
    elif change == "parameters":
        arguments["parameters"] = {"seed": 5}
    elif change == "structures":
        arguments["structures"] = {"copper": copper}
    elif change == "device":
        arguments["device"] = "cuda"
    elif change == "model":
        arguments["model"] = ModelData.get_or_create("ase", trust_code=True, dtype="float64", settings=FAULTY)
    elif change == "protocol":
        monkeypatch.setattr("aiida_crucible.calculations.verifications.PROTOCOL", 10**6)
    elif change == "package":
        changed = InstalledCode(label="new", computer=localhost, filepath_executable=str(code.filepath_executable))
        changed.store()
        changed.base.extras.set("crucible_environment", {"family": "emt", "package": "ase", "version": "99.0"})
        arguments["code"] = changed
    assert find_verification(**arguments) is None


@pytest.mark.slow
def test_verification_is_made_again_on_request(verified, code):
    model, outputs, _ = verified
    again, node = run(code, model, again=True)
    assert len(jobs_of(node)) == 1
    assert again["results"].uuid != outputs["results"].uuid
    assert find_verification(code, model).outputs.results.uuid == again["results"].uuid


@pytest.mark.slow
def test_calculator_that_was_edited_is_refused_until_it_is_verified_again(changing, copper):
    file, code, model = changing
    first, node = run(code, model)
    assert node.is_finished_ok, node.exit_message
    evaluate = {"code": code, "model": model, "structures": {"copper": copper}}
    assert run_get_node(EvaluateCalculation, **evaluate)[1].is_finished_ok

    file.write_text(file.read_text() + "    changed = True\n")
    failed = run_get_node(EvaluateCalculation, **evaluate)[1]
    assert failed.exit_status == EvaluateCalculation.exit_codes.ERROR_WEIGHTS_MISMATCH.status
    assert "model verify --again" in failed.exit_message

    again, node = run(code, model, again=True)
    assert node.is_finished_ok, node.exit_message
    assert digest_in(again) != digest_in(first)
    assert run_get_node(EvaluateCalculation, **evaluate)[1].is_finished_ok
    assert run(code, model)[0]["results"].uuid == again["results"].uuid


@pytest.mark.slow
def test_verification_does_not_stand_for_what_a_later_job_loaded(verified, code, copper):
    """A verification is of the digest that the engine reported, and not of whatever the node's name stands for."""
    model, _, _ = verified
    assert find_verification(code, model) is not None
    later = CalcJobNode(computer=code.computer, process_type="aiida.calculations:crucible.evaluate")
    for name, node in {"code": code, "model": model}.items():
        later.base.links.add_incoming(node, LinkType.INPUT_CALC, name)
    later.store()
    other = Dict({"model": {"sha256": "0" * 64}})
    other.base.links.add_incoming(later, LinkType.CREATE, "results")
    other.store()
    assert find_verification(code, model) is None


@pytest.mark.slow
def test_what_needs_a_stress_is_refused(faulty_code, without_stress, copper):
    relax = {"structures": {"copper": copper}, "metadata": {"options": {}}}
    with_cell = {"code": faulty_code, "model": without_stress, "structures": {"copper": copper}}
    _, node = run_get_node(RelaxWorkChain, **with_cell)
    assert node.exit_status == RelaxWorkChain.exit_codes.ERROR_CAPABILITY_MISSING.status
    assert "gives no stress" in node.exit_message
    assert "\n" not in node.exit_message

    assert find_verification(faulty_code, without_stress) is not None
    with pytest.raises(ValueError, match="gives no stress"):
        run_get_node(RelaxWorkChain, **with_cell)
    with pytest.raises(ValueError, match="set cell to 'fixed'"):
        run_get_node(RelaxCalculation, code=faulty_code, model=without_stress, **relax)
    dynamics = {"code": faulty_code, "model": without_stress, "structure": copper}
    with pytest.raises(ValueError, match="choose an nvt ensemble"):
        run_get_node(DynamicsCalculation, **dynamics, parameters={"ensemble": "npt-mtk", "steps": 2})
    fixed = run_get_node(
        RelaxCalculation, code=faulty_code, model=without_stress, parameters={"cell": "fixed"}, **relax
    )
    assert fixed[1].is_finished_ok


@pytest.mark.slow
def test_failure_stops_by_default_and_goes_on_when_told(faulty_code, faulty_model):
    outputs, node = run(faulty_code, faulty_model)
    assert node.exit_status == VerifyWorkChain.exit_codes.ERROR_VERIFICATION_FAILED.status
    assert "stress-in-GPa" in node.exit_message
    assert "\n" not in node.exit_message
    assert outputs["results"].get_dict()["summary"]["faults"] == ["stress-in-GPa"]

    again, node = run(faulty_code, faulty_model, on_failure="continue")
    assert node.is_finished_ok
    assert again["results"].uuid == outputs["results"].uuid

    table = format_verification(outputs["results"].get_dict())
    assert max(map(len, table.splitlines())) <= WIDTH
    assert "stress-in-GPa" in table
    assert "160.2" in table


@pytest.mark.slow
def test_job_that_cannot_run_is_no_verification(code):
    missing = ModelData.get_or_create(
        "ase", trust_code=True, dtype="float64", settings={"factory": "no_such_module:calculator"}
    )
    outputs, node = run(code, missing)
    assert node.exit_status == VerifyWorkChain.exit_codes.ERROR_VERIFICATION_UNFINISHED.status
    assert "no_such_module" in node.exit_message
    assert "results" not in outputs


def test_on_failure_misspelt(code, model):
    with pytest.raises(ValueError, match="give 'stop' or 'continue'"):
        run(code, model, on_failure="ignore")


def test_protocols(code, model, copper):
    assert set(VerifyWorkChain.get_available_protocols()) == {"fast", "balanced", "stringent", "pto-test"}
    builder = VerifyWorkChain.get_builder_from_protocol(
        code, model, copper, overrides={"on_failure": "continue"}, options={"device": "cpu"}
    )
    assert builder.on_failure.value == "continue"
    assert builder.verify.structures["structure"].uuid == copper.uuid
    assert builder.verify.metadata.options.device == "cpu"
    with pytest.raises(ValueError, match="did you mean 'balanced'"):
        VerifyWorkChain.get_builder_from_protocol(code, model, protocol="balance")
