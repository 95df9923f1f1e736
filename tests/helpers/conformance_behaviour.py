"""Conformance of an adapter's manners: what it refuses, what it leaves as it was, what it does at the limits."""

import itertools
import pkgutil
import sys
from operator import attrgetter
from unittest import mock

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import atomic_numbers
from conformance_cases import cluster, conformance_of, reference
from conformance_suite import agree, check

from crucible_engine.families.batching import evaluate_structures
from crucible_engine.families.load import load_model
from crucible_engine.families.registry import find_named
from crucible_engine.wire.schema import Condition, EngineError


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
def the_package_has_the_undocumented_members_that_are_used(suite):
    told = conformance_of(suite.case.family)
    gone = []
    for name in getattr(told, "MEMBERS", ()):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            gone.append(name)
    for name in getattr(told, "NETWORK_MEMBERS", ()):
        try:
            attrgetter(name)(suite.model().network)
        except AttributeError:
            gone.append(f"{name} of a network")
    assert not gone, f"this release of {suite.family.package} has moved {', '.join(gone)}: see the family's compat.py"


@check
def other_precisions_are_refused(suite):
    message = suite.refuse(Condition.INVALID_JOB, dtype="float16")
    assert "float16" in message and "float64" in message


@check
def a_device_that_is_not_there_is_refused(suite):
    try:
        load_model(reference(suite.case, suite.folder), "cuda:7")
    except EngineError as error:
        assert error.condition is Condition.DEVICE_UNAVAILABLE and "cpu" in error.message, error.message
    else:
        raise AssertionError("cuda:7 was found")


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
        assert error.condition is Condition.INVALID_STRUCTURE and not suite.case.slabs, error.message
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
    assert max(map(len, batches)) == 2
    for one, other in zip(itertools.chain(*batches), wanted, strict=True):
        agree(one.forces, other.forces, 1e-9, "forces")


def _out_of_memory():
    """Return what torch raises when a GPU's, or a CPU's, memory is used up."""
    if "torch" not in sys.modules:
        return MemoryError()
    return RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
