"""Tests of a model as a WorkChain: EMT passes, planted faults are found, bad input is one line."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, InstalledCode, SinglefileData
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from click.testing import CliRunner

from aiida_crucible.cli.root import main
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.report.findings import named_findings
from aiida_crucible.report.write import page_of, write_report
from aiida_crucible.workflows.model_tests.workchain import ModelTestsWorkChain

ONLY = dict.fromkeys(("rotations", "dimers", "robustness", "conservation", "equipartition"), False)
EMTS = {"model_theory": "EMT"}


def alloy():
    return bulk("NiAl", "cesiumchloride", a=2.95)


def labelled(path, energy=1.0, force=1.0, stress=1.0, has_stress=True, n_frames=24):
    """Write frames of an alloy labelled by EMT, in units of one's choice."""
    rng, frames = np.random.default_rng(0), []
    for number in range(n_frames):
        frame = alloy() * (2, 2, 1) if number % 2 else alloy() * (2, 1, 1)
        frame.set_cell(frame.cell.array @ (np.eye(3) + 0.03 * rng.standard_normal((3, 3))), scale_atoms=True)
        frame.rattle(0.08, rng=rng)
        frame.calc = EMT()
        results = {
            "energy": energy * frame.get_potential_energy() - 1000.0 * len(frame),
            "forces": force * frame.get_forces(),
        }
        if has_stress:
            results["stress"] = stress * frame.get_stress()
        frame.calc = SinglePointCalculator(frame, **results)
        frame.info["source"] = "hot" if number < n_frames // 2 else "cold"
        frames.append(frame)
    write(path, frames, format="extxyz")
    return path


@pytest.fixture(scope="module")
def helpers_code(localhost, request):
    """Return this interpreter with the tests' helpers on its path."""
    helpers = request.config.rootpath / "tests" / "helpers"
    return InstalledCode(
        label="python-with-planted",
        computer=localhost,
        filepath_executable=sys.executable,
        prepend_text=f"export PYTHONPATH={helpers}",
    ).store()


def run(code, model, **given):
    overrides = {"parameters": {**ONLY, **given.pop("parameters", {})}, **given.pop("overrides", {})}
    builder = ModelTestsWorkChain.get_builder_from_protocol(
        code, model, given.pop("structure", from_atoms(alloy())), "balanced", overrides=overrides, **given
    )
    return run_get_node(builder)


def steps(number):
    return {test: {"dynamics": {"parameters": {"steps": number}}} for test in ("conservation", "equipartition")}


@pytest.fixture(scope="module")
def tested(code, model, tmp_path_factory):
    """Make all tests of EMT once."""
    path = labelled(tmp_path_factory.mktemp("labels") / "alloy.extxyz")
    parameters = {**dict.fromkeys(ONLY, True), "starts": 15, "converged_share": 0.8, "supercell_length": 5.0, **EMTS}
    return run(
        code,
        model,
        parameters=parameters,
        overrides=steps(2000),
        crystals={"nickel": from_atoms(bulk("Ni")), "copper": from_atoms(bulk("Cu"))},
        labels={"alloy": {"file": path, "theory": "EMT", "subset_key": "source"}},
    )


@pytest.mark.slow
def test_emt_passes_what_it_should(tested):
    results, node = tested
    assert node.is_finished_ok, node.exit_message
    summary = results["summary"].get_dict()
    answers = {name: each["answer"] for name, each in summary.items() if isinstance(each, dict)}
    assert set(answers) == {"verification", *ONLY, "accuracy_alloy"}
    assert answers["verification"] == answers["rotations"] == answers["robustness"] == "yes"
    assert answers["accuracy_alloy"] == "yes", summary["accuracy_alloy"]["reason"]
    # A few picoseconds of few atoms may leave these open, but they are nothing that EMT fails at.
    assert answers["conservation"] != "no" and answers["equipartition"] != "no", summary


@pytest.mark.slow
def test_one_job_makes_a_test(tested):
    jobs = sorted(job.process_label for job in tested[1].called_descendants if isinstance(job, CalcJobNode))
    expected = [*["DynamicsCalculation"] * 2, *["EvaluateCalculation"] * 3, "RelaxCalculation", "VerifyCalculation"]
    assert jobs == expected


