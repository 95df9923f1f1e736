"""Thermal expansion and thermal conductivity with EMT; imaginary modes, bad input, a page, the commands."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode
from ase.build import bulk
from click.testing import CliRunner

from aiida_crucible.analysis.conductivity import third_order
from aiida_crucible.cli.root import main
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.report.findings import named_findings
from aiida_crucible.report.write import page_of, write_report
from aiida_crucible.workflows.conductivity.workchain import ConductivityWorkChain
from aiida_crucible.workflows.qha.workchain import QuasiHarmonicWorkChain

pytest.importorskip("phono3py")

CHAINS = (QuasiHarmonicWorkChain, ConductivityWorkChain)
SMALL = {"supercell_matrix": [3, 3, 3], "mesh": [3, 3, 3], "dos_mesh": [6, 6, 6], "band_points": 5, "noise_samples": 2}
HEATING = {"phonons": {**SMALL, "max_temperature": 400.0}}
THIRD = {"supercell_matrix": [3, 3, 3], "mesh": [7, 7, 7], "other_meshes": [[5, 5, 5]], "temperatures": [300.0]}
CONDUCTING = {"phonon": {"parameters": SMALL}, "parameters": THIRD}
OVERRIDES = dict(zip(CHAINS, (HEATING, CONDUCTING), strict=True))


def run(chain, code, model, structure, relax=True, **given):
    builder = chain.get_builder_from_protocol(
        code, model, from_atoms(structure), "fast", overrides=OVERRIDES[chain], **given
    )
    if not relax:
        builder.pop("relax")
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return results, node


@pytest.fixture(scope="module")
def heated(code, model):
    """Return copper when heated, beside what EMT's toy copper is known to do."""
    known = {"thermal_expansion": 6.2e-5, "heat_capacity": 24.5, "bulk_modulus": 121.0, "volume": 11.8}
    return run(QuasiHarmonicWorkChain, code, model, bulk("Cu", a=3.6), reference=known)


@pytest.fixture(scope="module")
def conducting(code, model):
    """Return the conductivity of copper's phonons."""
    return run(ConductivityWorkChain, code, model, bulk("Cu", a=3.6), reference={"conductivity": 1000.0})


@pytest.mark.slow
def test_heating_is_told_with_errors_and_judged(heated):
    results, node = heated
    summary = results["summary"].get_dict()
    assert summary["outcome"] == "computed"
    assert summary["stability"]["answer"] == summary["range"]["answer"] == "yes"
    assert summary["agreement"]["answer"] == "yes", summary["agreement"]["reason"]
    thermal = results["thermal"]
    temperatures = thermal.get_array("temperatures")
    assert temperatures[0] == 0 and temperatures[-1] == 400
    assert (np.diff(thermal.get_array("volume")[3:]) > 0).all()
    assert thermal.get_array("free_energies").shape == (41, 8)
    jobs = [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]
    assert jobs.count("EvaluateCalculation") == 1 and jobs.count("RelaxCalculation") == 2


@pytest.mark.slow
def test_a_conductivity_is_told_with_its_error_and_judged(conducting):
    results, node = conducting
    summary = results["summary"].get_dict()
    assert summary["stability"]["answer"] == "yes"
    assert summary["agreement"]["answer"] == "no"
    assert summary["values"]["xx"] == pytest.approx(summary["values"]["conductivity"])
    assert results["conductivity"].get_array("conductivity").shape == (1, 3, 3)
    assert results["phonon"]["summary"]["outcome"] == "stable"
    jobs = [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]
    assert jobs.count("EvaluateCalculation") == 2 and jobs.count("RelaxCalculation") == 1


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
def test_imaginary_modes_are_an_answer_and_nothing_is_claimed(chain, code, model):
    """Copper in the cell of iron, which shears into its own."""
    results, node = run(chain, code, model, bulk("Cu", "bcc", a=2.87), relax=False)
    summary = results["summary"].get_dict()
    assert summary["outcome"] == {QuasiHarmonicWorkChain: "cannot-tell", ConductivityWorkChain: "imaginary"}[chain]
    assert summary["stability"]["answer"] == "no"
    assert "values" not in summary and not {"thermal", "conductivity"} & set(results)
    assert page_of(named_findings([node])).sections


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
def test_what_cannot_be_relaxed_is_no_failure(chain, code, model):
    overrides = {"relax": {"max_iterations": 1, "relax": {"parameters": {"max_steps": 1, "fmax": 1e-6}}}}
    builder = chain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu", a=3.8)), "fast", overrides=overrides)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "not-relaxed"


@pytest.mark.slow
def test_a_page_shows_both(heated, conducting, tmp_path):
    nodes = [heated[1], conducting[1]]
    for chosen in (nodes[:1], nodes[1:], nodes):
        sections = {section.key: section for section in page_of(named_findings(chosen)).sections}
        assert sections["heat"].blocks and sections["answer"].blocks
    files = write_report(nodes, tmp_path / "page.html")
    assert {"thermal-expansion.png", "thermal-conductivity.png"} <= {file.name for file in files}
    assert "Lattice thermal conductivity" in files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("chain", "given", "message"),
    [
        (QuasiHarmonicWorkChain, {"overrides": {"parameters": {"n_point": 9}}}, "did you mean 'n_points'"),
        (QuasiHarmonicWorkChain, {"overrides": {"volumes": {"relax": {"parameters": {"cell": "full"}}}}}, "keeps its"),
        (QuasiHarmonicWorkChain, {"overrides": {"parameters": {"temperature": 1100.0}}}, "raise their 'max_temp"),
        (QuasiHarmonicWorkChain, {"overrides": {"phonons": {"supercell_matrix": [99, 99, 99]}}}, "at most 1000"),
        (QuasiHarmonicWorkChain, {"reference": {"expansion": 1e-5}}, "did you mean 'thermal_expansion'"),
        (ConductivityWorkChain, {"overrides": {"parameters": {"mesh": [3, 3]}}}, "three whole numbers"),
        (ConductivityWorkChain, {"overrides": {"parameters": {"supercell_matrix": [99, 99, 99]}}}, "at most 1000"),
        (ConductivityWorkChain, {"overrides": {"phonon": {"parameters": {"mesh": [1, 1, 1]}}}}, "single wave vector"),
        (ConductivityWorkChain, {"reference": {"kappa": 3}}, "the reference has no 'kappa'"),
        (ConductivityWorkChain, {"reference": {"conductivity": -3}}, "must be more than 0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(chain, given, message, code, model):
    with pytest.raises(ValueError, match=message) as caught:
        chain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")), **given)
    assert "\n" not in str(caught.value)


def test_without_phono3py_a_conductivity_is_refused_before_anything_runs(code, model, monkeypatch):
    monkeypatch.setattr(third_order, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"needs phono3py: `pip install 'aiida-crucible\[conductivity\]'`") as caught:
        ConductivityWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")), "fast")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "known"), [("qha", "heat_capacity"), ("conductivity", "conductivity")])
def test_the_command_checks_and_ends_there(name, known, code, model):
    words = ["launch", name, "Cu:fcc", "-m", "emt", "--code", "python", "--protocol", "fast"]
    checked = CliRunner().invoke(main, [*words, "--reference", f"{{{known}: 25}}", "--dry-run"])
    assert checked.exit_code == 0, checked.output
    assert "is ready to run" in checked.output
    refused = CliRunner().invoke(main, [*words, "--reference", f"{{{known}s: 25}}", "--dry-run"])
    assert refused.exit_code == 1
    assert f"did you mean '{known}'" in refused.output and "Traceback" not in refused.output
