"""The conformance suite: what every adapter must do, with its real package and real weights.

Run by the Python of a family's environment, which needs no pytest::

    python conformance_checks.py CASE FOLDER REPORT.json

``FOLDER`` keeps checkpoints that are made on the spot; the report has one entry for each check.
"""

import hashlib
import json
import sys
import traceback
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import atomic_numbers, chemical_symbols
from conformance_cases import CASES, cluster, make_checkpoint, package_calculator, structures

from crucible_engine.models import fingerprints
from crucible_engine.models.batching import evaluate_structures
from crucible_engine.models.catalogue import FAMILIES, find_named
from crucible_engine.models.load import load_model
from crucible_engine.schema import Condition, EngineError

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
CHECKS = {}


def check(function):
    """Register a check; its first line of documentation is what a report calls it."""
    CHECKS[function.__name__] = function
    return function


class Suite:
    """A case with its models loaded once for each precision."""

    def __init__(self, case, folder):
        self.case, self.folder = case, Path(folder)
        self.family = FAMILIES[case.family]
        self.structures = structures(case)
        self._models = {}

    def model(self, dtype="float64"):
        if dtype not in self._models:
            self._models[dtype] = self.case.load(self.folder, dtype)
        return self._models[dtype]

    def refuse(self, condition, dtype="float64", **changes):
        """Return the message with which the reference, so changed, is refused for the right reason."""
        try:
            load_model(self.case.reference(self.folder, dtype, **changes), "cpu")
        except EngineError as error:
            assert error.condition is condition, f"{error.condition}: {error.message}"
            assert "\n" not in error.message and len(error.message) < 400, error.message
            return error.message
        raise AssertionError(f"loaded, though {condition} was due")


