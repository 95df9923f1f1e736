"""Masses of isotopes, in molecular dynamics and in phonons, against closed forms: frequencies go as 1/√m."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.data import atomic_masses
from engine_jobs import calculator_from, read_arrays, run_here, write_job
from phonopy.structure.atoms import PhonopyAtoms
from spring_crystal import chain

from aiida_crucible.analysis.comparison.harmonic import compare_phonons
from aiida_crucible.analysis.comparison.settings import SETTINGS as COMPARISON
from aiida_crucible.analysis.crystal.mapping import find_sites, map_crystal
from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms, to_phonopy
from aiida_crucible.analysis.dynamics.mean_structure import mean_structure
from aiida_crucible.analysis.phonons import settings as phonon_settings
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.lattice_force_constants import lattice_force_constants, restore_phonons
from aiida_crucible.analysis.phonons.phonon_analysis import prepare, solve
from crucible_engine.wire.schema import ARRAYS_FILE, SERIES_COLUMNS, TRAJECTORIES_FILE
from crucible_engine.wire.structures import read_structures, write_structures

STIFFNESS = 5.0
COPPER = atomic_masses[29]


def copper(mass=None, repeat=1):
    atoms = bulk("Cu", cubic=True) * repeat
    if mass is not None:
        atoms.set_masses([mass] * len(atoms))
    return atoms


def solved(mass):
    crystal = chain(2.0, 0.5, "CuCu")
    if mass is not None:
        crystal.atoms.set_masses([mass] * 2)
    settings = phonon_settings.validate_settings({"supercell_matrix": [2, 2, 2], "mesh": [2, 2, 2]})
    _, plan = prepare(crystal.atoms, settings)
    forces = np.array([crystal.forces(plan.supercell, structure) for structure in plan.structures()])
    return solve(crystal.atoms, settings, forces)


def test_masses_cross_the_wire(tmp_path):
    write_structures(tmp_path / "s.npz", [copper(), copper(65.0)], ["natural", "heavy"])
    masses = {label: atoms.get_masses() for label, atoms in read_structures(tmp_path / "s.npz")}
    assert masses["natural"].tolist() == [COPPER] * 4
    assert masses["heavy"].tolist() == [65.0] * 4


def test_a_job_with_a_mass_of_zero_is_refused(tmp_path):
    atoms = copper(65.0)
    atoms.arrays["masses"][2] = 0.0
    results = run_here(write_job(tmp_path, "evaluate", {"massless": atoms}))
    assert results["condition"] == "invalid-structure"
    assert "'massless' has masses that are not positive numbers" in results["message"]


@pytest.mark.parametrize("mass", [None, 4 * COPPER], ids=["natural", "four times as heavy"])
def test_dynamics_of_an_einstein_crystal_has_the_period_of_its_mass(tmp_path, mass):
    """From rest at the sites the kinetic energy of velocity Verlet goes as cos² of ω t, ω² = k / m."""
    atoms = copper(mass)
    arguments = {"sites": atoms.positions.tolist(), "cell": atoms.cell.tolist(), "repeat": 1, "stiffness": STIFFNESS}
    settings = {"ensemble": "nve", "temperatures": [100.0], "time_step": 1.0, "steps": 200, "series_interval": 1}
    model = calculator_from("einstein_crystal:EinsteinCrystal", **arguments)
    run_here(write_job(tmp_path, "dynamics", {"crystal": atoms}, model, frame_interval=0, **settings))
    series = dict(zip(SERIES_COLUMNS, read_arrays(tmp_path)["series_0"].T, strict=True))
    squared = STIFFNESS / (mass or COPPER) * units.fs**2
    # One step of Verlet turns the phase by ω' with cos ω' = 1 - ω² dt² / 2.
    expected = np.cos(np.arccos(1 - squared / 2) * series["step"]) ** 2
    np.testing.assert_allclose(series["kinetic_energy"] / series["kinetic_energy"][0], expected, atol=1e-6)


def test_four_times_the_mass_halves_every_frequency():
    natural, heavy = solved(None), solved(4 * COPPER)
    np.testing.assert_allclose(natural[1].values, heavy[1].values, atol=1e-12)
    assert natural[2]["lowest_mesh_frequency"] == pytest.approx(2 * heavy[2]["lowest_mesh_frequency"], abs=1e-6)
    qpoints = [[0.3, 0.1, 0.0], [0.5, 0.5, 0.5]]
    found = []
    for phonon, _, _ in (natural, heavy):
        phonon.run_qpoints(qpoints)
        found.append(np.array(phonon.qpoints.frequencies))
    assert found[0].max() > 1.0
    np.testing.assert_allclose(found[0], 2 * found[1], atol=1e-6)


def test_stored_force_constants_are_used_with_the_masses_of_the_structure():
    phonon, constants, _ = solved(4 * COPPER)
    stored = constants.values, phonon.supercell_matrix, phonon.primitive_matrix
    found = []
    for atoms in (to_atoms(phonon.unitcell), chain(2.0, 0.5, "CuCu").atoms):
        restored = restore_phonons(atoms, *stored)
        restored.run_qpoints([[0.3, 0.1, 0.0]])
        found.append(np.array(restored.qpoints.frequencies))
    np.testing.assert_allclose(2 * found[0], found[1], atol=1e-9)


def test_a_comparison_of_other_masses_says_so():
    natural, heavy = solved(None)[0], solved(4 * COPPER)[0]
    settings = {name: parameter.default for name, parameter in COMPARISON.items()} | {"mesh": [2, 2, 2]}
    said = compare_phonons(natural, heavy, settings).values["warnings"]
    assert any("Cu has the mass 254.184 u in the model's structure and 63.546 u in the reference's" in w for w in said)
    assert not any("mass" in warning for warning in compare_phonons(natural, natural, settings).values["warnings"])


def test_phonons_refuse_different_masses_on_the_same_site():
    atoms = copper()
    atoms.set_masses([62.93, 62.93, 62.93, 64.93])
    with pytest.raises(ValueError, match="atoms of Cu that symmetry makes the same have masses of 6"):
        build_phonopy(atoms, np.eye(3, dtype=int))


def test_a_supercell_has_the_masses_of_its_unit_cell():
    unit = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    unit.set_masses([22.0 if symbol == "Na" else None for symbol in unit.symbols])
    supercell = (unit * (2, 1, 1))[[*range(8, 16), *range(8)]]
    expected = [22.0 if symbol == "Na" else atomic_masses[17] for symbol in supercell.symbols]
    sites = find_sites(supercell, unit)
    mean = mean_structure(
        supercell.positions, supercell.cell.array, np.full((16, 3), 1e-4), unit, sites, n_independent=100
    )
    for found in (map_crystal(supercell, unit).ideal, map_crystal(supercell, unit).unstrained):
        assert found.get_masses().tolist() == expected
    assert sites.of_phase(unit).get_masses().tolist() == expected
    assert mean.atoms.get_masses().tolist() == unit.get_masses().tolist()


def test_force_constants_of_a_lattice_keep_the_masses():
    phonon, constants, _ = solved(70.0)
    lattice = lattice_force_constants(
        to_atoms(phonon.unitcell), phonon.supercell_matrix, phonon.primitive_matrix, constants.values
    )
    assert lattice.primitive.get_masses().tolist() == [70.0] * len(phonon.primitive)


def test_standard_masses_stay_those_of_each_side():
    unit = bulk("NaCl", "rocksalt", a=5.6)
    cell, standard = to_phonopy(unit), PhonopyAtoms(numbers=unit.numbers, cell=unit.cell, positions=unit.positions)
    assert cell.masses.tolist() == standard.masses.tolist()
    assert not to_atoms(cell).has("masses")


def test_polonium_has_phonons():
    """An element that phonopy has no mass of."""
    polonium = bulk("Po", "sc", a=3.36)
    assert build_phonopy(polonium, np.eye(3, dtype=int)).primitive.masses.tolist() == [atomic_masses[84]]


def test_a_relaxed_structure_keeps_its_masses(tmp_path):
    write_job(tmp_path, "relax", {"heavy": copper(65.0)}, fmax=0.1, trajectory_interval=1)
    assert run_here(tmp_path)["condition"] == "finished"
    for file in (ARRAYS_FILE, TRAJECTORIES_FILE):
        for _, atoms in read_structures(tmp_path / file):
            assert atoms.get_masses().tolist() == [65.0] * 4
