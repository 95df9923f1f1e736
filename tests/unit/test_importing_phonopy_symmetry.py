"""Force constants of phonopy's files under the symmetry that they were made with, of crystals that were not relaxed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re

import numpy as np
import pytest
from ase.build import bulk, sort
from ase.io import write
from phonopy.file_IO import write_FORCE_CONSTANTS, write_FORCE_SETS
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from spring_crystal import THZ, SpringCrystal, cubic

from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.analysis.phonons.lattice_force_constants import restore_phonons
from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.settings import validate_phonons

SETTINGS = validate_phonons({})
PAIR = SpringCrystal([[3.0, 0.9, 0.7], [0.8, 2.5, 0.6], [0.5, 0.4, 2.1]], "CuAu", [3.0, 3.2, 3.5])
COMMON = 0.02
"""eV/Å."""


def nearly_cubic(tolerance):
    """Return a solved simple cubic crystal, cubic to 1e-4 Å, and its forces."""
    crystal = cubic(2.0, 0.5)
    crystal.atoms.set_cell(crystal.atoms.cell.array * [[1.0], [1.00004], [0.99996]], scale_atoms=True)
    phonon = build_phonopy(crystal.atoms, 2 * np.eye(3, dtype=int), tolerance)
    plan = plan_displacements(phonon, [0.01])
    ideal = plan.supercell.copy()
    ideal.set_cell(2 * cubic(2.0, 0.5).atoms.cell.array, scale_atoms=True)
    forces = []
    for displacement in plan.sets[0]:
        moved = ideal.copy()
        moved.positions[displacement.atom] += displacement.vector
        forces.append(crystal.forces(ideal, moved))
    solve_force_constants(phonon, plan.sets[0], np.array(forces))
    return phonon


def at_corner(found):
    phonon = restore_phonons(
        found.atoms, found.constants.values, found.supercell_matrix, found.primitive_matrix, tolerance=1e-3
    )
    phonon.run_qpoints([[0.5, 0.5, 0.5]])
    return np.array(phonon.qpoints.frequencies[0])


def test_the_tolerance_of_the_file_is_used(tmp_path):
    """At the corner of the zone all three modes of a simple cubic crystal are at ω² = 4 (k_l + 2 k_t) / m."""
    path = tmp_path / "phonopy_params.yaml"
    phonon = nearly_cubic(1e-3)
    assert len(phonon.dataset["first_atoms"]) == 1
    phonon.save(path)
    found = read_phonons(path, SETTINGS)
    assert found.warnings == []
    assert found.values["symmetry_tolerance"] == 1e-3
    np.testing.assert_allclose(at_corner(found), [THZ * np.sqrt(4 * 3.0 / 63.546)] * 3, rtol=1e-4)


@pytest.mark.parametrize("given", [1e-5, None], ids=["of the user", "of nobody"])
def test_displacements_that_leave_out_a_direction_are_refused(tmp_path, given):
    phonon = nearly_cubic(1e-3)
    write_FORCE_SETS(phonon.dataset, filename=str(tmp_path / "FORCE_SETS"))
    write(tmp_path / "POSCAR", cubic(2.0, 0.5).atoms, format="vasp")
    (tmp_path / "POSCAR").write_text((tmp_path / "POSCAR").read_text().replace("3.0000000000000000", "3.00012", 1))
    settings = validate_phonons({"supercell_matrix": [2, 2, 2], "symmetry_tolerance": given})
    message = r"in FORCE_SETS leave force constants undetermined: those of Cu \(atom 1 .*\) span 1 of 3 .* at 1e-05 Å"
    with pytest.raises(ValueError, match=message):
        read_phonons(tmp_path / "FORCE_SETS", settings, tmp_path / "POSCAR")
    tolerant = validate_phonons({"supercell_matrix": [2, 2, 2], "symmetry_tolerance": 1e-3})
    assert read_phonons(tmp_path / "FORCE_SETS", tolerant, tmp_path / "POSCAR").warnings == []


def test_an_atom_that_is_not_displaced_is_named(tmp_path):
    phonon, _, _ = unrelaxed(0.0)
    entries = [entry for entry in phonon.dataset["first_atoms"] if entry["number"] == 0]
    phonon.dataset = {**phonon.dataset, "first_atoms": entries}
    phonon.save(tmp_path / "phonopy_params.yaml")
    with pytest.raises(ValueError, match=r"displaces no atom that is equivalent to Au \(atom 13 of the supercell\)"):
        read_phonons(tmp_path / "phonopy_params.yaml", SETTINGS)


def test_displacements_of_all_atoms_determine_force_constants_under_the_tolerance_of_the_file(tmp_path):
    phonon = nearly_cubic(1e-3)
    full = compact_fc_to_full_fc(phonon.primitive, phonon.force_constants)
    moved = np.zeros((1, 8, 3))
    moved[0, 0, 0] = 0.01
    phonon.dataset = {"displacements": moved, "forces": -np.einsum("ijab,kjb->kia", full, moved)}
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    found = read_phonons(tmp_path / "phonopy_params.yaml", SETTINGS)
    np.testing.assert_allclose(at_corner(found), [THZ * np.sqrt(4 * 3.0 / 63.546)] * 3, rtol=1e-4)
    with pytest.raises(ValueError, match=r"do not determine the .* \(symmetry found at 1e-05 Å\)"):
        read_phonons(tmp_path / "phonopy_params.yaml", validate_phonons({"symmetry_tolerance": 1e-5}))


def unrelaxed(common, n_random=0):
    """Return a crystal whose atoms are pulled along x where nothing is displaced, its forces, and force constants."""
    atoms = PAIR.atoms.copy()
    atoms.positions[1, 0] += 0.05
    phonon = build_phonopy(atoms, np.diag([3, 2, 2]))
    plan = plan_displacements(phonon, [0.01])
    # The springs are those of the crystal with its mirrors, which the shifted atoms take away.
    ideal = plan.supercell.copy()
    ideal.positions[ideal.numbers == 79, 0] -= 0.05
    pull = np.where(ideal.numbers[:, None] == 29, [[common, 0, 0]], [[-common, 0, 0]])

    def forces(vectors):
        moved = ideal.copy()
        moved.positions += vectors
        return PAIR.forces(ideal, moved)

    vectors = np.zeros((len(plan.sets[0]), len(ideal), 3))
    for row, displacement in zip(vectors, plan.sets[0], strict=True):
        row[displacement.atom] = displacement.vector
    clean = np.array([forces(row) for row in vectors])
    constants = solve_force_constants(phonon, plan.sets[0], clean).values
    solve_force_constants(phonon, plan.sets[0], clean + pull)
    if n_random:
        moved = np.random.default_rng(3).normal(0, 0.01, (n_random, len(ideal), 3))
        phonon.dataset = {"displacements": moved, "forces": np.array([forces(row) for row in moved]) + pull}
    return phonon, plan, constants


@pytest.mark.slow
@pytest.mark.parametrize("n_random", [0, 40], ids=["single atoms", "all atoms"])
def test_forces_of_the_undisplaced_cell_are_taken_out(tmp_path, n_random):
    phonon, _, constants = unrelaxed(COMMON, n_random)
    path = tmp_path / "phonopy_params.yaml"
    phonon.save(path, settings={"force_constants": False})
    found = read_phonons(path, SETTINGS)
    (warning,) = found.warnings
    assert "phonopy_params.yaml hold up to 0.02 eV/Å that all displaced supercells have in common" in warning
    assert found.values["common_force"] == pytest.approx(COMMON, rel=1e-3)
    np.testing.assert_allclose(found.constants.values, constants, atol=1e-5)


def test_a_relaxed_crystal_has_no_forces_in_common(tmp_path):
    phonon, _, constants = unrelaxed(0.0)
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    found = read_phonons(tmp_path / "phonopy_params.yaml", SETTINGS)
    assert (found.warnings, found.values["common_force"]) == ([], 0.0)
    np.testing.assert_allclose(found.constants.values, constants, atol=1e-8)


def test_atoms_in_another_order_still_show_beside_forces_in_common(tmp_path):
    phonon, _, _ = unrelaxed(COMMON)
    order = np.arange(24)
    order[[1, 2]] = 2, 1
    entries = [{**entry, "forces": entry["forces"][order]} for entry in phonon.dataset["first_atoms"]]
    phonon.dataset = {**phonon.dataset, "first_atoms": entries}
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    with pytest.raises(ValueError, match="its atoms come in another order"):
        read_phonons(tmp_path / "phonopy_params.yaml", SETTINGS)


def test_large_displacements_are_called_large(tmp_path):
    phonon, _, constants = unrelaxed(0.0)
    full = compact_fc_to_full_fc(phonon.primitive, constants)
    moved = np.random.default_rng(4).normal(0, 0.4, (40, 24, 3))
    forces = -np.einsum("ijab,kjb->kia", full, moved) - 20 * moved**3
    phonon.dataset = {"displacements": moved, "forces": forces - forces.mean(axis=1, keepdims=True)}
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    with pytest.raises(ValueError, match=r"displacements are 0\.\d+ Å \(root mean square\), where forces are not harm"):
        read_phonons(tmp_path / "phonopy_params.yaml", SETTINGS)


CUBIC = sort(bulk("NaCl", "rocksalt", a=5.6, cubic=True))
SIGNS = [-1 if symbol == "Cl" else 1 for symbol in CUBIC.symbols]


def rock_salt(folder, charges, matrix=False):
    """Write phonopy's yaml of conventional rock salt with charges; return its path.

    :param charges: one for each that is to be listed, e.
    :param matrix: whether it says that its primitive cell is the unit cell; older versions did not.
    """
    phonon = build_phonopy(CUBIC, np.eye(3, dtype=int), primitive=False)
    vectors = phonon.supercell.scaled_positions[None] - phonon.supercell.scaled_positions[:, None]
    distances = np.linalg.norm((vectors - np.rint(vectors)) @ phonon.supercell.cell, axis=2)
    constants = np.where(np.isclose(distances, 2.8)[:, :, None, None], -np.eye(3), 0.0)
    constants[np.arange(8), np.arange(8)] = -constants.sum(axis=1)
    phonon.force_constants = constants
    phonon.save(folder / "phonopy.yaml", settings={"force_constants": True})
    text = (folder / "phonopy.yaml").read_text()
    if not matrix and "primitive_matrix:" in text:
        text = text[: text.index("primitive_matrix:")] + text[text.index("supercell_matrix:") :]
    rows = "".join(f"  - # {charge}\n" + "".join(f"    - {row}\n" for row in diagonal(charge)) for charge in charges)
    dielectric = "".join(f"  - {row}\n" for row in diagonal(2.5))
    (folder / "phonopy.yaml").write_text(
        f"{text}\nnac:\n  born_effective_charge:\n{rows}  dielectric_constant:\n{dielectric}"
    )
    return folder / "phonopy.yaml"


def diagonal(value):
    return (value * np.eye(3)).tolist()


def test_charges_of_the_unit_cells_atoms_stay_theirs(tmp_path):
    """Whatever primitive cell phonopy finds now: the file has one for each of the eight atoms."""
    found = read_phonons(rock_salt(tmp_path, [1.1 * sign for sign in SIGNS]), SETTINGS)
    np.testing.assert_allclose(found.born.charges, np.multiply.outer(1.1 * np.array(SIGNS), np.eye(3)))
    assert found.warnings == []


def test_charges_that_are_not_quite_neutral_are_warned_of(tmp_path):
    found = read_phonons(rock_salt(tmp_path, [1.1 if sign > 0 else -1.0 for sign in SIGNS]), SETTINGS)
    (warning,) = found.warnings
    assert "the Born charges in phonopy.yaml add up to 0.4 e, not to zero" in warning


@pytest.mark.parametrize(
    ("charges", "message"),
    [
        ([1.1] * 8, r"phonopy.yaml: the Born charges of 8 atoms add up to 8.8 e, not to zero: some are missing"),
        ([1.1, -1.1, 1.1], r"phonopy.yaml: 3 Born charges, but the primitive cell has 2 atoms and the unit cell 8"),
        ([float("nan")] * 8, r"phonopy.yaml: Born charges or dielectric tensor hold numbers that are not finite"),
    ],
)
def test_charges_that_cannot_be_are_refused(tmp_path, charges, message):
    with pytest.raises(ValueError, match=message):
        read_phonons(rock_salt(tmp_path, charges), SETTINGS)


@pytest.mark.parametrize("value", ["3.0", "[1.0, 2.0]", "[[a, b], [c, d]]", "[[1.0], [1.0, 2.0]]"])
def test_charges_of_another_form_are_one_line(tmp_path, value):
    path = rock_salt(tmp_path, [])
    text = path.read_text()
    path.write_text(text[: text.index("nac:")] + f"nac:\n  born_effective_charge: {value}\n  dielectric_constant: 1\n")
    with pytest.raises(ValueError, match=r"^phonopy\.yaml") as caught:
        read_phonons(path, SETTINGS)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("ending", "module"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_compressed_files_are_read(tmp_path, ending, module):
    phonon, _, constants = unrelaxed(0.0)
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    phonon.save(tmp_path / "phonopy.yaml", settings={"force_sets": False, "displacements": False})
    write_FORCE_SETS(phonon.dataset, filename=str(tmp_path / "FORCE_SETS"))
    for name in ("phonopy_params.yaml", "phonopy.yaml", "FORCE_SETS"):
        (tmp_path / f"{name}{ending}").write_bytes(module.compress((tmp_path / name).read_bytes()))
    alone = read_phonons(tmp_path / f"phonopy_params.yaml{ending}", SETTINGS)
    both = read_phonons(tmp_path / f"FORCE_SETS{ending}", SETTINGS, tmp_path / f"phonopy.yaml{ending}")
    for found in (alone, both):
        np.testing.assert_allclose(found.constants.values, constants, atol=1e-8)


def test_a_broken_compressed_file_is_one_line(tmp_path):
    (tmp_path / "FORCE_SETS.xz").write_bytes(b"no xz at all")
    with pytest.raises(ValueError, match=r"^FORCE_SETS\.xz cannot be read: "):
        read_phonons(tmp_path / "FORCE_SETS.xz", SETTINGS, tmp_path / "FORCE_SETS.xz")


def test_displacements_of_phonopy_1_are_called_what_they_are(tmp_path):
    (tmp_path / "disp.yaml").write_text(
        "natom: 2\ndisplacements:\n- atom: 1\n  direction: [1, 0, 0]\n  displacement: [0.01, 0, 0]\n"
        "lattice:\n- [3, 0, 0]\n- [0, 3, 0]\n- [0, 0, 3]\natoms:\n- symbol: Na\n  position: [0, 0, 0]\n"
        "  mass: 22.99\n- symbol: Cl\n  position: [0.5, 0.5, 0.5]\n  mass: 35.45\n"
    )
    with pytest.raises(ValueError, match=r"disp\.yaml is phonopy 1's list of displacements, without forces"):
        read_phonons(tmp_path / "disp.yaml", SETTINGS)


FACE_CENTRED = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def test_a_given_primitive_matrix_and_a_full_supercell_matrix_are_used(tmp_path):
    """A calculation without symmetry: its conventional cell is the primitive one unless it is told otherwise."""
    copper = bulk("Cu", cubic=True)
    write(tmp_path / "POSCAR", copper, format="vasp")
    phonon = build_phonopy(copper, np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]]), primitive=np.array(FACE_CENTRED))
    phonon.force_constants = -np.ones((1, 8, 1, 1)) * np.eye(3)
    phonon.force_constants[0, 0] *= -7
    write_FORCE_CONSTANTS(phonon.force_constants, str(tmp_path / "FORCE_CONSTANTS"), phonon.primitive.p2s_map)
    given = {"supercell_matrix": [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]}
    found = read_phonons(
        tmp_path / "FORCE_CONSTANTS", validate_phonons({**given, "primitive_matrix": FACE_CENTRED}), tmp_path / "POSCAR"
    )
    np.testing.assert_allclose(found.primitive_matrix, FACE_CENTRED)
    np.testing.assert_array_equal(found.supercell_matrix, given["supercell_matrix"])
    with pytest.raises(ValueError, match=r"force constants of shape .* the primitive cell 4"):
        identity = validate_phonons({**given, "primitive_matrix": np.eye(3).tolist()})
        read_phonons(tmp_path / "FORCE_CONSTANTS", identity, tmp_path / "POSCAR")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 0], [0, 1]], "give three rows of three numbers"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, "x"]], "give three rows of three numbers"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 2]], "has the determinant 2: it must be 1, 1/2, 1/3"),
        ([[0.7, 0, 0], [0, 1, 0], [0, 0, 1]], "has the determinant 0.7"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], "has the determinant 0:"),
    ],
)
def test_what_is_no_primitive_matrix_is_refused(matrix, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        validate_phonons({"primitive_matrix": matrix})


def test_another_primitive_matrix_than_the_files_is_refused(tmp_path):
    phonon, _, _ = unrelaxed(0.0)
    phonon.save(tmp_path / "phonopy_params.yaml")
    with pytest.raises(ValueError, match=r"phonopy_params\.yaml has the primitive matrix .*: leave another one out"):
        read_phonons(tmp_path / "phonopy_params.yaml", validate_phonons({"primitive_matrix": FACE_CENTRED}))


@pytest.mark.parametrize("said", ["-1", "9" * 400, "small", "[1]"])
def test_a_tolerance_that_is_none_is_refused_with_what_the_file_says(tmp_path, said):
    path = tmp_path / "phonopy_params.yaml"
    nearly_cubic(1e-3).save(path)
    text, count = re.subn(r"symmetry_tolerance: .*", f"symmetry_tolerance: {said}", path.read_text())
    path.write_text(text)
    assert count == 1
    with pytest.raises(ValueError, match=r"has the symmetry_tolerance .*: it is a positive number of Å") as refusal:
        read_phonons(path, SETTINGS)
    assert len(str(refusal.value)) < 300
