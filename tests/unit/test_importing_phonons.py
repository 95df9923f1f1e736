"""Force constants from phonopy's files, in its units and in others, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.geometry import find_mic
from ase.io import write
from phonopy.file_IO import write_FORCE_CONSTANTS, write_force_constants_to_hdf5, write_FORCE_SETS
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from spring_crystal import SpringCrystal

from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.analysis.phonons.lattice_force_constants import restore_phonons
from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.settings import validate_phonons

SETTINGS = validate_phonons({})
MATRIX = [3, 2, 2]
RYDBERG = units.Rydberg / units.Bohr
CRYSTAL = SpringCrystal([[3.0, 0.9, 0.7], [0.8, 2.5, 0.6], [0.5, 0.4, 2.1]], "CuAu", [3.0, 3.2, 3.5])


@pytest.fixture(scope="module")
def solved():
    phonon = build_phonopy(CRYSTAL.atoms, np.diag(MATRIX))
    plan = plan_displacements(phonon, [0.01])
    forces = np.array([CRYSTAL.forces(plan.supercell, structure) for structure in plan.structures()])
    return phonon, solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0]).values


@pytest.fixture
def folder(tmp_path, solved):
    phonon, _ = solved
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    phonon.save(tmp_path / "phonopy.yaml", settings={"force_sets": False, "displacements": False})
    phonon.save(tmp_path / "phonopy_fc.yaml", settings={"force_sets": False, "force_constants": True})
    write_FORCE_SETS(phonon.dataset, filename=str(tmp_path / "FORCE_SETS"))
    compact = phonon.force_constants
    write_FORCE_CONSTANTS(compact, str(tmp_path / "FORCE_CONSTANTS"), phonon.primitive.p2s_map)
    write_FORCE_CONSTANTS(compact_fc_to_full_fc(phonon.primitive, compact), str(tmp_path / "FORCE_CONSTANTS_full"))
    write_force_constants_to_hdf5(compact, str(tmp_path / "force_constants.hdf5"), phonon.primitive.p2s_map)
    write(tmp_path / "POSCAR", CRYSTAL.atoms, format="vasp", direct=True)
    return tmp_path


def with_matrix(**given):
    return validate_phonons({"supercell_matrix": MATRIX, **given})


@pytest.mark.parametrize(
    ("name", "structure", "settings"),
    [
        ("phonopy_params.yaml", None, SETTINGS),
        ("phonopy_fc.yaml", None, SETTINGS),
        ("FORCE_SETS", "phonopy.yaml", SETTINGS),
        ("FORCE_SETS", "POSCAR", with_matrix()),
        ("FORCE_CONSTANTS", "POSCAR", with_matrix()),
        ("FORCE_CONSTANTS_full", "phonopy.yaml", SETTINGS),
        ("force_constants.hdf5", "phonopy.yaml", SETTINGS),
        ("force_constants.hdf5", "phonopy.yaml", with_matrix()),
    ],
)
def test_every_kind_of_file_gives_the_same(folder, solved, name, structure, settings):
    found = read_phonons(folder / name, settings, None if structure is None else folder / structure)
    np.testing.assert_allclose(found.constants.values, solved[1], atol=1e-8)
    assert found.warnings == []
    assert found.values["n_atoms_supercell"] == 24
    assert found.born is None
    again = restore_phonons(found.atoms, found.constants.values, found.supercell_matrix, found.primitive_matrix)
    np.testing.assert_allclose(again.supercell.positions, solved[0].supercell.positions, atol=1e-10)


def test_what_lies_in_the_working_directory_takes_no_part(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "BORN").write_text("nonsense")
    assert read_phonons(folder / "phonopy_params.yaml", SETTINGS).born is None
    with pytest.raises(ValueError, match=r"phonopy\.yaml holds neither forces nor force constants"):
        read_phonons(folder / "phonopy.yaml", SETTINGS)


def test_units_of_the_calculator_are_converted(tmp_path, solved):
    """The same crystal as Quantum ESPRESSO has it: lengths in Bohr, forces in Ry/Bohr."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = CRYSTAL.atoms
    cell = PhonopyAtoms(
        numbers=atoms.numbers, scaled_positions=atoms.get_scaled_positions(), cell=atoms.cell.array / units.Bohr
    )
    phonon = Phonopy(cell, np.diag(MATRIX), primitive_matrix=np.eye(3), calculator="qe")
    entries = [
        {**entry, "displacement": entry["displacement"] / units.Bohr, "forces": entry["forces"] / RYDBERG}
        for entry in solved[0].dataset["first_atoms"]
    ]
    phonon.dataset = {"natom": 24, "first_atoms": entries}
    phonon.save(tmp_path / "forces.yaml", settings={"force_constants": False})
    phonon.force_constants = solved[1] / (units.Rydberg / units.Bohr**2)
    phonon.save(tmp_path / "constants.yaml", settings={"force_sets": False, "force_constants": True})
    for name in ("forces.yaml", "constants.yaml"):
        found = read_phonons(tmp_path / name, SETTINGS)
        assert found.values["calculator"] == "qe"
        np.testing.assert_allclose(found.atoms.cell.array, atoms.cell.array, rtol=1e-6)
        np.testing.assert_allclose(found.constants.values, solved[1], rtol=1e-5, atol=1e-6)


