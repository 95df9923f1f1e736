"""What a dynamics with LAMMPS is refused for before anything runs, and what its job says of ranks."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from aiida.orm import Computer, ContainerizedCode
from ase.build import bulk, molecule

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.dynamics.lammps import launcher_of
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.sweep import TemperatureSweepWorkChain

NVE = {"backend": "lammps", "ensemble": "nve", "steps": 1}
TWO = {"num_machines": 1, "num_mpiprocs_per_machine": 2}


@pytest.fixture
def potential(tmp_path):
    """Return a model of a file that begins as a graph does; nothing reads it."""
    path = tmp_path / "graph.pb"
    path.write_bytes(b"\n no graph")
    return ModelData.get_or_create("deepmd", checkpoint=path)


@pytest.fixture
def inputs(code, potential):
    return {"code": code, "model": potential, "structure": from_atoms(bulk("Cu", cubic=True)), "parameters": NVE}


def resources(**given):
    return {"metadata": {"options": {"resources": given}}}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda: {"model": ModelData.get_or_create("emt")},
            r"no pair style of LAMMPS is known for family 'emt' \(one is for deepmd\): choose backend 'ase'",
        ),
        (lambda: {"parameters": {**NVE, "ensemble": "nvt-bussi"}}, "'nvt-bussi', which LAMMPS has no equal of"),
        (lambda: {"parameters": {**NVE, "backend": "gromacs"}}, "'backend' of dynamics is 'gromacs'"),
        (lambda: {"structure": from_atoms(molecule("CO2", vacuum=4))}, "periodic.*choose backend 'ase'"),
        (
            lambda: {"parameters": {"ensemble": "nve", "steps": 1}, **resources(**TWO)},
            "asks for 2 processes: the engine is one",
        ),
        (lambda: {"metadata": {"options": {"withmpi": True}}}, "as many ranks as `resources` has processes"),
    ],
    ids=["family", "ensemble", "backend", "molecule", "ranks without LAMMPS", "withmpi"],
)
def test_bad_inputs_are_refused_before_submission(inputs, spoil, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(DynamicsCalculation, **{**inputs, **spoil()})


def test_a_container_is_refused(inputs, localhost):
    container = ContainerizedCode(
        computer=localhost, label="deepmd", filepath_executable="python", image_name="deepmd.sif",
        engine_command="singularity exec {image_name}",
    ).store()  # fmt: skip
    with pytest.raises(ValueError, match="is a container, in which LAMMPS cannot be started"):
        run_get_node(DynamicsCalculation, **{**inputs, "code": container})


@pytest.mark.parametrize(
    ("command", "given", "launcher", "ranks"),
    [
        (None, TWO, ["mpirun", "-np", "2"], 2),
        (["srun", "-n", "{tot_num_mpiprocs}"], {**TWO, "num_machines": 3}, ["srun", "-n", "6"], 6),
        (["mpirun", "-np", "{tot_num_mpiprocs}"], {"num_machines": 1, "num_mpiprocs_per_machine": 1}, [], 1),
    ],
)
def test_ranks_are_those_of_the_resources(command, given, launcher, ranks):
    computer = Computer("cluster", "localhost", "", "core.local", "core.direct")
    if command is not None:
        computer.set_mpirun_command(command)
    assert launcher_of(computer, {"resources": given}) == (launcher, ranks)
    extra = {"resources": given, "mpirun_extra_params": ["--bind-to", "core"]}
    assert launcher_of(computer, extra)[0] == (launcher and [*launcher, "--bind-to", "core"])


def test_a_computer_that_starts_no_ranks_is_named():
    computer = Computer("cluster", "localhost", "", "core.local", "core.direct")
    computer.set_mpirun_command([])
    with pytest.raises(ValueError, match=r"2 ranks of LAMMPS, but computer 'cluster' has no command"):
        launcher_of(computer, {"resources": TWO})


def test_a_sweep_takes_lammps_and_its_ranks(code, potential):
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code=code,
        model=potential,
        structure=from_atoms(bulk("Cu", cubic=True)),
        protocol="fast",
        temperatures=[300],
        overrides={"base": {"dynamics": {"parameters": {"backend": "lammps", "ensemble": "npt-mtk"}}}},
    )
    builder.base.dynamics.metadata.options.resources = TWO
    assert TemperatureSweepWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    parameters = builder.base.dynamics.parameters.get_dict()
    assert parameters["backend"] == "lammps"
