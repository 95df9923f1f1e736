"""Elastic tensors in closed form: made-up crystals of known tensors give them back, turned ones the turned tensor."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.spatial.transform import Rotation

from aiida_crucible.analysis.elasticity.elastic_tensor import fit_stiffness
from aiida_crucible.analysis.elasticity.settings import validate_elastic
from aiida_crucible.analysis.elasticity.stability import check_elastic_reference, no_tensor, summarise_elastic
from aiida_crucible.analysis.elasticity.strains import MEASURES, deformation, strain_amplitudes, strained_cells
from aiida_crucible.analysis.elasticity.tensors import (
    PAIRS,
    full_tensor,
    kelvin,
    moduli,
    moduli_errors,
    point_group,
    projector,
    rotated,
    softest,
    symmetric_of_voigt,
    under_stress,
    voigt_matrix,
    voigt_of_symmetric,
)


def tensor_of(**components):
    found = np.zeros((6, 6))
    for name, value in components.items():
        i, j = int(name[1]) - 1, int(name[2]) - 1
        found[i, j] = found[j, i] = value
    return found


CUBIC = tensor_of(C11=170, C22=170, C33=170, C12=120, C13=120, C23=120, C44=75, C55=75, C66=75)
HEXAGONAL = tensor_of(C11=160, C22=160, C33=180, C12=90, C13=66, C23=66, C44=46, C55=46, C66=35)
TETRAGONAL = tensor_of(C11=270, C22=270, C33=200, C12=170, C13=150, C23=150, C44=120, C55=120, C66=190)
ORTHORHOMBIC = tensor_of(C11=320, C22=190, C33=230, C12=70, C13=71, C23=77, C44=64, C55=77, C66=78)
TRIGONAL = tensor_of(
    C11=87, C22=87, C33=106, C12=7, C13=12, C23=12, C44=58, C55=58, C66=40, C14=-18, C24=18, C56=-18
)  # fmt: skip
TRICLINIC = np.random.default_rng(1).normal(0, 12, (6, 6))
TRICLINIC = CUBIC + TRICLINIC + TRICLINIC.T

RHOMBOHEDRAL = Atoms(
    "Sb2", scaled_positions=[[0.23] * 3, [0.77] * 3], pbc=True,
    # Conventional axes: a twofold axis along x.
    cell=[[2.15, 2.15 / np.sqrt(3), 3.76], [-2.15, 2.15 / np.sqrt(3), 3.76], [0, -4.3 / np.sqrt(3), 3.76]],
)  # fmt: skip
LOW_CELL = [[3.1, 0, 0], [0.4, 3.5, 0], [0.2, 0.5, 4.1]]
LOW = Atoms("CuAu", positions=[[0, 0, 0], [1.1, 1.7, 2.1]], cell=LOW_CELL, pbc=True)
CRYSTALS = {
    "cubic": (bulk("Cu"), CUBIC),
    "hexagonal": (bulk("Mg", "hcp", a=3.2, c=5.2), HEXAGONAL),
    "tetragonal": (Atoms("CuAu", positions=[[0, 0, 0], [1.4, 1.4, 1.8]], cell=[2.8, 2.8, 3.6], pbc=True), TETRAGONAL),
    "orthorhombic": (Atoms("Cu", cell=[2.5, 2.8, 3.1], pbc=True), ORTHORHOMBIC),
    "trigonal": (RHOMBOHEDRAL, TRIGONAL),
    "triclinic": (LOW, TRICLINIC),
}
BY_NAME = pytest.mark.parametrize("name", CRYSTALS)


def lagrangian_stresses(stiffness, settings, initial=None):
    """Return Cauchy stresses of a crystal whose energy is quadratic in the Green–Lagrange strain."""
    found = [np.zeros(6) if initial is None else initial]
    for component, size in strain_amplitudes(settings):
        gradient = deformation(component, size, settings["measure"])
        strain = (gradient.T @ gradient - np.eye(3)) / 2
        voigt = voigt_of_symmetric(strain) * [1, 1, 1, 2, 2, 2]
        second = symmetric_of_voigt(stiffness @ voigt + found[0])
        found.append(voigt_of_symmetric(gradient @ second @ gradient.T / np.linalg.det(gradient)))
    return np.array(found)


@BY_NAME
def test_a_known_tensor_comes_back(name):
    atoms, stiffness = CRYSTALS[name]
    settings = validate_elastic({})
    found = fit_stiffness(lagrangian_stresses(stiffness, settings), settings, point_group(atoms, 1e-5))
    np.testing.assert_allclose(found.stiffness, stiffness, atol=1e-9)
    assert found.errors.max() < 1e-9
    assert found.nonlinearity < 1e-10


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_the_same_limit(measure):
    atoms, stiffness = CRYSTALS["hexagonal"]
    settings = validate_elastic({"measure": measure, "normal_strains": [1e-3, 2e-3], "shear_strains": [1e-3, 2e-3]})
    found = fit_stiffness(lagrangian_stresses(stiffness, settings), settings, point_group(atoms, 1e-5))
    np.testing.assert_allclose(found.stiffness, stiffness, atol=1e-2)


def test_the_error_covers_what_a_straight_line_misses():
    atoms, stiffness = CRYSTALS["cubic"]
    settings = validate_elastic({"measure": "lagrangian-cauchy", "fit_order": 1})
    found = fit_stiffness(lagrangian_stresses(stiffness, settings), settings, point_group(atoms, 1e-5))
    off = np.abs(found.stiffness - stiffness)
    assert off.max() > 0.01
    assert (off <= 1.1 * found.errors + 1e-9).all()


@BY_NAME
def test_a_turned_crystal_has_the_turned_tensor(name):
    atoms, stiffness = CRYSTALS[name]
    rotation = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ rotation.T, scale_atoms=True)
    expected = rotated(stiffness, rotation)
    settings = validate_elastic({})
    found = fit_stiffness(lagrangian_stresses(expected, settings), settings, point_group(turned, 1e-5))
    np.testing.assert_allclose(found.stiffness, expected, atol=1e-8)
    assert moduli(found.stiffness) == pytest.approx(moduli(stiffness))
    np.testing.assert_allclose(softest(found.stiffness)[0], softest(stiffness)[0])


@BY_NAME
def test_a_point_group_leaves_the_components_of_the_tables(name):
    """Independent components: J. F. Nye, Physical Properties of Crystals, table 9."""
    atoms, stiffness = CRYSTALS[name]
    allowed = projector(point_group(atoms, 1e-5))
    independent = {"cubic": 3, "hexagonal": 5, "tetragonal": 6, "orthorhombic": 9, "trigonal": 6, "triclinic": 21}
    assert np.trace(allowed) == pytest.approx(independent[name])
    np.testing.assert_allclose(allowed @ stiffness.ravel(), stiffness.ravel(), atol=1e-9)
    np.testing.assert_allclose(allowed @ allowed, allowed, atol=1e-12)


def test_what_breaks_the_symmetry_is_an_error():
    atoms, stiffness = CRYSTALS["cubic"]
    settings = validate_elastic({})
    stresses = lagrangian_stresses(stiffness + np.diag([6.0, 0, 0, 0, 0, 0]), settings)
    found = fit_stiffness(stresses, settings, point_group(atoms, 1e-5))
    assert found.stiffness[0, 0] == pytest.approx(172.0)
    assert found.symmetry_error == pytest.approx(4.0)
    assert found.errors[0, 0] == pytest.approx(8 / 3)
    assert found.errors[0, 3] == 0.0


def test_a_tensor_is_turned_as_tensors_are():
    rotation = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    expected = np.einsum("ia,jb,kc,ld,abcd->ijkl", *[rotation] * 4, full_tensor(TRICLINIC), optimize=True)
    np.testing.assert_allclose(full_tensor(rotated(TRICLINIC, rotation)), expected, atol=1e-9)


def test_notations_are_each_others():
    np.testing.assert_allclose(voigt_matrix(full_tensor(TRICLINIC)), TRICLINIC)
    strain = np.random.default_rng(0).normal(size=6)
    stress = np.einsum("ijkl,kl->ij", full_tensor(TRICLINIC), symmetric_of_voigt(strain / [1, 1, 1, 2, 2, 2]))
    np.testing.assert_allclose(voigt_of_symmetric(stress), TRICLINIC @ strain)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("component", range(6))
def test_deformations_have_their_strain(measure, component):
    gradient = deformation(component, 0.06, measure)
    green = (gradient.T @ gradient - np.eye(3)) / 2
    expected = np.zeros((3, 3))
    expected[PAIRS[component]] = expected[PAIRS[component][::-1]] = 0.06
    if measure == "infinitesimal":
        expected = expected + expected @ expected / 2
    np.testing.assert_allclose(green, expected, atol=1e-14)


def test_cells_are_strained_as_they_are_said_to_be():
    atoms = bulk("Cu", cubic=True)
    settings = validate_elastic({})
    cells = strained_cells(atoms, settings)
    assert len(cells) == 25
    for state, cell in zip(strain_amplitudes(settings), cells[1:], strict=True):
        gradient = deformation(*state, settings["measure"])
        np.testing.assert_allclose(cell.cell.array.T, gradient @ atoms.cell.array.T)
        np.testing.assert_allclose(cell.positions.T, gradient @ atoms.positions.T, atol=1e-12)


def test_moduli_of_a_cubic_crystal():
    """Closed forms: R. Hill 1952; anisotropy by Zener's ratio, Ranganathan and Ostoja-Starzewski 2008."""
    found = moduli(CUBIC)
    assert found["bulk_modulus_voigt"] == pytest.approx((170 + 240) / 3)
    assert found["bulk_modulus_reuss"] == pytest.approx((170 + 240) / 3)
    assert found["shear_modulus_voigt"] == pytest.approx((50 + 3 * 75) / 5)
    assert found["shear_modulus_reuss"] == pytest.approx(5 * 50 * 75 / (4 * 75 + 3 * 50))
    zener = 2 * 75 / 50
    assert found["universal_anisotropy"] == pytest.approx(6 / 5 * (np.sqrt(zener) - 1 / np.sqrt(zener)) ** 2)
    bulk_modulus, shear = found["bulk_modulus"], found["shear_modulus"]
    assert found["young_modulus"] == pytest.approx(9 * bulk_modulus * shear / (3 * bulk_modulus + shear))
    assert found["poisson_ratio"] == pytest.approx(found["young_modulus"] / (2 * shear) - 1)