def test_born_charges_are_those_of_the_unit_cells_atoms(folder, solved):
    lines = ["14.4", "2.5 0 0 0 2.5 0 0 0 2.5", "1 0 0 0 1 0 0 0 1", "-1 0 0 0 -1 0 0 0 -1"]
    (folder / "BORN").write_text("\n".join(lines) + "\n")
    found = read_phonons(folder / "phonopy_params.yaml", SETTINGS, born=folder / "BORN")
    np.testing.assert_allclose(found.born.charges, [np.eye(3), -np.eye(3)], atol=1e-8)
    np.testing.assert_allclose(found.born.dielectric, 2.5 * np.eye(3), atol=1e-8)


def test_broken_sum_rule_is_warned_of_with_its_size(folder, solved):
    broken = np.array(solved[1])
    broken[0, 0] += 0.05 * np.eye(3)
    write_FORCE_CONSTANTS(broken, str(folder / "FORCE_CONSTANTS"), solved[0].primitive.p2s_map)
    found = read_phonons(folder / "FORCE_CONSTANTS", SETTINGS, folder / "phonopy.yaml")
    assert found.constants.acoustic_sum_residual == pytest.approx(0.05, rel=1e-6)
    (warning,) = found.warnings
    assert "FORCE_CONSTANTS break the acoustic sum rule by 0.05 eV/Å²" in warning
    assert np.abs(found.constants.values.sum(axis=1)).max() < 1e-10


def test_drift_of_forces_is_warned_of_with_its_size(folder, solved):
    dataset = {"natom": 24, "first_atoms": [dict(entry) for entry in solved[0].dataset["first_atoms"]]}
    dataset["first_atoms"][1]["forces"] = dataset["first_atoms"][1]["forces"] + np.array([0.01, 0, 0])
    write_FORCE_SETS(dataset, filename=str(folder / "FORCE_SETS"))
    found = read_phonons(folder / "FORCE_SETS", SETTINGS, folder / "phonopy.yaml")
    assert found.values["largest_force_drift"] == pytest.approx(0.24)
    assert "displaced supercell 1 in FORCE_SETS add up to 0.24 eV/Å" in found.warnings[0]


def swapped(n_atoms, first, second):
    order = np.arange(n_atoms)
    order[[first, second]] = second, first
    return order


