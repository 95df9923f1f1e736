"""A run that has lost its crystal has no anharmonicity score, nor have the others at its temperature; on every path."""

from __future__ import annotations

import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict
from copper_frames import builder_of, constants_node, copper, frames_node, reference

from aiida_crucible.analysis.anharmonicity.combinations import why_no_score
from aiida_crucible.analysis.benchmark.settings import validate_benchmark_settings
from aiida_crucible.calculations.ports import check_each
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.anharmonicity.calcfunctions import measure_anharmonicity
from aiida_crucible.workflows.benchmark.inputs import check_frames
from aiida_crucible.workflows.benchmark.material_calcfunctions import measure_material

STABLE = {"outcome": "stable", "reason": "every species kept its sites to the last step"}
MELTED = {"outcome": "melted", "reason": "every species left its sites"}
LABEL = "own_frames_reference_constants_T300"


def runs():
    return {"T300_run_0": frames_node(), "T300_run_1": frames_node(seed=1)}


def by_anharmonicity(outcomes):
    """Return what the measurement of anharmonicity says: sigma, and why there is none."""
    combination = {"forces": "own", "frames": "own", "constants": "reference", "temperature": 300.0}
    found = measure_anharmonicity(
        from_atoms(copper()),
        constants_node(),
        Dict({"effective_frames": 0}),
        Dict(combination),
        Dict(outcomes),
        **runs(),
    )["score"].get_dict()
    return found.get("sigma", {}).get("time_averaged", {}).get("value"), found.get("reason")


def by_benchmark(outcomes):
    """Return what the row of a benchmark says: sigma, and why there is none."""
    names = ("material", "formula", "group", "model", "protocol", "digest")
    identity = {**dict.fromkeys(names, "Cu"), "failures": {}, "runs": outcomes}
    settings = {"dynamics": {"steps": 10}, "anharmonicity": {"effective_frames": 0}}
    row = measure_material(
        Dict(identity),
        Dict(validate_benchmark_settings(settings)),
        reference_structure=from_atoms(copper()),
        reference_force_constants=constants_node(),
        **runs(),
    )["row"].get_dict()
    return row["scores"][LABEL]["sigma"], row["missing"].get(LABEL)


@pytest.mark.slow
@pytest.mark.parametrize("path", [by_anharmonicity, by_benchmark])
def test_one_lost_run_takes_the_score_of_its_temperature(profile, path):
    sigma, reason = path({"T300_run_0": STABLE, "T300_run_1": MELTED})
    assert sigma is None
    assert reason == "T300_run_1 is melted: every species left its sites"
    sigma, reason = path({"T300_run_0": STABLE, "T300_run_1": STABLE, "T900_run_0": MELTED})
    assert 0 < sigma < 0.5
    assert reason is None


def made_by_a_job(trajectory, computer, outcome):
    """Return the trajectory as the output of a finished run of dynamics."""
    job = CalcJobNode(computer=computer, process_type="aiida.calculations:crucible.dynamics").store()
    results = {"summary": {"replicas": {"replica_0": {"outcome": outcome, "evidence": {"reason": MELTED["reason"]}}}}}
    for label, node in (("trajectories__replica_0", trajectory), ("results", Dict(results))):
        node.base.links.add_incoming(job, LinkType.CREATE, label)
        node.store()
    return trajectory


@pytest.mark.slow
def test_given_runs_that_melted_are_known_by_their_jobs(code, model):
    melted = made_by_a_job(frames_node(), code.computer, "melted")
    given = {"T300": frames_node(12), "T900": melted}
    results, node = run_get_node(builder_of(code, model, trajectories=given, force_constants=constants_node()))
    assert node.is_finished_ok, node.exit_message
    summary = results["summary"].get_dict()
    assert summary["runs"] == {"T900": {"outcome": "melted", "reason": MELTED["reason"]}}
    assert summary["scores"]["own_frames_own_constants_T300"]["sigma"] > 0
    lost = summary["scores"]["own_frames_own_constants_T900"]
    assert (lost["sigma"], lost["class"]) == (None, "cannot-tell")
    assert lost["warnings"] == ["T900 is melted: every species left its sites"]


@pytest.mark.slow
def test_frames_of_a_melt_are_no_reference(code, model):
    melted = made_by_a_job(frames_node(), code.computer, "melted")
    with pytest.raises(ValueError, match="cannot be a reference, the run is melted: every species left its sites"):
        builder_of(code, model, reference=reference(trajectory=melted))
    with pytest.raises(ValueError, match="copper: the frames cannot be a reference"):
        check_each(check_frames, {"copper": melted})
    builder_of(code, model, reference=reference(trajectory=made_by_a_job(frames_node(), code.computer, "diffusive")))


@pytest.mark.parametrize("outcome", ["melted", "atoms-lost", "exploded", "non-finite"])
def test_which_runs_have_no_score(outcome):
    runs = {
        "T300_run_0": STABLE,
        "T300_run_1": {**MELTED, "outcome": outcome},
        "T600": {**STABLE, "outcome": "diffusive"},
    }
    assert why_no_score(runs, 300.0) == f"T300_run_1 is {outcome}: every species left its sites"
    assert why_no_score(runs, 600.0) is None
    assert why_no_score(runs, None) is not None
