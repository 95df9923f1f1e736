"""Equation of state and elastic tensor with EMT, beside the same computed by ASE alone; bad input; a bad crystal."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from click.testing import CliRunner

from aiida_crucible.cli.root import main
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.report.findings import named_findings
from aiida_crucible.report.write import page_of, write_report
from aiida_crucible.workflows.elastic.workchain import ElasticWorkChain
from aiida_crucible.workflows.equation_of_state.workchain import EquationOfStateWorkChain

CHAINS = (EquationOfStateWorkChain, ElasticWorkChain)
FULL, SYMMETRIC = {"cell": "full"}, {"keep_symmetry": True}
QUICK = {"relax": {"relax": {"parameters": {"fmax": 1e-4}}}}


def relaxed_by_ase(symbol):
    atoms = bulk(symbol)
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-5)
    return atoms


def evaluated(atoms, gradient):
    strained = atoms.copy()
    strained.set_cell(atoms.cell.array @ gradient.T, scale_atoms=True)
    strained.calc = EMT()
    return strained


def run(chain, code, model, structure, **given):
    builder = chain.get_builder_from_protocol(code, model, from_atoms(structure), "fast", overrides=QUICK, **given)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return results, node


@pytest.fixture(scope="module")
def equation(code, model):
    """Return the equation of state of copper, beside what is known of EMT's."""
    known = {"bulk_modulus": 134.0, "volume": 11.6}
    return run(EquationOfStateWorkChain, code, model, bulk("Cu", a=3.68), reference=known)


@pytest.fixture(scope="module")
def tensor(code, model):
    """Return the elastic tensor of aluminium."""
    return run(ElasticWorkChain, code, model, bulk("Al"), reference={"components": {"C11": 500.0}})


@pytest.mark.slow
def test_an_equation_of_state_is_ases(equation):
    results, _ = equation
    atoms = relaxed_by_ase("Cu")
    cells = [evaluated(atoms, (1 + strain) * np.eye(3)) for strain in np.linspace(-0.03, 0.03, 9)]
    volume, energy, modulus = EquationOfState(
        [cell.get_volume() for cell in cells], [cell.get_potential_energy() for cell in cells], eos="birchmurnaghan"
    ).fit(warn=False)
    summary = results["summary"].get_dict()
    found = summary["equilibrium"]
    assert summary["outcome"] == "fitted"
    assert found["volume"] == pytest.approx(volume, rel=1e-4)
    assert found["energy"] == pytest.approx(energy, abs=1e-5)
    assert found["bulk_modulus"] == pytest.approx(modulus / units.GPa, rel=1e-3)
    assert found["volume"] == pytest.approx(to_atoms(results["structure"]).get_volume(), rel=2e-3)
    assert summary["pressure"]["answer"] == "yes", summary["pressure"]["reason"]
    assert summary["agreement"]["answer"] == "yes", summary["agreement"]["reason"]
    assert results["curve"].get_array("used").all()


@pytest.mark.slow
def test_an_elastic_tensor_is_that_of_differences(tensor):
    """C = ∂σ/∂ε at zero strain, by ASE alone and strains of 10⁻⁴."""
    results, _ = tensor
    atoms, expected = relaxed_by_ase("Al"), np.zeros((6, 6))
    for column, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strain = np.zeros((3, 3))
        strain[i, j] = strain[j, i] = 1e-4 / (1 if i == j else 2)
        forth, back = (evaluated(atoms, np.eye(3) + sign * strain).get_stress() for sign in (1, -1))
        expected[:, column] = (forth - back) / 2e-4 / units.GPa
    summary = results["summary"].get_dict()
    found = np.array(summary["elastic_tensor"])
    # EMT's energy ends with a step at a cutoff, which large strains bring atoms to: a part of its nonlinearity.
    np.testing.assert_allclose(found, expected, atol=0.03 * expected.max())
    assert summary["outcome"] == "stable"
    assert summary["moduli"]["bulk_modulus"] == pytest.approx(expected[:3, :3].sum() / 9, rel=0.03)
    assert summary["agreement"]["answer"] == "no"
    assert results["tensor"].get_array("stresses").shape == (25, 6)


@pytest.mark.slow
def test_one_job_does_all_cells(equation, tensor):
    for _, node in (equation, tensor):
        jobs = [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]
        assert jobs.count("RelaxCalculation") == 2
        assert len(jobs) in (2, 3)


