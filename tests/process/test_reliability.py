"""ReliabilityWorkChain with ASE's EMT: one answer for each question."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict
from ase.build import bulk

from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain

QUICK = {"mesh": [4, 4, 4], "dos_mesh": [6, 6, 6], "band_points": 11, "supercell_matrix": [3, 3, 3]}
REFERENCE = {"source": "experiment", "lattice": {"a": 3.61}, "energy_differences": {"bcc": 0.04}}


def builder_of(code, model, main=("fcc", 3.65), **arguments):
    phases = {"bcc": from_atoms(bulk("Cu", "bcc", a=2.9))}
    arguments = {"competing": phases, "reference": REFERENCE, **arguments}
    structure = from_atoms(bulk("Cu", main[0], a=main[1]))
    overrides = {"phonon": {"parameters": QUICK}, **arguments.pop("overrides", {})}
    return ReliabilityWorkChain.get_builder_from_protocol(
        code, model, structure, "fast", overrides=overrides, **arguments
    )


def answers(results):
    return {name: entry["answer"] for name, entry in results["summary"].get_dict().items()}


@pytest.fixture(scope="module")
def assessed(code, model):
    """Run the whole WorkChain once: all phases, phonons, two temperatures."""
    dynamics = {"steps": 40, "time_step": 2.0, "series_interval": 2, "frame_interval": 2}
    sweep = {"base": {"dynamics": {"parameters": dynamics}}, "parameters": {"supercell_matrix": [3, 3, 3]}}
    builder = builder_of(
        code,
        model,
        temperatures=[300, 400],
        reference={**REFERENCE, "transition_temperature": 900.0},
        overrides={"sweep": sweep},
    )
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return results, node


@pytest.mark.slow
def test_copper_in_emt_answers_every_question(assessed):
    results, node = assessed
    at_rest = ("verification", "lattice", "energies", "stability")
    assert {name: answers(results)[name] for name in at_rest} == dict.fromkeys(at_rest, "yes")
    summary = results["summary"].get_dict()
    assert summary["lattice"]["evidence"]["computed"]["a"] == pytest.approx(3.59, abs=0.01)
    assert summary["energies"]["evidence"]["differences"]["bcc"] == pytest.approx(0.033, abs=0.002)
    assert "THz" in summary["stability"]["reason"]
    assert set(results["relaxed"]) == {"structure", "bcc"}
    assert results["phonon"]["summary"]["outcome"] == "stable"
    loads = [job.process_label for job in node.called_descendants if isinstance(job, CalcJobNode)]
    assert len([label for label in loads if label not in ("VerifyCalculation", "DynamicsCalculation")]) == 2


@pytest.mark.slow
def test_a_fault_a_wrong_reference_and_an_unstable_phase_are_answered_with_no(code, model):
    reference = {"lattice": {"a": 3.0}, "energy_differences": {"bcc": 0.1}}
    builder = builder_of(code, model, main=("sc", 2.4), reference=reference)
    verified = {"family": "emt", "name": "emt", "sha256": model.sha256}
    failed = {"outcome": "failed", "summary": {"faults": ["stress-unit"]}}
    builder.verification = Dict({"task": "verify", "model": verified, **failed})
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert answers(results) == dict.fromkeys(("verification", "lattice", "energies", "stability"), "no")
    assert "stress-unit" in results["summary"]["verification"]["reason"]
    assert "structure" in results["summary"]["energies"]["reason"]


@pytest.mark.slow
def test_what_does_not_relax_leaves_questions_open(code, model):
    overrides = {"relax": {"max_iterations": 1, "relax": {"parameters": {"max_steps": 1, "fmax": 1e-6}}}}
    results, node = run_get_node(builder_of(code, model, main=("fcc", 3.9), overrides=overrides))
    assert node.is_finished_ok, node.exit_message
    found = answers(results)
    assert [found[name] for name in ("lattice", "energies", "stability")] == ["cannot-tell"] * 3
    assert "not-converged" in results["summary"]["stability"]["reason"]


@pytest.mark.slow
def test_finite_temperature_is_a_question_where_temperatures_are_given(assessed):
    results, node = assessed
    assert answers(results)["finite_temperature"] == "cannot-tell"
    assert "ps only: 5 ps are asked" in results["summary"]["finite_temperature"]["reason"]
    assert answers(results)["averages"] == "no"
    assert answers(results)["transitions"] == "cannot-tell"
    assert "900 K was expected" in results["summary"]["transitions"]["reason"]
    assert len(results["sweep"]["supercell"].sites) == 27
    assert results["sweep"]["curves"].get_array("temperatures").tolist() == [300.0, 400.0]
    assert sum(child.process_label == "VerifyCalculation" for child in node.called_descendants) <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": {"lattce": {}}}, "did you mean 'lattice'"),
        ({"reference": {"lattice": {"c/a": 1.0}}}, "reference's lattice has no 'c/a'"),
        ({"reference": {"energy_differences": {"bbc": 0.1}}}, "did you mean 'bcc'"),
        ({"reference": {"lattice": {"a": 361.0}}}, "reference's lattice parameter 'a' is 361: .* at most 100"),
        ({"reference": {"lattice": {"a": 0.361}}}, "reference's lattice parameter 'a' is 0.361: .* at least 1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(code, model, change, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(builder_of(code, model, **change))


def test_another_composition_does_not_compete(code, model):
    with pytest.raises(ValueError, match="competing phase 'gold' is Au, but the structure is Cu"):
        run_get_node(builder_of(code, model, competing={"gold": from_atoms(bulk("Au"))}, reference=None))


def test_a_phase_may_not_take_the_name_of_the_structure(code, model):
    with pytest.raises(ValueError, match="cannot be named 'structure'"):
        run_get_node(builder_of(code, model, competing={"structure": from_atoms(bulk("Cu"))}))


def test_the_structure_does_not_compete_with_itself(code, model):
    twice = from_atoms(bulk("Cu", a=3.65, cubic=True) * (2, 1, 1))
    with pytest.raises(ValueError, match="competing phase 'bcc' is the same crystal as the structure itself: leave it"):
        run_get_node(builder_of(code, model, competing={"bcc": twice}))
    phases = {"bcc": from_atoms(bulk("Cu", "bcc", a=2.9)), "cubic": from_atoms(bulk("Cu", "bcc", a=2.9, cubic=True))}
    with pytest.raises(ValueError, match="competing phase 'cubic' is the same crystal as competing phase 'bcc'"):
        run_get_node(builder_of(code, model, competing=phases))


@pytest.mark.long
@pytest.mark.slow
def test_a_melt_is_an_answer_about_the_model(code, model):
    dynamics = {"steps": 300, "time_step": 4.0, "series_interval": 2, "frame_interval": 5}
    sweep = {"base": {"dynamics": {"parameters": dynamics}}, "parameters": {"supercell_matrix": [3, 3, 3]}}
    builder = builder_of(
        code,
        model,
        competing=None,
        temperatures=[300, 6000],
        reference={"melting_temperature": 9000.0},
        overrides={"sweep": sweep},
    )
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["sweep"]["summary"]["outcomes"]["T6000"] not in ("stable", "diffusive")
    verdict = results["verdict"].get_dict()
    assert verdict["questions"]["finite_temperature"]["judgement"] in ("wrong", "open")
    assert verdict["trusted"] != "yes"
    assert [score["temperature"] for score in verdict["anharmonicity"]] == [300.0]