def test_an_isotropic_solid_is_isotropic():
    isotropic = tensor_of(C11=170, C22=170, C33=170, C12=120, C13=120, C23=120, C44=25, C55=25, C66=25)
    found = moduli(isotropic)
    assert found["universal_anisotropy"] == pytest.approx(0, abs=1e-12)
    assert found["shear_modulus"] == pytest.approx(25)


def test_errors_of_moduli_are_those_of_the_components():
    errors = np.zeros((6, 6))
    errors[:3, :3] = 3.0
    assert moduli_errors(CUBIC, errors)["bulk_modulus_voigt"] == pytest.approx(3.0, rel=1e-3)


def test_a_cubic_crystal_under_pressure_has_the_published_stiffness():
    """C̃₁₁ = C₁₁ - P, C̃₁₂ = C₁₂ + P, C̃₄₄ = C₄₄ - P: Mouhat and Coudert 2014."""
    found = under_stress(CUBIC, np.array([-10.0, -10, -10, 0, 0, 0]))
    assert (found[0, 0], found[0, 1], found[3, 3]) == pytest.approx((160, 130, 65))


def test_a_slope_of_cauchys_stress_is_that_stiffness():
    """Under pressure as well, for a deformation without a rotation."""
    pressure = np.array([-10.0, -10, -10, 0, 0, 0])
    strains = {"normal_strains": [1e-3, 2e-3], "shear_strains": [1e-3, 2e-3]}
    settings = validate_elastic({"measure": "infinitesimal", **strains})
    found = fit_stiffness(lagrangian_stresses(CUBIC, settings, pressure), settings, point_group(bulk("Cu"), 1e-5))
    np.testing.assert_allclose(found.stiffness, under_stress(CUBIC, pressure), atol=1e-2)