def test_force_constants_of_atoms_in_another_order_are_refused(tmp_path):
    """Rock salt in ASE's order, Na Cl Na Cl …, keeps index symmetry and every translation."""
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    phonon = build_phonopy(atoms, 2 * np.eye(3, dtype=int))
    count = len(phonon.supercell)
    vectors, _ = find_mic(
        (phonon.supercell.positions[None] - phonon.supercell.positions[:, None]).reshape(-1, 3), phonon.supercell.cell
    )
    lengths = np.linalg.norm(vectors, axis=1).reshape(count, count)
    is_near = np.isclose(lengths, 2.8)
    constants = np.where(is_near[:, :, None, None], -np.eye(3), 0.0)
    constants[np.arange(count), np.arange(count)] = -constants.sum(axis=1)
    phonon.save(tmp_path / "phonopy.yaml", settings={"force_sets": False, "displacements": False})
    path = tmp_path / "FORCE_CONSTANTS"
    write_FORCE_CONSTANTS(constants, str(path))
    assert read_phonons(path, SETTINGS, tmp_path / "phonopy.yaml").warnings == []
    interleaved = np.arange(count).reshape(2, -1).T.reshape(-1)
    for order in (interleaved, swapped(count, 0, 3), np.roll(np.arange(count), 1)):
        write_FORCE_CONSTANTS(constants[np.ix_(order, order)], str(path))
        with pytest.raises(ValueError, match=r"between pairs that symmetry makes the same.*another order"):
            read_phonons(path, SETTINGS, tmp_path / "phonopy.yaml")


def test_forces_of_atoms_in_another_order_are_refused(folder, solved):
    dataset = {"natom": 24, "first_atoms": [dict(entry) for entry in solved[0].dataset["first_atoms"]]}
    for entry in dataset["first_atoms"]:
        entry["forces"] = entry["forces"][swapped(24, 1, 2)]
    write_FORCE_SETS(dataset, filename=str(folder / "FORCE_SETS"))
    with pytest.raises(ValueError, match=r"miss forces in FORCE_SETS by up to 0\.\d+ of the largest one"):
        read_phonons(folder / "FORCE_SETS", SETTINGS, folder / "phonopy.yaml")


def test_random_displacements_have_to_determine_the_force_constants(folder, solved):
    phonon = solved[0]
    full = compact_fc_to_full_fc(phonon.primitive, solved[1])
    for count, is_enough in ((1, False), (30, True)):
        moved = np.random.default_rng(5).normal(0, 0.01, (count, 24, 3))
        dataset = {"displacements": moved, "forces": -np.einsum("ijab,kjb->kia", full, moved)}
        write_FORCE_SETS(dataset, filename=str(folder / "FORCE_SETS"))
        if is_enough:
            found = read_phonons(folder / "FORCE_SETS", SETTINGS, folder / "phonopy.yaml")
            np.testing.assert_allclose(found.constants.values, solved[1], atol=1e-6)
        else:
            with pytest.raises(ValueError, match="1 displaced supercells in FORCE_SETS do not determine the"):
                read_phonons(folder / "FORCE_SETS", SETTINGS, folder / "phonopy.yaml")


def test_masses_of_the_file_are_used(folder, solved):
    content = (folder / "phonopy_params.yaml").read_text()
    assert "mass: 63.54" in content and "mass: 196.96" in content
    heavy = content.replace("mass: 63.54", "mass: 4063.54").replace("mass: 196.96", "mass: 4196.96")
    (folder / "heavy.yaml").write_text(heavy)
    found = read_phonons(folder / "heavy.yaml", SETTINGS)
    assert found.warnings == []
    np.testing.assert_allclose(found.atoms.get_masses(), [4063.546, 4196.966569], rtol=1e-8)
    assert not read_phonons(folder / "phonopy_params.yaml", SETTINGS).atoms.has("masses")


def test_magnetic_moments_of_the_file_are_said_to_be_lost(folder):
    content = (folder / "phonopy_params.yaml").read_text()
    (folder / "magnetic.yaml").write_text(content.replace("    mass:", "    magnetic_moment: 2.2\n    mass:"))
    (warning,) = read_phonons(folder / "magnetic.yaml", SETTINGS).warnings
    assert warning.startswith("the magnetic moments in magnetic.yaml are not represented")


