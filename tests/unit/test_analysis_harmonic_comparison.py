"""Comparisons of harmonic phonons against closed forms of springs."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from spring_crystal import SPACING, THZ, chain, cubic

from aiida_crucible.analysis.comparison.harmonic import compare_phonons
from aiida_crucible.analysis.comparison.modes import match_modes, overlaps
from aiida_crucible.analysis.comparison.settings import validate_comparison
from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.analysis.phonons.lattice_force_constants import restore_phonons

COPPER = 63.546
K, T = 2.0, 0.5
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*Point group symmetries:UserWarning", "ignore:.*is incompatible with the primitive-cell point group"
)
CHAIN_MESH = {"mesh": [4, 1, 1], "mesh_gamma_centred": False, "thermal_mesh": [4, 1, 1]}
"""Four wave vectors that avoid Γ and have the averages of the whole band: sin² is 1/2, sin⁴ is 3/8, cos² is 1/2."""


def compared(reference, model, **given):
    return compare_phonons(reference, model, validate_comparison(given))


def of_springs(crystal, supercell):
    phonon = build_phonopy(crystal.atoms, np.diag(supercell))
    plan = plan_displacements(phonon, [0.01])
    forces = np.array([crystal.forces(plan.supercell, structure) for structure in plan.structures()])
    solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0])
    return phonon


def of_chain(longitudinal, transverse):
    return of_springs(chain(longitudinal, transverse), [4, 1, 1])


def scaled(phonon, factor):
    other = build_phonopy(Atoms("Cu", cell=[SPACING] * 3, pbc=True), phonon.supercell_matrix)
    other.force_constants = factor * phonon.force_constants
    return other


def of_emt(atoms, supercell):
    phonon = build_phonopy(atoms, supercell)
    plan = plan_displacements(phonon, [0.01])
    forces = []
    for structure in plan.structures():
        structure.calc = EMT()
        forces.append(structure.get_forces())
    solve_force_constants(phonon, plan.sets[0], plan.split(np.array(forces)).sets[0])
    return phonon


@pytest.fixture(scope="module")
def gold():
    return of_emt(copper_gold(), np.eye(3, dtype=int) * 2)


def copper_gold():
    corners = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    return Atoms("AuCu3", scaled_positions=corners, cell=[3.75] * 3, pbc=True)


def test_identical_input_has_no_error(gold):
    found = compared(gold, gold, mesh=[3, 3, 3], thermal_mesh=[3, 3, 3], temperatures=[0.0, 300.0])
    for errors in found.values["errors"].values():
        assert set(errors) == {"printed", "squares", "frequencies", "velocities"}
        assert max(errors.values()) < 1e-9
    assert all(entry["error"] == 0 for entry in found.values["frequencies"].values())
    assert found.values["thermal"]["free_energy"]["error"] == [0, 0]
    assert (found.values["reordered"], found.values["smallest_overlap"]) == (0, pytest.approx(1))
    assert found.values["space_groups"] == {"reference": "Pm-3m (221)", "model": "Pm-3m (221)", "same": True}
    assert found.values["modes"]["counts"] == [[27 * 12, 0], [0, 0]]


@pytest.mark.parametrize("whose", ["reference", "model"])
def test_a_broken_sum_rule_is_warned_of_with_its_size(gold, whose):
    broken = gold.copy()
    constants = gold.force_constants.copy()
    constants[0, 0] += 0.5 * np.eye(3)
    broken.force_constants = constants
    pair = (broken, gold) if whose == "reference" else (gold, broken)
    (warning,) = compared(*pair, mesh=[2, 2, 2], thermal_mesh=[2, 2, 2]).values["warnings"]
    assert warning.startswith(f"the force constants of the {whose} break the acoustic sum rule by 0.5 eV/Å², 0.")


@pytest.mark.parametrize("factor", [0.81, 1.44])
def test_scaled_force_constants_have_the_closed_form(factor):
    reference = of_chain(K, T)
    errors = compared(reference, scaled(reference, factor), **CHAIN_MESH).values["errors"]
    unit = THZ**2 / COPPER
    mean_square = 2 * (K + 2 * T) / 3 * unit
    mean_fourth = 6 * (K**2 + 2 * T**2) / 3 * unit**2
    mean_velocity = 2 * (np.pi * SPACING) ** 2 * (K + 2 * T) / 3 * unit
    for matching in ("by_order", "by_overlap"):
        assert errors[matching]["printed"] == pytest.approx(np.sqrt(abs(factor - 1) * mean_square), rel=1e-6)
        assert errors[matching]["squares"] == pytest.approx(abs(factor - 1) * np.sqrt(mean_fourth), rel=1e-6)
        shift = abs(np.sqrt(factor) - 1)
        assert errors[matching]["frequencies"] == pytest.approx(shift * np.sqrt(mean_square), rel=1e-6)
        assert errors[matching]["velocities"] == pytest.approx(shift * np.sqrt(mean_velocity), rel=1e-3)


def test_errors_by_band_and_by_wave_vector():
    reference = of_chain(K, T)
    found = compared(reference, scaled(reference, 2.0), **CHAIN_MESH)
    unit = THZ**2 / COPPER
    np.testing.assert_allclose(
        found.arrays["by_order_printed_by_band"], np.sqrt(2 * unit * np.array([T, T, K])), rtol=1e-6
    )
    sines = np.sin(np.pi * found.arrays["qpoints"][:, 0]) ** 2
    np.testing.assert_allclose(
        found.arrays["by_order_printed_by_qpoint"], np.sqrt(4 * unit * sines * (K + 2 * T) / 3), rtol=1e-6
    )
    assert found.arrays["weights"].sum() == found.values["n_qpoints"] == 4


def test_squares_of_imaginary_modes_are_negative():
    found = compared(of_chain(K, T), of_chain(K, -T), **CHAIN_MESH).values
    unit = THZ**2 / COPPER
    assert found["errors"]["by_order"]["printed"] == pytest.approx(np.sqrt(2 / 3 * 2 * 2 * T * unit), rel=1e-6)
    assert found["errors"]["by_order"]["squares"] == pytest.approx(np.sqrt(2 / 3 * 6) * 2 * T * unit, rel=1e-6)
    assert found["imaginary"] == {"reference": "real", "model": "imaginary"}
    assert found["modes"]["counts"] == [[4, 8], [0, 0]]
    assert found["modes"]["shares"]["under_stabilised"] == pytest.approx(2 / 3)
    top = 2 * THZ * np.sqrt(T / COPPER) * np.sin(np.pi * 3 / 8)
    assert found["frequencies"]["minimum"]["model"] == pytest.approx(-top, rel=1e-6)
    assert found["frequencies"]["maximum"]["error"] == pytest.approx(0, abs=1e-9)


def test_overlap_follows_a_band_that_crosses():
    """Order compares (T, T, K) with (T, K, K); polarisation knows that every band has moved."""
    found = compared(of_chain(K, T), of_springs(chain(T, K), [4, 1, 1]), **CHAIN_MESH)
    unit = THZ**2 / COPPER
    errors = found.values["errors"]
    assert errors["by_order"]["squares"] == pytest.approx(np.sqrt(6 / 3) * (K - T) * unit, rel=1e-6)
    assert errors["by_overlap"]["squares"] == pytest.approx(np.sqrt(6) * (K - T) * unit, rel=1e-6)
    assert found.values["smallest_overlap"] == pytest.approx(1)
    assert found.values["reordered"] == pytest.approx(1)


@pytest.mark.filterwarnings("ignore:.*coustic .* at Gamma:UserWarning")
def test_thermal_errors_of_einstein_crystals():
    stiffness = np.array([4.0, 9.0])
    phonons = []
    for k in stiffness:
        phonon = build_phonopy(cubic(1.0, 1.0).atoms, np.diag([2, 2, 2]))
        phonon.force_constants = k * np.einsum("ij,ab->ijab", np.eye(8), np.eye(3))
        phonons.append(phonon)
    found = compared(*phonons, mesh=[2, 2, 2], thermal_mesh=[2, 2, 2], temperatures=[0.0, 300.0]).values["thermal"]
    quanta = units._hplanck * THZ * np.sqrt(stiffness / COPPER) * 1e12 / units._e
    assert found["free_energy"]["error"][0] == pytest.approx(1.5 * (quanta[1] - quanta[0]), rel=1e-5)
    x = quanta / (units.kB * 300)
    capacity = 3 * units.kB * x**2 * np.exp(x) / np.expm1(x) ** 2
    assert found["heat_capacity"]["error"][1] == pytest.approx(capacity[1] - capacity[0], rel=1e-4)
    entropy = 3 * units.kB * (x / np.expm1(x) - np.log1p(-np.exp(-x)))
    assert found["entropy"]["error"][1] == pytest.approx(entropy[1] - entropy[0], rel=1e-4)


def test_order_origin_and_orientation_of_the_atoms_do_not_matter(gold):
    turned = copper_gold()[[2, 0, 3, 1]]
    turned.positions += (0.3, 1.1, -0.7)
    turned.rotate(35, (1, 2, 3), rotate_cell=True)
    found = compared(gold, of_emt(turned, np.eye(3, dtype=int) * 2), mesh=[3, 3, 3], thermal_mesh=[2, 2, 2]).values
    for errors in found["errors"].values():
        assert errors["squares"] < 1e-6
        assert errors["velocities"] < 1e-4
    assert found["smallest_overlap"] == pytest.approx(1, abs=1e-6)


def test_choice_of_the_primitive_axes_does_not_matter():
    atoms = bulk("Cu")
    first = of_emt(atoms, np.eye(3, dtype=int) * 2)
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ atoms.cell.array)
    # The same supercell, so that the force constants are the same.
    matrix = 2 * np.rint(np.linalg.inv(skewed.cell.array.T) @ atoms.cell.array.T).astype(int)
    found = compared(first, of_emt(skewed, matrix), mesh=[5, 5, 5], thermal_mesh=[2, 2, 2]).values
    assert found["errors"]["by_order"]["squares"] < 1e-6
    assert found["errors"]["by_overlap"]["velocities"] < 1e-3


def test_another_symmetry_is_told_and_compared_on_the_whole_mesh(gold):
    strained = copper_gold()
    strained.set_cell([3.75, 3.75, 3.80], scale_atoms=True)
    found = compared(gold, of_emt(strained, np.eye(3, dtype=int) * 2), mesh=[3, 3, 3], thermal_mesh=[2, 2, 2])
    assert found.values["space_groups"]["same"] is False
    assert "P4/mmm (123), the reference's Pm-3m (221)" in found.values["warnings"][0]
    assert len(found.arrays["qpoints"]) == 27
    assert found.values["volume_ratio"] == pytest.approx(3.80 / 3.75)


def test_overlaps_do_not_depend_on_the_basis_of_degenerate_modes():
    generator = np.random.default_rng(2)
    vectors = np.linalg.qr(generator.normal(size=(4, 4)) + 1j * generator.normal(size=(4, 4)))[0][None]
    squares = np.array([[1.0, 1.0, 1.0, 5.0]])
    mixing = np.eye(4)
    mixing[:3, :3] = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    overlap = overlaps(squares, vectors, squares, vectors @ mixing)
    np.testing.assert_allclose(overlap[0, :3, :3], 1, atol=1e-12)
    split = np.array([[1.0, 1.2, 1.4, 5.0]])
    np.testing.assert_allclose(overlaps(squares, vectors, split, vectors @ mixing)[0, :3, :3], 1, atol=1e-12)
    assert match_modes(overlap).tolist() == [[0, 1, 2, 3]]


def test_stored_force_constants_are_restored(gold):
    atoms = copper_gold()
    again = restore_phonons(atoms, gold.force_constants, gold.supercell_matrix, gold.primitive_matrix)
    found = compared(gold, again, mesh=[2, 2, 2], thermal_mesh=[2, 2, 2]).values["errors"]["by_order"]
    assert max(found.values()) < 1e-9


def copper_silver():
    atoms = copper_gold()
    atoms.symbols[0] = "Ag"
    return atoms


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda gold: compared(gold, of_emt(copper_silver(), np.eye(3, dtype=int))),
            "are not the same crystal",
        ),
        (
            lambda gold: compared(gold, of_emt(bulk("Cu"), np.eye(3, dtype=int) * 2)),
            "the model's primitive cell has 1 atoms, the reference's 4",
        ),
        (
            lambda gold: restore_phonons(
                copper_gold(), gold.force_constants[:, :8], gold.supercell_matrix, gold.primitive_matrix
            ),
            "force constants of shape (4, 8, 3, 3), but AuCu3 and its supercell need (4, 32, 3, 3)",
        ),
        (
            lambda gold: restore_phonons(
                copper_gold(), np.nan * gold.force_constants, gold.supercell_matrix, gold.primitive_matrix
            ),
            "not finite",
        ),
        (
            lambda gold: restore_phonons(copper_gold(), gold.force_constants, np.eye(3), np.eye(3) / 3),
            "phonopy makes no cells of AuCu3 with these matrices",
        ),
        (lambda _: validate_comparison({"mesh": [8, 8]}), "'mesh' of harmonic comparison is [8, 8]: give three"),
        (lambda _: validate_comparison({"temperatures": []}), "'temperatures' of harmonic comparison is []"),
        (lambda _: validate_comparison({"temperatures": [-1]}), "it must be at least 0"),
        (lambda _: validate_comparison({"mehs": [8, 8, 8]}), "did you mean 'mesh'?"),
    ],
)
def test_mistake_is_one_line(gold, call, message):
    with pytest.raises(ValueError) as caught:
        call(gold)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