def test_eigenvalues_of_a_cubic_crystal_are_borns():
    values, strain = softest(CUBIC)
    np.testing.assert_allclose(np.unique(values.round(9)), [170 - 120, 2 * 75, 170 + 240])
    assert abs(strain[:3].sum()) < 1e-12
    np.testing.assert_allclose(np.linalg.eigvalsh(kelvin(CUBIC)), values)


def summarised(stiffness, atoms=None, reference=None, noise=0.0, **given):
    settings = validate_elastic(given)
    stresses = lagrangian_stresses(stiffness, settings)
    stresses += noise * np.random.default_rng(0).normal(size=stresses.shape)
    found = fit_stiffness(stresses, settings, point_group(atoms or bulk("Cu"), 1e-5))
    return summarise_elastic(found, reference or {}, settings)


def test_a_stable_crystal_is_stable():
    said = summarised(CUBIC)
    assert (said["outcome"], said["stability"]["answer"], said["precision"]["answer"]) == ("stable", "yes", "yes")
    assert said["agreement"]["answer"] == "not-asked"


@pytest.mark.parametrize(
    ("change", "along"),
    [
        ({"C11": 100, "C22": 100, "C33": 100}, ("xx", "yy", "zz")),
        ({"C44": -5, "C55": -5, "C66": -5}, ("yz", "xz", "xy")),
    ],
)
def test_a_crystal_that_breaks_a_criterion_of_born_is_not(change, along):
    broken = CUBIC.copy()
    for name, value in change.items():
        broken[int(name[1]) - 1, int(name[2]) - 1] = value
    said = summarised(broken, reference={"bulk_modulus": 140})
    assert (said["outcome"], said["stability"]["answer"]) == ("unstable", "no")
    assert any(name in said["reason"] for name in along)
    assert said["moduli"] == {}
    assert said["agreement"]["answer"] == "no"