def test_a_site_mixture_of_phonopys_is_refused(folder):
    lines = (folder / "phonopy_params.yaml").read_text().splitlines()
    start = lines.index("unit_cell:")
    mass = next(index for index in range(start, len(lines)) if "mass:" in lines[index])
    lines.insert(mass, "    weight: 0.5")
    (folder / "mixed.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"mixed\.yaml describes partially occupied sites"):
        read_phonons(folder / "mixed.yaml", SETTINGS)


def bad(folder, name):
    return folder / name, SETTINGS, folder / "phonopy.yaml"


def shuffled_supercell(folder):
    lines = (folder / "phonopy_params.yaml").read_text().splitlines()
    start = lines.index("supercell:")
    symbols = [index for index in range(start, len(lines)) if "symbol:" in lines[index]]
    first, other = symbols[0], next(index for index in symbols if "Au" in lines[index])
    lines[first], lines[other] = lines[other], lines[first]
    (folder / "shuffled.yaml").write_text("\n".join(lines))
    return folder / "shuffled.yaml", SETTINGS


def for_another_supercell(folder):
    return folder / "FORCE_CONSTANTS_full", with_matrix(supercell_matrix=[2, 2, 2]), folder / "POSCAR"


def text(folder, content):
    (folder / "file").write_text(content)
    return bad(folder, "file")


def broken_number(folder):
    content = (folder / "FORCE_SETS").read_text().splitlines()
    content[-1] = "nan nan nan"
    return text(folder, "\n".join(content))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda f: (f / "FORCE_SETS", SETTINGS), "FORCE_SETS does not say which crystal it belongs to"),
        (lambda f: bad(f, "phonopy_params.yaml"), "phonopy_params.yaml holds its crystal: leave the structure out"),
        (lambda f: (f / "FORCE_SETS", SETTINGS, f / "POSCAR"), "POSCAR says nothing of the supercell"),
        (lambda f: (f / "FORCE_SETS", with_matrix(supercell_matrix=[2, 2, 2]), f / "POSCAR"),
         "FORCE_SETS holds forces on 24 atoms, but the supercell has 16"),
        (lambda f: (f / "FORCE_SETS", with_matrix(supercell_matrix=[2, 2, 3]), f / "phonopy.yaml"),
         "phonopy.yaml has the supercell matrix [[3, 0, 0], [0, 2, 0], [0, 0, 2]]"),
        (for_another_supercell, "force constants of shape (24, 24, 3, 3), but the supercell has 16 atoms"),
        (shuffled_supercell, "atom 0 is Au 0.00 Å from where Cu belongs"),
        (lambda f: text(f, "hello\nworld how are you\n"), "file is none of phonopy's files"),
        (lambda f: text(f, "24\n2\n\n1\n0.1 0 0\n1 2\n"), "file cannot be read"),
        (broken_number, "file holds forces that are not finite in displaced supercell"),
        (lambda f: (f / "POSCAR", SETTINGS, f / "FORCE_SETS"), "POSCAR is none of phonopy's files"),
        (lambda f: (f / "FORCE_SETS", with_matrix(calculator="vaps"), f / "POSCAR"), "no calculator 'vaps'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(folder, arguments, message):
    with pytest.raises(ValueError) as caught:
        read_phonons(*arguments(folder))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_conventional_cell_is_reduced_to_the_primitive_one(tmp_path):
    atoms = bulk("Cu", cubic=True)
    phonon = build_phonopy(atoms, np.eye(3, dtype=int) * 2)
    phonon.force_constants = -np.eye(3) * np.ones((1, 32, 1, 1))
    phonon.force_constants[0, 0] *= -31
    write_FORCE_CONSTANTS(phonon.force_constants, str(tmp_path / "FORCE_CONSTANTS"), phonon.primitive.p2s_map)
    write(tmp_path / "cell.cif", Atoms(atoms))
    found = read_phonons(
        tmp_path / "FORCE_CONSTANTS", validate_phonons({"supercell_matrix": [2, 2, 2]}), tmp_path / "cell.cif"
    )
    assert found.constants.values.shape == (1, 32, 3, 3)
    assert np.linalg.det(found.primitive_matrix) == pytest.approx(0.25)
