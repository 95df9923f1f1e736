"""Conformance of energies, forces and stresses: with the package's own, with each other, in the precision asked for."""

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from conformance_cases import package_calculator
from conformance_suite import TOLERANCE, agree, agree_with_calculator, check

from crucible_engine.families import fingerprints


@check
def equals_the_packages_calculator(suite):
    for dtype in suite.family.dtypes:
        calculator = package_calculator(suite.case, suite.folder, dtype)
        evaluations = suite.model(dtype).evaluate_batch(suite.structures)
        for atoms, evaluation in zip(suite.structures, evaluations, strict=True):
            agree_with_calculator(calculator, atoms, evaluation, TOLERANCE[dtype])


@check
def gives_a_calculator_of_the_same_numbers(suite):
    for dtype in suite.family.dtypes:
        model = suite.model(dtype)
        calculator = model.calculator()
        for atoms in suite.structures:
            (evaluation,) = model.evaluate_batch([atoms])
            agree_with_calculator(calculator, atoms, evaluation, TOLERANCE[dtype])


@check
def a_batch_of_mixed_sizes_equals_single_structures(suite):
    for dtype in suite.family.dtypes:
        model = suite.model(dtype)
        for atoms, batched in zip(suite.structures, model.evaluate_batch(suite.structures), strict=True):
            (single,) = model.evaluate_batch([atoms])
            agree(batched.energy / len(atoms), single.energy / len(atoms), TOLERANCE[dtype], "energy")
            agree(batched.forces, single.forces, TOLERANCE[dtype], "forces")
            agree(batched.stress, single.stress, TOLERANCE[dtype], "stress")


@check
def forces_are_the_gradient_of_the_energy(suite):
    model, step = suite.model(), suite.case.step
    assert model.conservative is suite.case.conservative
    for atoms in suite.structures[:2]:
        (evaluation,) = model.evaluate_batch([atoms])
        numerical = []
        for axis in range(3):
            moved = [atoms.copy() for _ in range(4)]
            for image, factor in zip(moved, (2, 1, -1, -2), strict=True):
                image.positions[1, axis] += factor * step
            numerical.append(-_derivative(model, moved, step))
        difference = np.abs(evaluation.forces[1] - numerical).max()
        assert bool(difference < 1e-6) is suite.case.conservative, f"forces differ by {difference:.1e} eV/Å"


@check
def stress_is_the_gradient_of_the_energy(suite):
    model, step = suite.model(), suite.case.step
    for atoms in suite.structures[:2]:
        (evaluation,) = model.evaluate_batch([atoms])
        for component, (row, column) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
            strained = [atoms.copy() for _ in range(4)]
            for image, factor in zip(strained, (2, 1, -1, -2), strict=True):
                strain = np.zeros((3, 3))
                strain[row, column] += factor * step / 2
                strain[column, row] += factor * step / 2
                image.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            difference = abs(evaluation.stress[component] - _derivative(model, strained, step) / atoms.get_volume())
            if suite.case.conservative:
                assert difference < 1e-7, f"stress component {component} differs by {difference:.1e} eV/Å³"


def _derivative(model, images, step):
    """Central difference of fourth order."""
    energies = [evaluation.energy for evaluation in model.evaluate_batch(images)]
    return np.dot(energies, [-1, 8, -8, 1]) / (12 * step)


@check
def energy_does_not_change_with_a_translation(suite):
    model = suite.model()
    for atoms in suite.structures:
        moved = atoms.copy()
        moved.positions += [0.123, -4.56, 7.89]
        before, after = model.evaluate_batch([atoms, moved])
        tolerance = suite.case.supercell_tolerance
        agree(after.energy / len(atoms), before.energy / len(atoms), tolerance, "energy")
        if tolerance < 1e-6:
            agree(after.forces, before.forces, 1e-8, "forces")


@check
def energy_of_a_supercell_is_that_of_its_cells(suite):
    model = suite.model()
    for atoms in suite.structures:
        cell, supercell = model.evaluate_batch([atoms, atoms * (1, 2, 1)])
        if not suite.case.extensive:
            difference = abs(supercell.energy / 2 - cell.energy) / len(atoms)
            assert difference > 1e-4, f"the case says that it is not extensive, and it differs by {difference:.1e}"
            continue
        tolerance = suite.case.supercell_tolerance
        agree(supercell.energy / (2 * len(atoms)), cell.energy / len(atoms), tolerance, "energy")
        if tolerance < 1e-6:
            agree(supercell.forces[: len(atoms)], cell.forces, 1e-8, "forces")
            agree(supercell.stress, cell.stress, 1e-8, "stress")


@check
def every_listed_element_has_finite_numbers(suite):
    model = suite.model(suite.family.dtypes[0])
    for first in range(0, len(model.elements), 20):
        some = sorted(model.elements)[first : first + 20]
        pairs = [
            Atoms([z, z], scaled_positions=[[0, 0, 0], [0.45, 0.5, 0.5]], cell=[4.0, 4.1, 4.2], pbc=True) for z in some
        ]
        for number, evaluation in zip(some, model.evaluate_batch(pairs), strict=True):
            finite = all(np.isfinite(part).all() for part in (evaluation.energy, evaluation.forces, evaluation.stress))
            assert finite, f"{chemical_symbols[number]} gives numbers that are not finite"


@check
def computes_in_the_precision_asked_for(suite):
    single = {dtype: suite.model(dtype).evaluate_batch(suite.structures) for dtype in suite.family.dtypes}
    for evaluations in single.values():
        assert all(evaluation.forces.dtype == evaluation.stress.dtype == np.float64 for evaluation in evaluations)
    energies = np.array([evaluation.energy for evaluation in single["float64"]])
    assert (energies != energies.astype(np.float32)).any(), "energies in double precision are single-precision numbers"
    if "float32" in single:
        rough = np.array([evaluation.energy for evaluation in single["float32"]])
        assert (rough != energies).all(), "both precisions give the same"
        agree(rough, energies, 1e-4, "energy")


@check
def double_precision_resolves_a_tiny_step(suite):
    # 1e-6 Å: far below what single precision could see in an energy of some ten eV.
    model, step = suite.model(), 1e-6
    atoms = suite.structures[0]
    images = [atoms.copy(), atoms.copy()]
    for image, sign in zip(images, (1, -1), strict=True):
        image.positions[0] += sign * step
    up, down = model.evaluate_batch(images)
    (middle,) = model.evaluate_batch([atoms])
    if suite.case.conservative:
        slope = (up.energy - down.energy) / (2 * step)
        assert abs(slope + middle.forces[0].sum()) < 1e-6, f"{slope} against {-middle.forces[0].sum()}"


@check
def agrees_with_the_stored_fingerprint(suite):
    if not (suite.case.weights or suite.case.published):
        return
    fingerprint = fingerprints.find(suite.case.family, suite.case.weights, suite.case.settings, suite.model().sha256)
    assert fingerprint is not None and fingerprint.sha256 == suite.model().sha256
    for dtype in suite.family.dtypes:
        evaluations = suite.model(dtype).evaluate_batch(fingerprint.structures)
        for index, evaluation in enumerate(evaluations):
            n_atoms = len(evaluation.forces)
            difference = abs(evaluation.energy - fingerprint.energies[index]) / n_atoms
            assert difference < fingerprint.energy_tolerance, f"energy differs by {difference:.1e} eV/atom"
            difference = np.abs(evaluation.forces - fingerprint.forces[index]).max()
            assert difference < fingerprint.force_tolerance, f"forces differ by {difference:.1e} eV/Å"