def agree(found, wanted, tolerance, what):
    """Compare per atom and eV/Å, relative where the numbers are large."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    difference = np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())
    assert difference <= tolerance, f"{what} differs by {difference:.1e}, allowed are {tolerance:.0e}"


def agree_with_calculator(calculator, atoms, evaluation, tolerance):
    agree(evaluation.energy / len(atoms), calculator.get_property("energy", atoms) / len(atoms), tolerance, "energy")
    agree(evaluation.forces, calculator.get_property("forces", atoms), tolerance, "forces")
    stress = np.asarray(calculator.get_property("stress", atoms))
    if stress.shape == (3, 3):  # CHGNet's calculator returns a matrix
        stress = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    agree(evaluation.stress, stress, tolerance, "stress")


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
    model, step = suite.model(), 2e-4
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
    model, step = suite.model(), 2e-4
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
        agree(after.energy / len(atoms), before.energy / len(atoms), 1e-9, "energy")
        agree(after.forces, before.forces, 1e-8, "forces")


@check
def energy_of_a_supercell_is_that_of_its_cells(suite):
    model = suite.model()
    for atoms in suite.structures:
        cell, supercell = model.evaluate_batch([atoms, atoms * (1, 2, 1)])
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
def elements_are_those_of_the_catalogue_and_others_are_refused(suite):
    model = suite.model()
    if suite.case.weights:
        listed = find_named(suite.case.family, suite.case.weights).elements
        assert {atomic_numbers[symbol] for symbol in listed} == model.elements
    stranger = Atoms("Po2", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[4, 4, 4], pbc=True)
    for evaluate in (
        lambda: model.evaluate_batch([suite.structures[0], stranger]),
        lambda: list(evaluate_structures(model, [("polonium", stranger)])),
    ):
        try:
            evaluate()
        except EngineError as error:
            assert error.condition is Condition.UNSUPPORTED_ELEMENT and "Po" in error.message, error.message
        else:
            raise AssertionError("polonium was evaluated")


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
def other_precisions_are_refused(suite):
    message = suite.refuse(Condition.INVALID_JOB, dtype="float16")
    assert "float16" in message and "float64" in message


@check
def a_device_that_is_not_there_is_refused(suite):
    try:
        load_model(suite.case.reference(suite.folder), "cuda:7")
    except EngineError as error:
        assert error.condition is Condition.DEVICE_UNAVAILABLE and "cpu" in error.message, error.message
    else:
        raise AssertionError("cuda:7 was found")


@check
def the_digest_is_that_of_the_weights(suite):
    model = suite.model()
    assert model.sha256 and len(model.sha256) == 64
    if suite.case.weights:
        assert model.sha256 == find_named(suite.case.family, suite.case.weights).sha256
    else:
        checkpoint = suite.folder / f"{suite.case.name}.checkpoint"
        assert model.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    message = suite.refuse(Condition.WEIGHTS_MISMATCH, sha256="0" * 64)
    assert model.sha256 in message and "0" * 64 in message


@check
def what_is_not_periodic_has_no_stress(suite):
    model = suite.model()
    atoms = cluster(suite.case)
    boxed = atoms.copy()
    boxed.center(vacuum=8.0)
    for evaluation in (bare := model.evaluate_batch([atoms, boxed, suite.structures[0]]))[:2]:
        assert np.isfinite(evaluation.energy) and np.isfinite(evaluation.forces).all()
        assert np.isnan(evaluation.stress).all()
    assert np.isfinite(bare[2].stress).all()
    agree(bare[1].energy, bare[0].energy, 1e-9, "energy in a box")
    agree(bare[1].forces, bare[0].forces, 1e-8, "forces in a box")


@check
def a_slab_has_no_stress_or_is_refused(suite):
    slab = suite.structures[0].copy()
    slab.pbc = [True, True, False]
    slab.center(vacuum=8.0, axis=2)
    try:
        (evaluation,) = suite.model().evaluate_batch([slab])
    except EngineError as error:
        assert error.condition is Condition.INVALID_STRUCTURE and suite.case.family == "orb", error.message
    else:
        assert np.isfinite(evaluation.forces).all() and np.isnan(evaluation.stress).all()


@check
def an_isolated_atom_has_a_finite_energy(suite):
    number = min(suite.model().elements)
    atom = Atoms([number], positions=[[5, 5, 5]], cell=[20, 20, 20], pbc=True)
    (evaluation,) = suite.model().evaluate_batch([atom])
    assert np.isfinite(evaluation.energy) and np.abs(evaluation.forces).max() < 1e-6


@check
def stress_is_left_out_on_request(suite):
    model = suite.model()
    with_stress, without = model.evaluate_batch(suite.structures), model.evaluate_batch(suite.structures, stress=False)
    for one, other in zip(with_stress, without, strict=True):
        assert np.isfinite(one.stress).all() and np.isnan(other.stress).all()
        agree(other.forces, one.forces, 1e-10, "forces")


@check
def structures_are_left_as_they_were(suite):
    atoms = suite.structures[0].copy()
    atoms.set_constraint(FixAtoms([0]))
    before = atoms.copy()
    (fixed,) = suite.model().evaluate_batch([atoms])
    (free,) = suite.model().evaluate_batch([suite.structures[0]])
    agree(fixed.forces, free.forces, 1e-12, "forces of a fixed atom")
    assert atoms == before and atoms.calc is None and not atoms.info


@check
def memory_that_runs_out_halves_the_batch(suite):
    model = suite.model()
    frames = [(str(index), atoms) for index, atoms in enumerate(suite.structures * 3)]
    wanted = [model.evaluate_batch([atoms])[0] for _, atoms in frames]
    evaluate = model._evaluate

    def limited(batch, stress):
        if len(batch) > 2:
            raise _out_of_memory()
        return evaluate(batch, stress)

    with mock.patch.object(model, "_evaluate", limited):
        batches = list(evaluate_structures(model, frames, batch_size=5))
    assert [batch.start for batch in batches] == list(np.cumsum([0] + [batch.size for batch in batches[:-1]]))
    assert max(batch.size for batch in batches) == 2
    assert [label for batch in batches for label in batch.labels] == [label for label, _ in frames]
    found = [evaluation for batch in batches for evaluation in batch.evaluations]
    for one, other in zip(found, wanted, strict=True):
        agree(one.forces, other.forces, 1e-9, "forces")


def _out_of_memory():
    """Return what torch raises when a GPU's, or a CPU's, memory is used up."""
    if "torch" not in sys.modules:
        return MemoryError()
    return RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


@check
def the_process_is_left_as_it_was(suite):
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        assert torch.get_default_dtype() is torch.float32
    if "chgnet.model.model" in sys.modules:
        assert sys.modules["chgnet.model.model"].TORCH_DTYPE is torch.float32


@check
def agrees_with_the_stored_fingerprint(suite):
    if not suite.case.weights:
        return
    fingerprint = fingerprints.find(suite.case.family, suite.case.weights, suite.case.settings)
    assert fingerprint is not None and fingerprint.sha256 == suite.model().sha256
    for dtype in suite.family.dtypes:
        evaluations = suite.model(dtype).evaluate_batch(fingerprint.structures)
        for index, evaluation in enumerate(evaluations):
            n_atoms = len(evaluation.forces)
            difference = abs(evaluation.energy - fingerprint.energies[index]) / n_atoms
            assert difference < fingerprint.energy_tolerance, f"energy differs by {difference:.1e} eV/atom"
            difference = np.abs(evaluation.forces - fingerprint.forces[index]).max()
            assert difference < fingerprint.force_tolerance, f"forces differ by {difference:.1e} eV/Å"


def _own_checkpoint(suite):
    """Return a readable checkpoint file of the case's family, whether made here or shipped with the package."""
    if suite.case.weights is None:
        return suite.folder / f"{suite.case.name}.checkpoint"
    adapter = sys.modules[f"crucible_engine.models.{suite.case.family}"]
    return adapter.weights_path(suite.case.reference(suite.folder))


