"""Batches: their boundaries, their order, their memory, and what happens when it runs out."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from crucible_engine.families.base import Evaluation, Identity, Model
from crucible_engine.families.batching import Limit, evaluate_structures
from crucible_engine.wire.schema import Condition, EngineError


class CountingModel(Model):
    """Says how many atoms a structure has, remembers its batches, and fails beyond a number of atoms."""

    def __init__(self, atoms_per_batch=8, capacity=10**9, device="cpu", error=MemoryError):
        identity = Identity("emt", "0" * 64, "float64", device)
        super().__init__(identity, frozenset({13, 29}))
        self.atoms, self.capacity, self.error = atoms_per_batch, capacity, error
        self.batches = []

    def atoms_per_batch(self):
        return self.atoms

    def _evaluate(self, batch, stress):
        sizes = [len(atoms) for atoms in batch]
        if sum(sizes) > self.capacity:
            raise self.error("out of memory")
        self.batches.append(sizes)
        return [Evaluation(float(size), np.zeros((size, 3)), np.zeros(6)) for size in sizes]


def frames(*sizes):
    return [(f"s{index}", Atoms(f"Cu{size}", positions=np.zeros((size, 3)))) for index, size in enumerate(sizes)]


def energies(batches):
    return [evaluation.energy for batch in batches for evaluation in batch]


def test_a_number_of_structures_is_kept():
    model = CountingModel()
    batches = list(evaluate_structures(model, frames(*range(1, 8)), batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert energies(batches) == list(range(1, 8))


def test_atoms_fill_batches_and_a_large_structure_has_one_of_its_own():
    model = CountingModel(atoms_per_batch=8)
    list(evaluate_structures(model, frames(4, 4, 4, 100, 2, 2, 2, 2, 2)))
    assert model.batches == [[4, 4], [4], [100], [2, 2, 2, 2], [2]]


def test_a_job_resumed_behind_a_batch_computes_the_same_batches():
    sizes = list(np.random.default_rng(0).integers(1, 12, 60))
    whole = CountingModel(atoms_per_batch=20)
    batches = list(evaluate_structures(whole, frames(*sizes)))
    for finished in (1, 3, len(batches) - 1):
        rest = CountingModel(atoms_per_batch=20)
        start = sum(map(len, batches[:finished]))
        list(evaluate_structures(rest, frames(*sizes)[start:]))
        assert rest.batches == whole.batches[finished:]


@pytest.mark.parametrize("error", [MemoryError, RuntimeError])
def test_memory_that_runs_out_halves_batches_and_keeps_the_order(error):
    model = CountingModel(capacity=10, error=error)
    sizes = [3, 4, 5] * 4 + [4]
    batches = list(evaluate_structures(model, frames(*sizes), batch_size=8))
    assert energies(batches) == sizes
    assert max(sum(sizes) for sizes in model.batches) <= 10


def test_once_halved_later_batches_stay_small():
    attempts = []
    model = CountingModel(capacity=8)
    evaluate = model._evaluate
    model._evaluate = lambda batch, stress: (attempts.append(len(batch)), evaluate(batch, stress))[1]
    list(evaluate_structures(model, frames(*[2] * 32), batch_size=8))
    assert attempts == [8] + [4] * 8


def test_a_structure_too_large_even_alone_is_named():
    with pytest.raises(EngineError, match="'s1' with 50 atoms does not fit") as caught:
        list(evaluate_structures(CountingModel(capacity=10), frames(4, 50), batch_size=2))
    assert caught.value.condition is Condition.OUT_OF_MEMORY


def test_other_errors_of_the_package_pass_through():
    class Broken(CountingModel):
        def _evaluate(self, batch, stress):
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(evaluate_structures(Broken(), frames(1)))


def test_an_unknown_element_is_named_with_its_structure():
    stream = [("copper", bulk("Cu")), ("rust", bulk("Fe"))]
    with pytest.raises(EngineError, match=r"structure .rust.: emt .* was not trained on Fe") as caught:
        list(evaluate_structures(CountingModel(atoms_per_batch=1), stream))
    assert caught.value.condition is Condition.UNSUPPORTED_ELEMENT


def test_no_more_than_a_batch_and_one_structure_is_read_ahead():
    read = []

    def stream():
        for label, atoms in frames(*[1] * 100):
            read.append(label)
            yield label, atoms

    done = 0
    for batch in evaluate_structures(CountingModel(), stream(), batch_size=4):
        done += len(batch)
        assert len(read) <= done + 1


def test_nothing_to_evaluate_is_no_batch():
    assert list(evaluate_structures(CountingModel(), [])) == []


def grow(seconds_per_batch, batches=40):
    """Feed a growing limit with full batches on a device of known speed; return the sizes it tried."""
    limit, sizes = Limit(atoms=100, grows=True), []
    for _ in range(batches):
        sizes.append(limit.atoms)
        limit.record(limit.atoms, seconds_per_batch(limit.atoms))
    return sizes


def test_on_a_gpu_batches_grow_until_the_throughput_stops_improving():
    sizes = grow(lambda atoms: max(1.0, atoms / 800))
    assert sizes[-1] == 800
    assert max(sizes) == 1600  # one doubling in vain shows that it was enough


def test_on_a_gpu_the_first_batch_of_a_size_is_not_timed():
    first = {}

    def seconds(atoms):
        warm_up = 100.0 if atoms not in first else 0.0
        first[atoms] = True
        return max(1.0, atoms / 800) + warm_up

    assert grow(seconds)[-1] == 800


def test_on_a_gpu_memory_that_runs_out_ends_the_growth():
    model = CountingModel(atoms_per_batch=4, capacity=16, device="cuda")
    batches = list(evaluate_structures(model, frames(*[1] * 200)))
    assert energies(batches) == [1.0] * 200
    assert max(sum(sizes) for sizes in model.batches) <= 16
