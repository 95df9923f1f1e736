"""BenchmarkWorkChain with ASE's EMT: packed jobs, rows with reasons, rows that are found again."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, TrajectoryData
from ase.build import bulk
from engine_jobs import HELPERS

from aiida_crucible.nodes.anharmonicity_scores import run_in_details
from aiida_crucible.nodes.benchmark import count_expected
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.benchmark.batch import BenchmarkBatchWorkChain
from aiida_crucible.workflows.benchmark.plan import find_rows
from aiida_crucible.workflows.benchmark.workchain import BenchmarkWorkChain

METALS = ("Ag", "Cu", "Ni")
SETTINGS = {
    "relax": {"fmax": 0.01},
    "dynamics": {"steps": 20, "frame_interval": 2, "time_step": 2.0},
    "phonon": {"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4]},
    "comparison": {"mesh": [4, 4, 4], "thermal_mesh": [4, 4, 4]},
    "anharmonicity": {"supercell_matrix": [2, 2, 2], "discard": 0.2, "effective_frames": 0},
}
OPTIONS = {"environment_variables": {"PYTHONPATH": str(HELPERS)}}


def crystals(*symbols):
    return {symbol: from_atoms(bulk(symbol)) for symbol in symbols}


def builder_of(code, model, *, symbols=METALS, settings=None, **arguments):
    arguments.setdefault("overrides", {"parameters": {"materials_per_batch": 2, "max_concurrent": 1}})
    arguments.setdefault("models", {"toy": (code, model)})
    arguments.setdefault("structures", crystals(*symbols))
    return BenchmarkWorkChain.get_builder_from_protocol(
        arguments.pop("models"),
        arguments.pop("structures"),
        "fast",
        settings={**SETTINGS, **(settings or {})},
        options=OPTIONS,
        **arguments,
    )


def batches_of(node):
    return [child for child in node.called if child.process_class is BenchmarkBatchWorkChain]


def jobs_of(node):
    return [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]


@pytest.fixture(scope="module")
def benchmark(code, model):
    """Return a finished benchmark of EMT against itself."""
    results, node = run_get_node(builder_of(code, model, reference_model=(code, model)))
    assert node.is_finished_ok, node.exit_message
    return results, node


@pytest.mark.slow
def test_a_model_that_is_the_reference_agrees_with_it(benchmark):
    results, _ = benchmark
    for metal in METALS:
        row = results["rows"]["toy"]["fast"][metal].get_dict()
        assert row["state"] == "complete", row["missing"]
        assert (row["material"], row["model"], row["protocol"], row["group"]) == (metal, "toy", "fast", "metal")
        assert row["harmonic"]["errors"]["by_order"]["squares"] == pytest.approx(0, abs=1e-9)
        scores = row["scores"]
        assert set(scores) == {
            "reference",
            "reference_frames_reference_constants",
            "reference_frames_own_constants",
            "own_frames_reference_constants_T300",
            "own_frames_own_constants_T300",
        }
        truth = scores["reference"]["sigma"]
        assert 0 < truth < 0.5
        assert scores["reference_frames_own_constants"]["sigma"] == pytest.approx(truth, abs=1e-6)
        assert set(row["runs"]) == {"T300_run_0", "T300_run_1"}
    assert set(results["reference_rows"]) == set(METALS)
    assert "materials" in results["tables"]


@pytest.mark.slow
def test_the_jobs_of_a_batch_are_one_of_each_kind(benchmark):
    _, node = benchmark
    assert count_expected(node) == len(METALS)
    batches = batches_of(node)
    assert count_expected(batches[0]) is None
    assert [len(batch.inputs.structures) for batch in batches] == [2, 1, 2, 1]
    for batch in batches:
        assert sorted(jobs_of(batch)) == ["DynamicsCalculation", "EvaluateCalculation", "RelaxCalculation"]


@pytest.mark.slow
def test_each_score_is_found_by_its_frame(benchmark):
    _, node = benchmark
    batch = next(
        batch for batch in batches_of(node) if "Cu" in batch.inputs.structures and "references" in batch.inputs
    )
    measured = batch.outputs.rows["Cu"].creator
    own, reference = measured.outputs.details_own_frames_own_constants_T300, batch.inputs.references.trajectories["Cu"]
    assert [run_in_details(own, measured.inputs[f"T300_run_{number}"]) for number in (0, 1)] == [0, 1]
    assert run_in_details(measured.outputs.details_reference_frames_own_constants, reference) == 0
    with pytest.raises(ValueError, match="not of this trajectory"):
        run_in_details(own, reference)


@pytest.mark.slow
@pytest.mark.long  # that of another group finds all rows again, that of the packing a reference
def test_finished_rows_are_found_and_not_computed_again(benchmark, code, model):
    first, _ = benchmark
    builder = builder_of(code, model, symbols=(*METALS, "Pd"), reference_model=(code, model))
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert [list(batch.inputs.structures) for batch in batches_of(node)] == [["Pd"], ["Pd"]]
    for metal in METALS:
        assert results["rows"]["toy"]["fast"][metal].uuid == first["rows"]["toy"]["fast"][metal].uuid
    assert results["rows"]["toy"]["fast"]["Pd"]["state"] == "complete"


@pytest.mark.long
@pytest.mark.slow
def test_the_numbers_do_not_depend_on_the_packing(benchmark, code, model):
    first, _ = benchmark
    alone = builder_of(code, model, symbols=("Cu",), models={"alone": (code, model)}, reference_model=(code, model))
    results, node = run_get_node(alone)
    row, packed = results["rows"]["alone"]["fast"]["Cu"], first["rows"]["toy"]["fast"]["Cu"]
    (batch,) = batches_of(node)  # its reference was found
    assert list(batch.inputs.structures) == ["Cu"]
    assert row["scores"] == packed["scores"]


@pytest.mark.slow
def test_what_fails_is_a_row_with_its_reason(code, model):
    structures = crystals("Cu", "Fe", "Ag")  # EMT knows no iron
    broken = from_atoms(bulk("Ag", "sc", a=1.0))  # so dense that nothing can be relaxed
    builder = builder_of(code, model, structures={**structures, "Ag": broken})
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    rows = {name: row.get_dict() for name, row in results["rows"]["toy"]["fast"].items()}
    assert rows["Cu"]["state"] == "complete"
    assert rows["Fe"]["state"] == "failed"
    assert "Fe" in rows["Fe"]["missing"]["all"]
    assert rows["Ag"]["state"] in ("complete", "failed")
    assert results["summary"]


@pytest.mark.long
@pytest.mark.slow
def test_a_job_that_fails_for_one_material_costs_the_others_nothing(code):
    """The job is split until that material is alone; one that lacks its crystal for that is tried again next time."""
    arguments = {"symbol": "Au"}
    poisoned = ModelData.get_or_create(
        "ase", trust_code=True, settings={"factory": "poisoned_calculators:poisoned", "arguments": arguments}
    )
    once = {"max_iterations": 1}
    overrides = {"parameters": {"max_concurrent": 1}, "relax": once, "forces": once, "base": once}
    builder = builder_of(
        code, poisoned, symbols=("Ag", "Al", "Au", "Cu"), settings={"dynamics": None}, overrides=overrides
    )
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    rows = {name: row.get_dict() for name, row in results["rows"]["toy"]["fast"].items()}
    unfinished = {name: row["unfinished"] for name, row in rows.items()}
    assert unfinished == {"Ag": [], "Al": [], "Au": ["relax"], "Cu": []}, rows["Cu"]["missing"]
    assert rows["Au"]["state"] == "failed"
    (batch,) = batches_of(node)
    relaxations = [child for child in batch.called_descendants if child.process_label == "RelaxCalculation"]
    assert sorted(len(job.inputs.structures) for job in relaxations) == [1, 1, 2, 2, 4]


@pytest.mark.slow
def test_another_group_is_given_without_computing(benchmark, code, model):
    first, _ = benchmark
    groups = dict.fromkeys(METALS, "noble")
    results, node = run_get_node(builder_of(code, model, reference_model=(code, model), groups=groups))
    assert node.is_finished_ok, node.exit_message
    assert batches_of(node) == []
    for metal in METALS:
        row, before = (found["rows"]["toy"]["fast"][metal].get_dict() for found in (results, first))
        assert row == {**before, "group": "noble"}
        # The next benchmark finds the row as it was measured, whose creator's inputs are what it follows from.
        assert find_rows({metal: row["digest"]})[metal].uuid == first["rows"]["toy"]["fast"][metal].uuid


def refused(match, code, model, **arguments):
    with pytest.raises(ValueError, match=match) as caught:
        builder_of(code, model, **arguments)
    assert "\n" not in str(caught.value)


def test_bad_input_is_one_line(code, model):
    silent = TrajectoryData()
    silent.set_trajectory(["Cu"], np.zeros((2, 1, 3)), cells=np.repeat(3 * np.eye(3)[None], 2, axis=0), pbc=(True,) * 3)
    refused(
        "a material is labelled 'Cs2 AgBiBr6'.*'Cs2_AgBiBr6'",
        code,
        model,
        structures={"Cs2 AgBiBr6": from_atoms(bulk("Cu"))},
    )
    refused(
        "a material is labelled 'Cu_1', and another 'Cux1'.*rename one",
        code,
        model,
        structures=dict.fromkeys(("Cux1", "Cu_1"), from_atoms(bulk("Cu"))),
    )
    refused("the reference of 'Cu' has 'forceconstants': did you mean 'force_constants'", code, model,
            references={"Cu": {"structure": from_atoms(bulk("Cu")), "forceconstants": silent}})  # fmt: skip
    refused("input 'references'.Cu is .*: give a dict", code, model, references={"Cu": silent})
    refused("'models'.toy is .*: give a pair", code, model, models={"toy": model})
    refused(r"'groups' is \['Cu'\], of type list: give a dict", code, model, groups=["Cu"])
    refused("protocol 'fast' leaves phonons out, .* nothing could be measured", code, model, settings={"phonon": None})
    refused("there are no models", code, model, models={})
    refused("there are no materials", code, model, structures={})
    refused("no section 'phonons'.*did you mean 'phonon'", code, model, settings={"phonons": {}})
    refused(
        "protocol 'fast': .*dynamics has no parameter 'step': did you mean 'steps'",
        code,
        model,
        settings={"dynamics": {"step": 3}},
    )
    refused("a reference is one trajectory", code, model, reference_model=(code, model),
            reference_settings={"anharmonicity": {"n_runs": 2}})  # fmt: skip
    refused("'groups'.Cu is 1, of type int: give a word", code, model, groups={"Cu": 1})
    refused("a model is labelled 'reference'", code, model, models={"reference": (code, model)})
    refused("protocol 'hot' runs at 600 K, but the reference model at 300 K", code, model,
            reference_model=(code, model), protocols={"hot": {"anharmonicity": {"temperatures": [600]}}})  # fmt: skip
    refused("groups has 'Co'", code, model, groups={"Co": "metal"})
    refused("the frames have no forces", code, model, references={"Cu": {"trajectory": silent}})
    silent.set_array("forces", np.zeros((2, 1, 3)))
    refused("references.trajectories has 'Co', which is none of the materials", code, model,
            references={"Co": {"trajectory": silent}})  # fmt: skip
