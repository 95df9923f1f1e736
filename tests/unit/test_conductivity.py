"""Lattice thermal conductivities: phono3py's own numbers, well-defined ones, and what is said of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_crucible.analysis.conductivity import third_order
from aiida_crucible.analysis.conductivity.answers import (
    check_reference,
    conductivity,
    no_conductivity,
    summarise_conductivity,
)
from aiida_crucible.analysis.conductivity.settings import validate_conductivity
from aiida_crucible.analysis.conductivity.third_order import (
    displaced_supercells,
    prepare_third_order,
    solve_third_order,
)
from aiida_crucible.analysis.conductivity.transport import WELL_DEFINED, imaginary_modes, transport

phono3py = pytest.importorskip("phono3py")

IDENTITY = np.eye(3)
HARMONIC = np.diag([3, 3, 3])
GIVEN = {"supercell_matrix": [3, 3, 3], "mesh": [7, 7, 7], "other_meshes": [[5, 5, 5]], "temperatures": [200.0, 300.0]}
STABLE = {"outcome": "stable", "verdict": {"reason": "every mode is real"}}


def forces_of(cell):
    atoms = Atoms(cell.symbols, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)
    atoms.calc = EMT()
    return atoms.get_forces()


def own_forces(atoms):
    atoms.calc = EMT()
    return atoms.get_forces()


@pytest.fixture(scope="module")
def settings():
    return validate_conductivity(GIVEN)


@pytest.fixture(scope="module")
def direct():
    """Return copper with its force constants, by phono3py alone."""
    atoms = bulk("Cu", a=3.59)
    cell = phono3py.api_phono3py.PhonopyAtoms(
        numbers=atoms.numbers, cell=atoms.cell.array, scaled_positions=[[0, 0, 0]]
    )
    crystal = phono3py.Phono3py(
        cell, supercell_matrix=[3, 3, 3], primitive_matrix=IDENTITY, phonon_supercell_matrix=HARMONIC
    )
    crystal.generate_displacements(distance=0.03)
    crystal.forces = [forces_of(each) for each in crystal.supercells_with_displacements]
    crystal.phonon_forces = [forces_of(each) for each in crystal.phonon_supercells_with_displacements]
    crystal.produce_fc2()
    crystal.symmetrize_fc2()
    crystal.produce_fc3()
    crystal.symmetrize_fc3()
    return crystal


def solved(settings, fc2):
    crystal = prepare_third_order(bulk("Cu", a=3.59), settings, 1e-5, (HARMONIC, IDENTITY))
    solve_third_order(crystal, np.array([own_forces(cell) for cell in displaced_supercells(crystal)]))
    crystal.fc2 = fc2
    return crystal


@pytest.fixture(scope="module")
def crystal(settings, direct):
    return solved(settings, direct.fc2)


@pytest.fixture(scope="module")
def found(crystal, settings):
    meshes = (settings["mesh"], *settings["other_meshes"])
    fine, *others = (transport(crystal, mesh, settings) for mesh in meshes)
    return conductivity(fine, others, settings)


def test_a_conductivity_is_phono3pys(found, direct, settings):
    direct.mesh_numbers = settings["mesh"]
    direct.init_phph_interaction(**WELL_DEFINED)
    direct.run_thermal_conductivity(temperatures=settings["temperatures"])
    expected = direct.thermal_conductivity.kappa[0][:, :3]
    assert (expected > 1).all()
    np.testing.assert_allclose(np.diagonal(found.tensor, axis1=1, axis2=2), expected, rtol=1e-6)
    np.testing.assert_allclose(found.tensor, found.tensor.transpose(0, 2, 1))
    assert found.fine.weights.sum() == 7**3
    assert found.fine.linewidths.shape == (2, *found.fine.frequencies.shape)


def test_rounding_does_not_change_it(crystal, settings, direct):
    expected = transport(crystal, settings["mesh"], settings).conductivity
    noise = 1 + 1e-14 * np.random.default_rng(0).normal(size=direct.fc2.shape)
    other = transport(solved(settings, direct.fc2 * noise), settings["mesh"], settings).conductivity
    np.testing.assert_allclose(other, expected, rtol=1e-8, atol=1e-8)


def test_the_direct_solution_is_another_number(crystal, settings, found):
    other = transport(crystal, settings["mesh"], {**settings, "method": "direct"})
    ratio = np.trace(other.conductivity[1]) / np.trace(found.tensor[1])
    assert ratio > 1.02
    isotopes = transport(crystal, settings["mesh"], {**settings, "isotopes": True})
    assert np.trace(isotopes.conductivity[1]) < np.trace(found.tensor[1])


def test_a_cutoff_leaves_pairs_out(crystal, settings):
    near = prepare_third_order(bulk("Cu", a=3.59), {**settings, "pair_cutoff": 2.0}, 1e-5, (HARMONIC, IDENTITY))
    cells = displaced_supercells(near)
    assert 1 < len(cells) < len(displaced_supercells(crystal))
    solve_third_order(near, np.array([own_forces(cell) for cell in cells]))
    assert np.abs(near.fc3).max() > 0
    with pytest.raises(ValueError, match="forces of shape"):
        solve_third_order(near, np.zeros((1, 8, 3)))


def test_imaginary_modes_are_counted(crystal, settings, direct):
    assert imaginary_modes(crystal, settings["mesh"])[0] == 0
    count, lowest = imaginary_modes(solved(settings, -direct.fc2), settings["mesh"])
    assert count > 100 and lowest < -3


def test_what_is_said(found, settings):
    said = summarise_conductivity(found, STABLE, {"conductivity": found.at(300.0)["conductivity"][0]}, settings)
    assert said["stability"]["answer"] == "yes"
    assert said["convergence"]["evidence"]["relative_change"] > 0
    loose = {**settings, "mesh_tolerance": 10.0}
    assert summarise_conductivity(found, STABLE, {}, loose)["outcome"] == "computed"
    tight = {**settings, "mesh_tolerance": 1e-9}
    assert summarise_conductivity(found, STABLE, {}, tight)["outcome"] == "cannot-tell"
    far = summarise_conductivity(found, STABLE, {"xx": 1e5}, loose)
    assert far["agreement"]["answer"] == "no"
    nothing = dataclasses.replace(found, tensor=np.full((2, 3, 3), np.nan))
    assert summarise_conductivity(nothing, STABLE, {"xx": 1.0}, loose)["agreement"]["answer"] == "cannot-tell"


def test_modes_that_nothing_scatters_make_no_conductivity(settings, direct):
    """In a supercell of two primitive cells modes at the border of the zone have no third order: κ is 10³⁷ W/(m K)."""
    small = solved({**settings, "supercell_matrix": [2, 2, 2]}, direct.fc2)
    fine = transport(small, settings["mesh"], settings)
    assert fine.unscattered
    said = summarise_conductivity(conductivity(fine, [fine], settings), STABLE, {"xx": 400.0}, settings)
    assert said["outcome"] == said["agreement"]["answer"] == "cannot-tell"
    assert "nothing scatters" in said["reason"] and said["values"] == {}


def test_nothing_is_claimed_of_imaginary_modes():
    said = no_conductivity(
        "imaginary", "no conductivity is claimed", {"outcome": "imaginary", "verdict": {"reason": "x"}}
    )
    assert said["stability"]["answer"] == "no" and "values" not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mesh": [1, 1, 1]}, "single wave vector"),
        ({"mesh": [5, 5]}, "three whole numbers"),
        ({"other_meshes": [7]}, "three whole numbers"),
        ({"other_meshes": []}, "give one or more"),
        ({"other_meshes": [[15, 15, 15]]}, "that are not the mesh"),
        ({"temperatures": [300.0, 200.0]}, "each above the one before"),
        ({"temperature": 250.0}, "none of the temperatures"),
        ({"method": "lbte"}, "direct, relaxation-time"),
        ({"supercell_matrix": [0, 1, 1]}, "must be positive"),
    ],
)
def test_settings_are_refused_in_one_line(given, words):
    with pytest.raises(ValueError, match=words) as caught:
        validate_conductivity(given)
    assert "\n" not in str(caught.value)


def test_a_reference_is_refused_in_one_line():
    with pytest.raises(ValueError, match="did you mean 'conductivity'"):
        check_reference({"conductivty": 3.0})


def test_without_phono3py_one_line_says_how_to_get_it(monkeypatch, settings):
    monkeypatch.setattr(third_order, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install 'aiida-crucible\[conductivity\]'") as caught:
        prepare_third_order(bulk("Cu"), settings, 1e-5, (HARMONIC, IDENTITY))
    assert "\n" not in str(caught.value)