@pytest.mark.slow
def test_errors_are_told_by_element_and_subset(tested):
    evidence = tested[0]["summary"]["accuracy_alloy"]["evidence"]
    assert set(evidence["by_element"]) == {"Al", "Ni"} and set(evidence["by_subset"]) == {"hot", "cold"}
    assert evidence["n_frames"] == 24 and evidence["force"]["mean_absolute_error"] < 1e-6
    assert evidence["stress"]["mean_absolute_error"] < 1e-8


@pytest.mark.slow
def test_the_report_has_a_table_and_curves(tested, tmp_path):
    page = page_of(named_findings([tested[1]]))
    (section,) = [section for section in page.sections if section.key == "model-tests"]
    assert {type(block).__name__ for block in section.blocks} == {"Headline", "Table", "Chart"}
    assert [path for path in write_report([tested[1]], tmp_path / "page.html") if path.suffix == ".csv"]


PLANTED = {
    "lopsided": ("rotations", "the energy has a standard deviation of"),
    "soft_core": ("dimers", "the energy falls where the atoms come closer than"),
    "leaky": ("conservation", "the total energy drifts by"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault, helpers_code):
    test, said = PLANTED[fault]
    settings = {"factory": f"planted_calculators:{fault}"}
    model = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    parameters = {test: True, "supercell_length": 5.0}
    results, node = run(helpers_code, model, parameters=parameters, overrides=steps(4000))
    assert node.is_finished_ok, node.exit_message
    found = results["summary"][test]
    assert found["answer"] == "no" and said in found["reason"], found["reason"]
    assert results["summary"]["outcome"] == "failed"


TWO_HEADS = {"factory": "planted_calculators:with_heads", "direct_arguments": {"leaks": True}}
BOTH = {"conservation": True, "both_forces": True, "supercell_length": 5.0}


@pytest.mark.slow
@pytest.mark.parametrize("own", ["conservative", "direct"])
def test_kinds_of_forces_are_judged_each_and_the_models_own_decides(own, helpers_code):
    settings = TWO_HEADS if own == "conservative" else {**TWO_HEADS, "forces": "direct"}
    model = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    results, node = run(helpers_code, model, parameters=BOTH, overrides=steps(4001))
    assert node.is_finished_ok, node.exit_message
    found = results["summary"]["conservation"]
    evidence = found["evidence"]
    assert evidence["kind"] == own and found["answer"] == evidence[own]["answer"]
    assert evidence["direct"]["answer"] == "no"
    assert evidence["conservative"]["answer"] != "no" and evidence["multiple"]["answer"] != "no", found["reason"]
    drifts = {kind: abs(evidence[kind]["drift"]) for kind in ("conservative", "direct", "multiple")}
    assert drifts["direct"] > 20 * max(drifts["conservative"], drifts["multiple"])
    assert all(evidence[kind]["milliseconds_a_step"] > 0 for kind in drifts)
    assert "multiple time stepping" in found["reason"] and set(evidence["speedup"]) == {"direct", "multiple"}
    assert set(results["conservation"]) == {f"{kind}_replica_0" for kind in drifts}
    runs = [job for job in node.called_descendants if job.process_label == "DynamicsCalculation"]
    parameters = [job.inputs.parameters.get_dict() for job in runs]
    assert sorted(each.get("direct_steps") or 0 for each in parameters) == [0, 0, 8]
    assert {each["steps"] for each in parameters} == {4001, 4008}


def test_both_kinds_of_forces_are_refused_of_a_model_that_has_one(code, model, helpers_code):
    with pytest.raises(
        ValueError, match=r"'both_forces' of model tests: dynamics with direct_steps 8 needs both .* emt"
    ):
        _built(code, model, None, both_forces=True)
    single = ModelData.get_or_create("ase", trust_code=True, settings={"factory": TWO_HEADS["factory"]})
    with pytest.raises(ValueError, match="give it the setting 'direct_arguments'") as caught:
        _built(helpers_code, single, None, both_forces=True)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ({"energy": units.mol / units.kcal}, "the energy labels seem to be in kcal/mol"),
        ({"force": 1 / units.Hartree}, "the force labels seem to be in Hartree/Å"),
        ({"stress": -1.0}, "the stress labels seem to be in the other sign"),
    ],
    ids=["kcal", "Hartree", "sign"],
)
def test_labels_in_another_unit_are_told(scale, said, code, model, tmp_path):
    path = labelled(tmp_path / "odd.extxyz", **scale)
    results, _ = run(code, model, parameters=EMTS, labels={"odd": {"file": path, "theory": "EMT"}})
    found = results["summary"]["accuracy_odd"]
    assert found["answer"] == "cannot-tell" and said in found["reason"], found["reason"]


