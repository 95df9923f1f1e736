"""``crucible.dynamics`` from inputs to output nodes, with ASE's EMT; and what is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, RemoteData
from ase.build import bulk, fcc111, molecule
from engine_jobs import HELPERS

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.dynamics.size import size_of
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import SERIES_COLUMNS

PARAMETERS = {
    "ensemble": "npt-melchionna",
    "temperatures": [300.0, 500.0],
    "steps": 40,
    "time_step": 2.0,
    "series_interval": 4,
    "frame_interval": 5,
    "frame_forces": True,
    "frame_velocities": True,
}


@pytest.fixture
def crystal():
    return from_atoms(bulk("Cu", cubic=True) * (2, 2, 2))


def reports(node):
    from aiida.orm import Log

    return [log.message for log in Log.collection.get_logs_for(node)]


@pytest.fixture(scope="module")
def finished(code, model):
    """Return the outputs and node of a run at two temperatures whose run folder is stashed as well."""
    structure = from_atoms(bulk("Cu", cubic=True) * (2, 2, 2))
    stash = {"source_list": ["run"], "target_base": f"{code.computer.get_workdir()}/stash", "stash_mode": "copy"}
    inputs = {"code": code, "model": model, "structure": structure, "parameters": PARAMETERS}
    outputs, node = run_get_node(DynamicsCalculation, **inputs, metadata={"options": {"stash": stash}})
    assert node.is_finished_ok, node.exit_message
    return outputs, node


@pytest.mark.slow
def test_outputs_by_replica(finished):
    outputs, node = finished
    assert outputs["results"]["outcome"] == "stable"
    assert outputs["results"]["summary"]["n_completed"] == 2
    for label in ("replica_0", "replica_1"):
        trajectory = outputs["trajectories"][label]
        assert trajectory.get_stepids().tolist() == list(range(0, 41, 5))
        assert trajectory.get_times() == pytest.approx(np.arange(0, 41, 5) * 0.002)
        assert trajectory.get_cells().shape == (9, 3, 3)
        assert trajectory.get_array("forces").shape == trajectory.get_velocities().shape == (9, 32, 3)
        series = outputs["series"][label]
        assert set(series.get_arraynames()) == set(SERIES_COLUMNS)
        assert series.get_array("step").tolist() == list(range(0, 41, 4))
        assert np.allclose(series.get_array("volume"), np.abs(np.linalg.det(cells_of(series))))
        final = to_atoms(outputs["final"][label])
        assert np.allclose(final.positions, trajectory.get_positions()[-1], atol=1e-5)
        assert np.allclose(final.cell.array, trajectory.get_cells()[-1])
        assert np.allclose(outputs["averages"][label].get_array("mean_positions"), to_atoms(node.inputs.structure)
                           .positions, atol=0.3)  # fmt: skip
    assert "run" not in outputs["retrieved"].base.repository.list_object_names()
    assert outputs["remote_folder"].listdir("run")


def cells_of(series):
    cells = [series.get_array(f"cell_{vector}{axis}") for vector in "abc" for axis in "xyz"]
    return np.array(cells).T.reshape(-1, 3, 3)


@pytest.mark.slow
def test_size_is_reported_before_the_run_and_is_that_of_the_files(finished):
    outputs, node = finished
    (line,) = [line for line in reports(node) if "stay on localhost" in line]
    assert "come back" in line
    size = size_of(validate_parameters("dynamics", PARAMETERS), [32, 32])
    remote = outputs["remote_folder"]
    sizes = {entry["name"]: entry["attributes"].st_size for entry in remote.listdir_withattributes("run")}
    frames = sum(sizes[f"frames-{index}.npy"] for index in range(2))
    series = sum(sizes[f"series-{index}.npy"] for index in range(2))
    assert size.frames == pytest.approx(frames, rel=0.1)
    assert size.series == pytest.approx(series, rel=0.3)
    stored = sum(
        node.base.repository.get_object_size(name) if hasattr(node.base.repository, "get_object_size") else
        len(node.base.repository.get_object_content(name, mode="rb"))
        for namespace in ("trajectories", "series", "averages")
        for node in outputs[namespace].values()
        for name in node.base.repository.list_object_names()
    )  # fmt: skip
    assert stored < 1.5 * size.stored


@pytest.mark.slow
def test_run_folder_is_stashed(finished, localhost):
    _, node = finished
    stash = node.outputs.remote_stash
    with localhost.get_transport() as transport:
        assert {"frames-0.npy", "series-1.npy"} <= set(transport.listdir(f"{stash.target_basepath}/run"))


def test_walltime_is_told_to_the_engine(code, model, crystal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where AiiDA puts what a dry run would submit
    process = {"code": code, "model": model, "structure": crystal, "parameters": {"steps": 2}}
    metadata = {"options": {"max_wallclock_seconds": 77}, "dry_run": True, "store_provenance": False}
    _, node = run_get_node(DynamicsCalculation, **process, metadata=metadata)
    folder = Path(node.dry_run_info["folder"])
    assert json.loads((folder / "job.json").read_text())["walltime"] == 77


@pytest.mark.slow
def test_physical_failure_is_a_result(code):
    settings = {"factory": "faulty_calculators:faulty", "arguments": {"fault": "nan-after", "calls": 6}}
    model = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    metadata = {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}}
    inputs = {"code": code, "model": model, "structure": from_atoms(bulk("Au", cubic=True)), "metadata": metadata}
    outputs, node = run_get_node(DynamicsCalculation, **inputs, parameters={"steps": 20})
    assert node.exit_status == 0, node.exit_message
    assert outputs["results"]["outcome"] == "non-finite"
    assert outputs["results"]["summary"]["replicas"]["replica_0"]["evidence"]["reason"]


def refused(message, process=DynamicsCalculation, **inputs):
    with pytest.raises(ValueError, match=message) as refusal:
        if process is DynamicsBaseWorkChain:
            run_get_node(process, dynamics=inputs)
        else:
            run_get_node(process, **inputs)
    assert len([line for line in str(refusal.value).splitlines() if line.strip()]) == 1


@pytest.mark.parametrize("process", [DynamicsCalculation, DynamicsBaseWorkChain])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperatures": [300, -10]}, "parameter 'temperatures' of dynamics holds -10: a temperature is more than 0"),
        ({"temperatures": []}, "'temperatures' of dynamics is empty"),
        ({"steps": 0}, "parameter 'steps' of dynamics is 0: it must be at least 1"),
        ({"time_step": 0}, "parameter 'time_step' of dynamics is 0: it must be at least 0.001"),
        ({"ensemble": "nve", "final_temperature": 500}, "asks for a ramp, but nve has no thermostat"),
        ({"ensemble": "npt-melchionna", "mask": [0, 0, 0]}, "which fixes everything: choose an nvt ensemble"),
        ({"ensemble": "nvt-bussi", "mask": [1, 0, 0]}, "parameter 'mask' of dynamics means nothing to nvt-bussi"),
        ({"ensemble": "nvt-langvin"}, "did you mean 'nvt-langevin'"),
        ({"temperature": [300]}, "dynamics has no parameter 'temperature': did you mean 'temperatures'"),
    ],
)
def test_parameters_that_cannot_be(parameters, message, process, code, model, crystal):
    refused(message, process, code=code, model=model, structure=crystal, parameters=parameters)


def test_barostat_needs_a_crystal(code, model):
    inputs = {"code": code, "model": model, "parameters": {"ensemble": "npt-mtk", "steps": 5}}
    refused("H2O is a molecule .* or choose an nvt ensemble", **inputs, structure=from_atoms(molecule("H2O")))
    slab = fcc111("Cu", (2, 2, 3), vacuum=8.0)
    refused("is a slab .*, but npt-mtk needs a crystal", **inputs, structure=from_atoms(slab))


def test_structure_and_element_that_no_model_knows(code, model):
    refused("the structure contains Fe, which model emt does not know", code=code, model=model,
            structure=from_atoms(bulk("Fe")))  # fmt: skip
    atoms = bulk("Cu", cubic=True)
    atoms.positions[1] = atoms.positions[0] + 0.01
    refused("Å", code=code, model=model, structure=from_atoms(atoms))


@pytest.mark.slow
def test_time_step_that_is_too_long_is_warned_of(code, model):
    inputs = {"code": code, "model": model, "structure": from_atoms(molecule("H2O", vacuum=3.0))}
    with pytest.warns(UserWarning, match=r"a time step of 3 fs is long for an atom of mass 1\.008"):
        _, node = run_get_node(DynamicsCalculation, **inputs, parameters={"steps": 2, "time_step": 3.0})
    assert node.is_finished, node.exception
    assert any("WARNING: a time step of 3 fs" in line for line in reports(node))


def test_large_runs_are_warned_of_and_not_refused():
    from aiida_crucible.calculations.dynamics.size import describe

    small = size_of(validate_parameters("dynamics", {"steps": 50_000, "temperatures": [300.0] * 8}), [625] * 8)
    assert small.stored < 200e6
    large = size_of(validate_parameters("dynamics", {"steps": 50_000_000}), [625])
    assert "WARNING" not in describe(small, "here")
    assert describe(large, "here").startswith(
        "WARNING: about 38.8 GB stay on here (frames 37.9 GB, time series 920 MB)"
    )


class TestFoldersThatCannotBeContinued:
    """``restart_from`` is judged by its node before anything is submitted."""

    @pytest.fixture
    def begun(self, code, model, crystal):
        """Return a function that gives the remote folder of a job, as AiiDA has it, without running one."""
        from aiida.common.links import LinkType
        from plumpy import ProcessState

        def make(condition="interrupted", state=ProcessState.FINISHED, task="dynamics", **changes):
            node = CalcJobNode(computer=code.computer, process_type=f"aiida.calculations:crucible.{task}")
            node.label = "begun"
            parameters = Dict(validate_parameters("dynamics", {"steps": 20, "seed": 1}))
            for label, value in {"code": code, "model": model, "structure": crystal, "parameters": parameters}.items():
                node.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_CALC, link_label=label)
            node.set_process_state(state)
            node.store()
            folder = RemoteData("/nowhere", computer=code.computer)
            results = {"condition": condition, "summary": {"checkpoint": {"replica": 0, "step": 5}}, **changes}
            for label, output in {"remote_folder": folder, "results": Dict(results)}.items():
                output.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label=label)
                output.store()
            return folder

        return make

    @pytest.fixture
    def inputs(self, code, model, crystal):
        return {"code": code, "model": model, "structure": crystal, "parameters": {"steps": 20, "seed": 1}}

    @pytest.mark.slow
    @pytest.mark.parametrize("process", [DynamicsCalculation, DynamicsBaseWorkChain])
    def test_other_work(self, process, begun, inputs, crystal):
        folder = begun()
        other = from_atoms(bulk("Ag", cubic=True) * (2, 2, 2))
        isotopes = to_atoms(crystal)
        isotopes.set_masses([65.0] * len(isotopes))
        for changed in (other, from_atoms(isotopes)):
            refused("was begun by .* with another structure: give the same, or start anew", process,
                    **{**inputs, "structure": changed}, restart_from=folder)  # fmt: skip
        refused("with seed 1, not 2: give the same", process, **{**inputs, "parameters": {"steps": 20, "seed": 2}},
                restart_from=folder)  # fmt: skip
        refused(r"with temperatures .* \(and other parameters\)", process,
                **{**inputs, "parameters": {"steps": 30, "temperatures": [200.0]}}, restart_from=folder)  # fmt: skip
        second = ModelData.get_or_create("ase", trust_code=True, settings={"factory": "ase.calculators.emt:EMT"})
        refused("was begun by .* with model emt, not ", process, **{**inputs, "model": second},
                restart_from=folder)  # fmt: skip

    def test_another_computer(self, begun, inputs, forgotten):
        from aiida.orm import Computer

        elsewhere = Computer("elsewhere", "elsewhere", "", "core.local", "core.direct", "/tmp").store()
        refused("is on computer 'elsewhere', but the code runs on 'localhost'", **inputs,
                restart_from=RemoteData("/tmp", computer=elsewhere).store())  # fmt: skip

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"condition": "finished"}, "which has finished: nothing is left to do"),
            ({"task": "relax"}, "which is no dynamics: give the `remote_folder`"),
            ({"protocol": 1}, "was written by an engine of protocol 1"),
            ({"summary": {"checkpoint": None}}, "has no checkpoint: .* ended before its first one"),
        ],
    )
    def test_jobs_without_anything_to_continue(self, changes, message, begun, inputs):
        refused(message, **inputs, restart_from=begun(**changes))

    def test_a_job_that_goes_on(self, begun, inputs):
        from plumpy import ProcessState

        refused("which goes on: let it end, or kill it", **inputs, restart_from=begun(state=ProcessState.WAITING))

    def test_cleaned(self, begun, inputs):
        folder = begun()
        folder.base.extras.set(RemoteData.KEY_EXTRA_CLEANED, True)
        refused("was cleaned from localhost: its checkpoint is gone", **inputs, restart_from=folder)

    def test_details_of_output_may_differ(self, begun, inputs):
        """The folder is accepted; that it is not there is told by the computer, before anything is queued."""
        parameters = {**inputs["parameters"], "checkpoint_interval": 7}
        _, node = run_get_node(DynamicsCalculation, **{**inputs, "parameters": parameters}, restart_from=begun())
        assert node.exit_status == DynamicsCalculation.exit_codes.ERROR_NOTHING_TO_CONTINUE.status
        assert "localhost has no checkpoint in /nowhere/run: start without restart_from" in node.exit_message
        assert node.get_job_id() is None
