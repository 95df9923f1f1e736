"""PhononWorkChain with ASE's EMT: what is stable, what is not, and what cannot be is said in one line."""

from __future__ import annotations

import numpy as np
import phonopy
import pytest
from aiida.common import LinkType
from aiida.engine import run_get_node
from aiida.orm import ArrayData, CalcJobNode, Dict, InstalledCode, StructureData
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from aiida_crucible.nodes.structures import from_atoms, trajectory_to_atoms
from aiida_crucible.workflows.phonon.calcfunctions import analyse_phonons, displace_supercells
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain

QUICK = {"mesh": [4, 4, 4], "dos_mesh": [6, 6, 6], "band_points": 11, "supercell_matrix": [3, 3, 3]}


@pytest.fixture(scope="module")
def copper_phonons(code, model):
    """Run the whole WorkChain once, on primitive copper that is 2 % too large."""
    builder = PhononWorkChain.get_builder_from_protocol(
        code, model, from_atoms(bulk("Cu", a=3.68)), "fast", overrides={"parameters": QUICK}
    )
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return results, node


@pytest.mark.slow
def test_copper_is_stable_from_one_displacement(copper_phonons):
    summary = copper_phonons[0]["summary"].get_dict()
    assert summary["outcome"] == "stable"
    assert (summary["n_displacements"], summary["n_supercells"]) == (1, 3)
    assert summary["space_group"] == "Fm-3m (225)"
    assert summary["force_noise"]["floor"] < 1e-12
    assert summary["lowest_mesh_frequency"] > 0.5
    assert np.abs(summary["gamma_frequencies"]).max() < 1e-4


@pytest.mark.slow
def test_the_relaxed_cell_is_emts(copper_phonons):
    results, _ = copper_phonons
    assert results["structure"].get_ase().cell.cellpar()[0] * np.sqrt(2) == pytest.approx(3.59, abs=0.005)
    assert results["relaxation"]["structures"]["structure"]["outcome"] == "converged"


@pytest.mark.slow
def test_outputs_agree_with_each_other_and_with_phonopy(copper_phonons):
    results, _ = copper_phonons
    bands, mesh, dos = results["bands"], results["mesh"], results["dos"]
    assert bands.get_bands().shape == bands.get_array("resolvable").shape
    assert dict(bands.labels)[0] == "GAMMA"
    assert mesh.get_array("group_velocities").shape == (*mesh.get_array("frequencies").shape, 3)
    frequencies, density = dos.get_x()[1], dos.get_y()[0][1]
    assert np.trapezoid(density, frequencies) == pytest.approx(3, abs=0.1)
    capacity = {name: values for name, values, _ in results["thermal_properties"].get_y()}["heat_capacity"]
    # Dulong and Petit, but for the three translations that a coarse mesh leaves out.
    assert capacity[-1] == pytest.approx(3 * 8.617333e-5, rel=0.02)
    with results["phonopy_params"].as_path() as path:
        loaded = phonopy.load(path, log_level=0)
    loaded.run_qpoints(mesh.get_array("qpoints"))
    np.testing.assert_allclose(loaded.qpoints.frequencies, mesh.get_array("frequencies"), atol=1e-3)


@pytest.mark.slow
def test_one_job_evaluates_all_supercells(copper_phonons):
    _, node = copper_phonons
    jobs = [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]
    assert sorted(jobs) == ["EvaluateCalculation", "RelaxCalculation", "VerifyCalculation"]
    created = {entry.link_label for entry in node.base.links.get_outgoing(link_type=LinkType.RETURN)}
    assert {"bands", "summary", "verification"} <= created


@pytest.mark.slow
def test_an_unstable_crystal_is_imaginary_and_no_failure(code, model):
    simple_cubic = from_atoms(bulk("Cu", "sc", a=2.4))
    overrides = {"parameters": {**QUICK, "supercell_matrix": [4, 4, 4]}}
    builder = PhononWorkChain.get_builder_from_protocol(code, model, simple_cubic, "fast", overrides=overrides)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "imaginary"
    assert results["summary"]["verdict"]["frequency"] < -1
    assert results["bands"].get_bands().min() < -1


@pytest.mark.slow
def test_what_cannot_be_relaxed_has_no_phonons_and_is_no_failure(code, model):
    overrides = {"relax": {"max_iterations": 1, "relax": {"parameters": {"max_steps": 1, "fmax": 1e-6}}}}
    builder = PhononWorkChain.get_builder_from_protocol(
        code, model, from_atoms(bulk("Cu", a=3.8)), "fast", overrides=overrides
    )
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "not-relaxed"
    assert results["relaxation"]["outcome"] == "not-converged"
    assert "bands" not in results


@pytest.mark.slow
def test_a_broken_environment_says_so_and_stops(localhost, model):
    broken = InstalledCode(label="broken", computer=localhost, filepath_executable="/bin/false").store()
    builder = PhononWorkChain.get_builder_from_protocol(broken, model, from_atoms(bulk("Cu")), "fast")
    _, node = run_get_node(builder)
    assert node.exit_status == PhononWorkChain.exit_codes.ERROR_VERIFICATION_UNFINISHED.status
    assert "engine did not start" in node.exit_message
    verified = {"family": "emt", "name": "emt", "sha256": model.sha256}
    builder.verification = Dict({"task": "verify", "outcome": "passed", "model": verified})
    _, node = run_get_node(builder)
    assert node.exit_status == PhononWorkChain.exit_codes.ERROR_RELAXATION_FAILED.status
    assert "engine did not start" in node.exit_message