@pytest.mark.slow
def test_what_a_model_does_not_know_is_left_out_with_the_reason(code, model):
    results, node = run(code, model, parameters={"robustness": True})
    assert node.is_finished_ok
    found = results["summary"]["robustness"]
    assert found["answer"] == "cannot-tell"
    assert "BeO_wurtzite: the model does not know Be" in found["reason"] and "it would take" in found["reason"]


def _built(code, model, labels, **parameters):
    return ModelTestsWorkChain.get_builder_from_protocol(
        code, model, from_atoms(alloy()), labels=labels, overrides={"parameters": parameters}
    )


@pytest.mark.parametrize(
    ("settings", "parameters", "message"),
    [
        ({"theory": "EMT", "stress": "required"}, EMTS, "frame 0 of a.extxyz has no stress 'stress', which is"),
        ({}, EMTS, "does not say of which level of theory it is: give theory"),
        ({"theory": "EMT"}, {}, "are of EMT and the model is of LDA"),
        ({"theory": "PBEsol"}, EMTS, "are of PBEsol and the model is of EMT; .* 30 to 120 meV/atom"),
        ({"theory": "EMT", "energy_key": "mine"}, EMTS, "frame 0 of a.extxyz has no energy 'mine'"),
        ({"theory": "EMT", "start": 99}, EMTS, "has no frame from 99 on"),
        ({"theory": "EMT", "strid": 2}, EMTS, "has no parameter 'strid'.*stride"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_in_one_line(settings, parameters, message, code, model, tmp_path):
    path = labelled(tmp_path / "a.extxyz", has_stress=False, n_frames=2)
    with pytest.raises(ValueError, match=message) as caught:
        _built(code, model, {"a": {"file": path, **settings}}, **parameters)
    assert "\n" not in str(caught.value)


def test_labels_of_elements_that_the_model_does_not_know_are_refused(code, model, tmp_path):
    atoms = bulk("Si")
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((2, 3)))
    write(tmp_path / "si.extxyz", [atoms], format="extxyz")
    with pytest.raises(ValueError, match=r"every frame of the labels 'si' has elements that .* \(Si\)"):
        _built(code, model, {"si": {"file": tmp_path / "si.extxyz", "theory": "EMT"}}, **EMTS)


def test_labels_without_settings_are_refused(code, model, tmp_path):
    builder = _built(code, model, None)
    with pytest.raises(ValueError, match="labels have 'a', but label_settings have not"):
        builder.labels = {"a": SinglefileData(labelled(tmp_path / "a.extxyz", n_frames=2))}
        ModelTestsWorkChain.check_inputs({**builder._inputs(prune=True), "parameters": Dict(EMTS)})


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--labels", "a.extxyz"], "give --theory, e.g. PBEsol"),
        (["--theory", "PBE"], "but no labels: give --labels FILE"),
        (["--labels", "x=a.extxyz", "--labels", "x=b.extxyz", "--theory", "EMT"], "two labelled sets have the name"),
        (["--test", "dimer"], "there is no test 'dimer'"),
    ],
)
def test_the_command_line_says_what_is_missing(words, said, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labelled(tmp_path / "a.extxyz", n_frames=2)
    result = invoke("launch", "model-tests", "Cu:fcc", "-m", "emt", "--code", code.label, *words)
    assert result.exit_code != 0 and said in result.output and result.output.count("\n") <= 2


@pytest.mark.slow
def test_the_command_line_makes_one_test(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labelled(tmp_path / "a.extxyz")
    words = ["--code", code.label, "--test", "accuracy", "--labels", "a.extxyz", "--theory", "EMT"]
    result = invoke("launch", "model-tests", "Cu:fcc", "-m", "emt", *words, "--model-theory", "EMT")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert {name for name in summary if name != "outcome"} == {"verification", "accuracy_a"}