def _refuse_file(suite, condition, path, **changes):
    return suite.refuse(condition, name=None, checkpoint=str(path), **changes)


@check
def a_checkpoint_that_is_missing_is_refused(suite):
    if suite.family.checkpoint_files:
        assert "nowhere" in _refuse_file(suite, Condition.CHECKPOINT_MISSING, suite.folder / "nowhere.pth")


@check
def a_checkpoint_that_is_broken_is_refused(suite):
    if not suite.family.checkpoint_files:
        return
    suite.model()
    whole = _own_checkpoint(suite).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    broken = {"truncated": whole[: len(whole) // 2], "empty": b"", "a text": b"not weights", "damaged": bytes(damaged)}
    for what, content in broken.items():
        path = suite.folder / f"{suite.case.name}-broken"
        path.write_bytes(content)
        message = _refuse_file(suite, Condition.CHECKPOINT_UNREADABLE, path)
        assert what not in ("truncated", "damaged") or what in message, message
    path.unlink()


@check
def a_checkpoint_of_another_family_is_refused(suite):
    if not suite.family.checkpoint_files:
        return
    import torch

    path = suite.folder / f"{suite.case.name}-foreign"
    for content in ({"model": torch.zeros(2)}, {"config": {}, "epoch": 1}, {"some": {"thing": 1}}, [1, 2]):
        torch.save(content, path)
        _refuse_file(suite, Condition.CHECKPOINT_OF_ANOTHER_FAMILY, path)
    path.unlink()


@check
def a_pickle_that_runs_code_is_refused(suite):
    if not suite.family.checkpoint_files:
        return
    import torch

    marker, path = suite.folder / "code-ran", suite.folder / f"{suite.case.name}-pickle"
    torch.save({"model": _RunsCode(marker), "config": _RunsCode(marker)}, path)
    if suite.case.family == "mace":
        # Whatever has no class of MACE in it is none of MACE's; it is not even read.
        _refuse_file(suite, Condition.CHECKPOINT_OF_ANOTHER_FAMILY, path, trust_pickle=False)
        message = _refuse_file(suite, Condition.CHECKPOINT_UNTRUSTED, _own_checkpoint(suite), trust_pickle=False)
    else:
        message = _refuse_file(suite, Condition.CHECKPOINT_UNTRUSTED, path, trust_pickle=False)
    assert "trust_pickle" in message or suite.case.family == "orb", message
    assert not marker.exists(), "the pickle's code ran"
    path.unlink()


class _RunsCode:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@check
def two_pickles_under_one_name_are_refused(suite):
    if not suite.family.checkpoint_files:
        return
    suite.model()
    path = suite.folder / f"{suite.case.name}-double"
    path.write_bytes(_own_checkpoint(suite).read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        archive.writestr(name, b"\x80\x02N.")
    _refuse_file(suite, Condition.CHECKPOINT_UNREADABLE, path)
    path.unlink()


def main(case_name, folder, report):
    """Run every check and write what each said; nothing of it goes to the standard output."""
    case = CASES[case_name]
    make_checkpoint(case, folder)
    suite = Suite(case, folder)
    outcome = {}
    for name, function in CHECKS.items():
        try:
            function(suite)
        except Exception:
            outcome[name] = traceback.format_exc()
        else:
            outcome[name] = None
    Path(report).write_text(json.dumps(outcome, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