def test_forces_that_are_no_numbers_are_an_outcome(aiida_profile):
    structure, parameters = from_atoms(bulk("Cu")), Dict({"supercell_matrix": [2, 2, 2]})
    supercells = displace_supercells(structure, parameters)
    forces = np.zeros((supercells.numsteps, 8, 3))
    forces[1, 0, 0] = np.nan
    found = analyse_phonons(structure, parameters, ArrayData({"forces": forces}))
    assert found["summary"]["outcome"] == "non-finite"
    assert found["summary"]["supercells"] == [1]
    assert set(found) == {"summary"}


def test_supercells_begin_with_the_ideal_one(aiida_profile):
    supercells = displace_supercells(from_atoms(bulk("Cu")), Dict({"supercell_matrix": [2, 2, 2]}))
    ideal, *others = trajectory_to_atoms(supercells)
    moved = [np.linalg.norm(atoms.positions - ideal.positions, axis=1) for atoms in others]
    assert [np.count_nonzero(lengths) for lengths in moved] == [1, 1]
    np.testing.assert_allclose(np.max(moved, axis=1), 0.01)


def in_a_box() -> Atoms:
    water = molecule("H2O")
    water.set_cell([12, 12, 12])
    water.pbc = True
    return water


def slab(periodic: bool) -> Atoms:
    atoms = fcc111("Cu", (1, 1, 3), vacuum=8.0)
    atoms.pbc = (True, True, periodic)
    return atoms


def alloy() -> StructureData:
    structure = StructureData(cell=np.diag([3.6, 3.6, 3.6]).tolist())
    structure.append_atom(position=(0, 0, 0), symbols=("Cu", "Ni"), weights=(0.5, 0.5))
    return structure


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (lambda: from_atoms(molecule("H2O")), "is a molecule"),
        (lambda: from_atoms(in_a_box()), "vacuum .* looks like a molecule"),
        (lambda: from_atoms(slab(periodic=False)), "is a slab"),
        (lambda: from_atoms(slab(periodic=True)), "vacuum along c.* looks like a slab"),
        (alloy, "partially occupied"),
        (lambda: from_atoms(bulk("Cu").repeat((2, 1, 1)) + Atoms("Cu", [(0, 0, 0.1)])), "apart|on top|too close|Å"),
    ],
)
def test_what_is_no_crystal_is_refused_before_submission(code, model, structure, message):
    with pytest.raises(ValueError, match=message) as caught:
        PhononWorkChain.get_builder_from_protocol(code, model, structure())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"displacment": 0.01}, "did you mean 'displacement'"),
        ({"displacement": 2.0}, "at most 0.3"),
        ({"displacement": -0.01}, "at least 0.0001"),
        ({"other_displacements": [5.0]}, "at most 0.3"),
        ({"supercell_matrix": [2, 2]}, "three whole numbers"),
        ({"supercell_matrix": [50, 50, 50]}, "at most 1000"),
        ({"mesh": [8, 8]}, "three whole numbers"),
        ({"mesh": [1, 1, 1]}, "single wave vector"),
        ({"band_path": [[[0, 0, 0], [0.5, 0, 0]]]}, "go together"),
        ({"plusminus": "allways"}, "did you mean 'always'"),
    ],
)
def test_a_bad_setting_is_refused_before_submission(code, model, parameters, message):
    with pytest.raises(ValueError, match=message):
        PhononWorkChain.get_builder_from_protocol(
            code, model, from_atoms(bulk("Cu")), overrides={"parameters": parameters}
        )


def test_an_element_that_the_model_does_not_know_is_refused(code, model):
    builder = PhononWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")))
    builder.structure = from_atoms(bulk("Fe"))
    with pytest.raises(ValueError, match=r"Fe.*does not know"):
        run_get_node(builder)


def test_born_charges_must_fit_the_structure(code, model):
    builder = PhononWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")))
    with pytest.raises(ValueError, match="give `charges`"):
        builder.born_charges = ArrayData({"charges": np.zeros((1, 3, 3))})
    builder.born_charges = ArrayData({"charges": np.zeros((2, 3, 3)), "dielectric": np.eye(3)})
    with pytest.raises(ValueError, match="one 3x3 tensor for each atom"):
        run_get_node(builder)


def test_isotopes_on_one_kind_of_site_are_refused_before_submission(code, model):
    atoms = bulk("Cu", cubic=True)
    atoms.set_masses([62.93, 62.93, 62.93, 64.93])
    with pytest.raises(ValueError, match="atoms of Cu that symmetry makes the same have masses of"):
        PhononWorkChain.get_builder_from_protocol(code, model, from_atoms(atoms), "fast")


@pytest.mark.slow
def test_four_times_the_mass_halves_every_frequency(copper_phonons, code, model):
    usual, _ = copper_phonons
    atoms = bulk("Cu", a=3.68)
    atoms.set_masses([4 * 63.546])
    builder = PhononWorkChain.get_builder_from_protocol(
        code, model, from_atoms(atoms), "fast", overrides={"parameters": QUICK}
    )
    heavy, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert [found["structure"].kinds[0].mass for found in (usual, heavy)] == [63.546, 4 * 63.546]
    np.testing.assert_allclose(usual["bands"].get_bands(), 2 * heavy["bands"].get_bands(), atol=1e-4)
