"""``crucible.relax`` from inputs to output nodes, and what a model's physical failure becomes."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import StructureData
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from engine_jobs import HELPERS

from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms, to_atoms, trajectory_to_atoms

EMT_COPPER = 3.5899
"""Å, lattice constant of copper in ASE's effective medium theory at 0 K."""


def faulty(fault, **arguments):
    """Return a model with a fault, and the options that let the engine find it."""
    settings = {"factory": "faulty_calculators:faulty", "arguments": {"fault": fault, **arguments}}
    metadata = {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}}
    return {"model": ModelData.get_or_create("ase", trust_code=True, settings=settings), "metadata": metadata}


@pytest.mark.slow
def test_cells_and_kinds(code, model):
    tagged = StructureData(cell=(np.eye(3) * 3.7).tolist())
    for index, position in enumerate(bulk("Cu", cubic=True, a=3.7).positions):
        tagged.append_atom(symbols="Cu", position=position.tolist(), name=f"Cu{index % 2}")
    structures = {"tagged": tagged, "primitive": from_atoms(bulk("Cu", a=3.5))}
    parameters = {"fmax": 0.002, "optimizer": "BFGS", "trajectory_interval": 3}
    outputs, node = run_get_node(RelaxCalculation, code=code, model=model, structures=structures, parameters=parameters)
    assert node.is_finished_ok, node.exit_message
    assert sorted(outputs["relaxed"]) == ["primitive", "tagged"]
    cubic = outputs["relaxed"]["tagged"]
    assert np.allclose(cubic.cell, np.eye(3) * EMT_COPPER, atol=2e-3)
    assert [site.kind_name for site in cubic.sites] == ["Cu0", "Cu1", "Cu0", "Cu1"]
    assert cubic.creator.uuid == node.uuid
    assert to_atoms(outputs["relaxed"]["primitive"]).cell.volume == pytest.approx(EMT_COPPER**3 / 4, rel=2e-3)
    summary = outputs["results"]["summary"]["structures"]
    assert {summary[key]["outcome"] for key in structures} == {"converged"}
    assert summary["tagged"]["space_group_after"]["symbol"] == "Fm-3m"
    assert outputs["properties"].get_array("n_atoms").tolist() == [1, 4]
    for index, key in enumerate(sorted(structures)):
        atoms = to_atoms(outputs["relaxed"][key])
        atoms.calc = EMT()
        assert outputs["properties"].get_array("energies")[index] == pytest.approx(
            atoms.get_potential_energy(), abs=1e-8
        )
        trajectory = outputs["trajectories"][key]
        assert trajectory.get_stepids()[0] == 0
        assert trajectory.get_stepids()[-1] == summary[key]["steps"]
        assert trajectory.get_array("energies")[-1] == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
        assert np.allclose(list(trajectory_to_atoms(trajectory))[-1].cell.array, atoms.cell.array, atol=1e-10)
        assert np.allclose(trajectory.get_cells()[0], structures[key].cell)


@pytest.mark.slow
def test_molecule_with_fixed_cell(code, model):
    structures = {"co": from_atoms(molecule("CO"))}
    parameters = {"cell": "fixed", "fmax": 0.05, "trajectory_interval": 1}
    outputs, node = run_get_node(RelaxCalculation, code=code, model=model, structures=structures, parameters=parameters)
    assert node.is_finished_ok, node.exit_message
    assert outputs["relaxed"]["co"].pbc == (False, False, False)
    assert np.isnan(outputs["properties"].get_array("stresses")).all()
    assert outputs["trajectories"]["co"].get_positions().shape[1:] == (2, 3)


def test_moving_cell_of_a_molecule_is_refused(code, model):
    with pytest.raises(ValueError, match=r"structure 'co': CO is a molecule .* or set the parameter cell to 'fixed'"):
        run_get_node(RelaxCalculation, code=code, model=model, structures={"co": from_atoms(molecule("CO"))})


def test_nothing_to_relax_is_refused(code, model):
    with pytest.raises(ValueError, match="there is nothing to relax: give structures"):
        run_get_node(RelaxCalculation, code=code, model=model, structures={})


def test_misspelt_parameter_is_refused(code, model, copper):
    inputs = {"code": code, "model": model, "structures": {"copper": copper}}
    with pytest.raises(ValueError, match="relax has no parameter 'f_max': did you mean 'fmax'"):
        run_get_node(RelaxCalculation, **inputs, parameters={"f_max": 0.01})


@pytest.mark.slow
def test_physical_failure_is_a_result(code, copper):
    inputs = {"code": code, "structures": {"copper": copper}, **faulty("expand")}
    outputs, node = run_get_node(RelaxCalculation, **inputs, parameters={"keep_symmetry": False})
    assert node.exit_status == 0, node.exit_message
    assert outputs["results"]["outcome"] == "runaway"
    assert outputs["results"]["summary"]["structures"]["copper"]["outcome"] == "runaway"