@pytest.mark.slow
def test_small_strains_of_a_clamped_crystal_are_the_differences_to_the_last_digits(code, model):
    strains = {"normal_strains": [2e-4, 4e-4], "shear_strains": [2e-4, 4e-4], "ions": "clamped"}
    builder = ElasticWorkChain.get_builder_from_protocol(
        code, model, from_atoms(relaxed_by_ase("Cu")), "fast", overrides={"parameters": strains}
    )
    builder.pop("relax")
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    atoms = relaxed_by_ase("Cu")
    stretch = np.diag([1e-4, 0, 0])
    forth, back = (evaluated(atoms, np.eye(3) + sign * stretch).get_stress() for sign in (1, -1))
    expected = (forth - back) / 2e-4 / units.GPa
    found = np.array(results["summary"]["elastic_tensor"])
    assert (found[0, 0], found[1, 0]) == pytest.approx((expected[0], expected[1]), rel=1e-4)
    labels = [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]
    assert "EvaluateCalculation" in labels and "RelaxCalculation" not in labels


@pytest.mark.slow
def test_a_crystal_that_gives_way_is_an_answer_and_no_failure(code, model):
    """Copper in the cell of iron: C₁₁ < C₁₂, the path of Bain leads from there to its own."""
    results, _ = run(ElasticWorkChain, code, model, bulk("Cu", "bcc", a=2.87), reference={"bulk_modulus": 140.0})
    summary = results["summary"].get_dict()
    assert summary["outcome"] == "unstable"
    assert summary["stability"]["answer"] == "no"
    assert "gives way to the strain" in summary["reason"]
    assert summary["agreement"]["answer"] == "no"


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
def test_what_cannot_be_relaxed_is_no_failure(chain, code, model):
    overrides = {"relax": {"max_iterations": 1, "relax": {"parameters": {"max_steps": 1, "fmax": 1e-6}}}}
    builder = chain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu", a=3.8)), "fast", overrides=overrides)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "not-relaxed"


@pytest.mark.slow
def test_a_minimum_outside_is_an_answer(code, model):
    builder = EquationOfStateWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu", a=3.9)), "fast")
    builder.pop("relax")
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "cannot-tell"
    assert "outside" in results["summary"]["reason"]


@pytest.mark.slow
def test_a_page_shows_curve_and_tensor(equation, tensor, tmp_path):
    nodes = [equation[1], tensor[1]]
    for chosen in (nodes[:1], nodes[1:], nodes):
        page = page_of(named_findings(chosen))
        sections = {section.key: section for section in page.sections}
        assert sections["elasticity"].blocks and sections["answer"].blocks
    files = write_report(nodes, tmp_path / "page.html")
    assert any(file.name == "equation-of-state.png" for file in files)
    assert "Elastic tensor of Al" in files[0].read_text(encoding="utf-8")


def test_a_model_without_stress_is_refused_in_one_line(code, model):
    results = {"summary": {"capabilities": {"stress": False}, "faults": []}, "task": "verify", "outcome": "passed"}
    results["model"] = {"family": "emt", "name": "emt", "sha256": model.sha256}
    builder = ElasticWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")), "fast")
    builder.pop("relax")
    builder.verification = Dict(results)
    with pytest.raises(ValueError, match="gives no stress, of which an elastic tensor is made"):
        run_get_node(builder)


@pytest.mark.parametrize(
    ("chain", "given", "message"),
    [
        (EquationOfStateWorkChain, {"overrides": {"parameters": {"n_point": 9}}}, "did you mean 'n_points'"),
        (EquationOfStateWorkChain, {"overrides": {"volumes": {"relax": {"parameters": FULL}}}}, "keeps its volume"),
        (EquationOfStateWorkChain, {"reference": {"bulk_modulos": 3}}, "did you mean 'bulk_modulus'"),
        (EquationOfStateWorkChain, {"reference": {"volume": "big"}}, "give a number"),
        (ElasticWorkChain, {"overrides": {"parameters": {"ions": "free"}}}, "known are clamped, relaxed"),
        (ElasticWorkChain, {"overrides": {"strained": {"relax": {"parameters": {"cell": "shape"}}}}}, "keeps its cell"),
        (ElasticWorkChain, {"overrides": {"strained": {"relax": {"parameters": SYMMETRIC}}}}, "must be false"),
        (ElasticWorkChain, {"overrides": {"clamped": {"evaluate": {"parameters": {"stress": False}}}}}, "must be true"),
        (ElasticWorkChain, {"reference": {"components": {"C71": 3}}}, "no component 'C71'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(chain, given, message, code, model):
    with pytest.raises(ValueError, match=message) as caught:
        chain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")), **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["equation-of-state", "elastic"])
def test_the_command_checks_and_ends_there(name, code, model):
    words = ["launch", name, "Cu:fcc", "-m", "emt", "--code", "python", "--protocol", "fast"]
    checked = CliRunner().invoke(main, [*words, "--reference", "{bulk_modulus: 140}", "--dry-run"])
    assert checked.exit_code == 0, checked.output
    assert "is ready to run" in checked.output
    refused = CliRunner().invoke(main, [*words, "--reference", "{bulk_moduli: 140}", "--dry-run"])
    assert refused.exit_code == 1
    assert "did you mean 'bulk_modulus'" in refused.output and "Traceback" not in refused.output