def test_what_is_within_the_noise_is_not_told():
    soft = tensor_of(C11=120.5, C22=120.5, C33=120.5, C12=120, C13=120, C23=120, C44=75, C55=75, C66=75)
    assert summarised(soft)["outcome"] == "stable"
    said = summarised(soft, noise=0.1)
    assert (said["outcome"], said["stability"]["answer"]) == ("cannot-tell", "cannot-tell")
    assert "within its error" in said["reason"]


def test_a_noisy_tensor_is_not_precise():
    assert summarised(CUBIC, noise=1.0)["precision"]["answer"] == "no"


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ({"components": {"C11": 176, "C12": 124, "C44": 81, "C14": 0.0}}, "yes"),
        ({"components": {"C11": 176, "C44": 120}}, "no"),
        ({"components": {"C14": 5.0}, "bulk_modulus": 140, "poisson_ratio": 0.33}, "no"),
        ({"bulk_modulus": 140, "shear_modulus": 48, "young_modulus": 130, "poisson_ratio": 0.34}, "yes"),
        ({"poisson_ratio": 0.1}, "no"),
    ],
)
def test_a_reference_judges(reference, answer):
    assert summarised(CUBIC, reference=reference)["agreement"]["answer"] == answer


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"bulk_moduls": 1.0}, "did you mean 'bulk_modulus'"),
        ({"components": {"C21": 3}}, "did you mean 'C12'|no component 'C21'"),
        ({"components": [1]}, "give a dict"),
        ({"components": {"C11": "x"}}, "give a number"),
        ({"poisson_ratio": 0.7}, "at most 0.5"),
    ],
)
def test_a_bad_reference_is_refused_in_one_line(reference, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_elastic_reference(reference)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"normal_strains": []}, "sizes that differ"),
        ({"shear_strains": [0.01, 0.01]}, "sizes that differ"),
        ({"normal_strains": [0.01]}, "two sizes at least"),
        ({"normal_strains": [-0.01, 0.01]}, "at least 1e-05"),
        ({"fit_order": 2}, "give 1 or 3"),
        ({"ions": "frozen"}, "known are clamped, relaxed"),
        ({"measure": "lagrange"}, "did you mean 'lagrangian'"),
    ],
)
def test_a_bad_setting_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        validate_elastic(given)


def test_no_tensor_is_a_result():
    said = no_tensor("it melted")
    assert (said["outcome"], said["stability"]["answer"], said["reason"]) == ("cannot-tell", "cannot-tell", "it melted")
