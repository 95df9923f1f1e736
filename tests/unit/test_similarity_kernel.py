"""The REMatch kernel is dscribe's, whatever is computed together, kept where, and with how many threads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from similarity_jobs import N_FEATURES, SIZES, reference_rows, stored_kernels

from crucible_engine.tasks.similarity.descriptors import BlockStore, unit_rows
from crucible_engine.tasks.similarity.plan import Block, Plan, make_plan
from crucible_engine.tasks.similarity.rematch import match
from crucible_engine.tasks.similarity.tiles import Match, TileMaker
from crucible_engine.wire.schema import Condition, EngineError

STORED = stored_kernels()
pytestmark = pytest.mark.timeout(60)


def kernel_of(rows, plan, folder, settings, workers=1):
    """Return the kernel, tile by tile, normalised."""
    store = BlockStore(plan, lambda index: rows[index], folder)
    kernel = np.full((len(rows), len(rows)), np.nan)
    with TileMaker(settings, workers) as maker:
        for first, second in plan.tiles():
            tile = maker.make(store.get(first), store.get(second), first == second)
            ours, theirs = list(plan.blocks[first].frames), list(plan.blocks[second].frames)
            kernel[np.ix_(ours, theirs)] = tile
            kernel[np.ix_(theirs, ours)] = tile.T
    lengths = np.sqrt(np.diagonal(kernel))
    return kernel / np.outer(lengths, lengths)


def plan_of(length, resident=2):
    """Return a plan of the reference's structures with blocks of so many."""
    blocks = []
    for size, group in itertools.groupby(range(len(SIZES)), key=SIZES.__getitem__):
        same = list(group)
        blocks += [Block(tuple(same[start : start + length]), size) for start in range(0, len(same), length)]
    return Plan(tuple(blocks), N_FEATURES, resident, 1)


def straightforward(local, alpha, threshold):
    """Return the similarity of one pair and the number of iterations, as the paper and dscribe's source say it."""
    n, m = local.shape
    weights = np.exp(-(1 - local) / alpha)
    u, v, error, iterations = np.ones(n) / n, np.ones(m) / m, 1.0, 0
    while error > threshold:
        before = u, v
        v = (np.ones(m) / m) / (weights.T @ u)
        u = (np.ones(n) / n) / (weights @ v)
        if iterations % 5:
            error = np.sum((u - before[0]) ** 2) / np.sum(u**2) + np.sum((v - before[1]) ** 2) / np.sum(v**2)
        iterations += 1
    return float(np.sum(weights * u[:, None] * v * local)), iterations


@pytest.mark.parametrize(("alpha", "threshold"), STORED)
@pytest.mark.parametrize("length", [1, 3])
def test_kernel_is_dscribes(alpha, threshold, length, tmp_path):
    found = kernel_of(reference_rows(), plan_of(length), tmp_path, Match(alpha, threshold))
    assert np.abs(found - STORED[alpha, threshold]).max() < 1e-12
    assert np.array_equal(found, found.T)


def test_a_pair_stops_where_it_would_alone():
    rng = np.random.default_rng(3)
    lengths = set()
    for _ in range(40):
        n_pairs, n, m = rng.integers(1, 9, 3)
        local = rng.uniform(-0.5, 1.0, (n_pairs, n, m))
        alpha, threshold = 10 ** rng.uniform(-1.2, 0.5), 10 ** rng.uniform(-10, -2)
        wanted = [straightforward(pair, alpha, threshold) for pair in local]
        found = match(local, alpha, threshold)
        assert found == pytest.approx([similarity for similarity, _ in wanted], abs=1e-13)
        assert np.array_equal(found, [match(pair[None], alpha, threshold)[0] for pair in local]), "bit by bit"
        lengths |= {iterations for _, iterations in wanted}
    assert len(lengths) > 10, "pairs of a batch stopped at different iterations"
    # A count is one more than the iteration that was tested last, and 0, 5, 10 … are not tested.
    assert not {iterations for iterations in lengths if iterations % 5 == 1}


def test_the_first_structure_is_the_one_that_comes_first():
    """With its structures exchanged a match that stops early differs: the kernel has one of the two, as dscribe's."""
    rows = reference_rows()
    forth, back = (match((rows[i] @ rows[j].T)[None], 0.1, 1e-3)[0] for i, j in ((0, 3), (3, 0)))
    assert 1e-12 < abs(forth - back) < 1e-2


def test_large_alpha_is_the_average_kernel_and_small_alpha_the_best_match():
    first, second = reference_rows()[1:3]
    local = first @ second.T
    assert match(local[None], 1e7, 1e-12)[0] == pytest.approx(local.mean(), abs=1e-6)
    permuted = np.random.default_rng(1).permutation(5)
    assert match((first @ first[permuted].T)[None], 1e-2, 1e-9)[0] == pytest.approx(1.0, abs=1e-4)


def test_weights_that_vanish_end_and_say_so():
    local = np.array([[[1.0, -1.0], [-1.0, -1.0]], [[1.0, 0.9], [0.9, 1.0]]])
    found = match(local, 1e-3, 1e-6)
    assert np.isnan(found[0]) and found[1] == pytest.approx(1.0)


def test_number_of_threads_changes_no_bit(tmp_path):
    rng = np.random.default_rng(0)
    rows = [unit_rows(rng.exponential(size=(40, 60))) for _ in range(40)]
    plan = make_plan([40] * 40, 60, 64, 2)
    kernels = [kernel_of(rows, plan, tmp_path, Match(0.1, 1e-8), workers) for workers in (1, 3)]
    assert np.array_equal(*kernels)


def test_every_pair_is_in_one_tile():
    sizes = [*[5] * 25, *[40] * 30, 8, 5, 8, *[5] * 12]
    plan = make_plan(sizes, 100, 16, 1)
    assert all(sizes[frame] == block.n_atoms for block in plan.blocks for frame in block.frames)
    seen = np.zeros((70, 70), dtype=int)
    for first, second in plan.tiles():
        ours, theirs = plan.blocks[first].frames, plan.blocks[second].frames
        seen[np.ix_(ours, theirs)] += 1
        if first != second:
            seen[np.ix_(theirs, ours)] += 1
    assert (seen == 1).all()
    assert sum(map(plan.pairs_of, plan.tiles())) == plan.n_pairs == 70 * 71 // 2


def test_memory_bounds_what_is_held():
    frame = 320 * 2842 * 8
    for memory in (64, 256, 1024, 4096):
        plan = make_plan([320] * 500, 2842, memory, 2)
        held = plan.resident * len(plan.blocks[0].frames) * frame
        assert held < memory * 1024**2
        assert plan.resident >= 2
    assert len(plan.blocks[0].frames) == 16


def test_too_little_memory_is_one_line():
    with pytest.raises(EngineError) as error:
        make_plan([320] * 4, 2842, 16, 1)
    assert error.value.condition is Condition.INVALID_JOB
    assert error.value.message == (
        "memory is 16 MiB, but 4 frames of up to 320 atoms with 2842 features need at least 32 MiB: raise it, or "
        "choose fewer frames"
    )
    with pytest.raises(EngineError, match="5000 frames of up to 5 atoms with 10 features need at least 763 MiB"):
        make_plan([5] * 5000, 10, 512, 1)


def test_descriptors_that_do_not_fit_are_kept_on_the_disk(tmp_path):
    rows, made = reference_rows(), []

    def make(index):
        made.append(index)
        return rows[index]

    plan = plan_of(1)
    store = BlockStore(plan, make, tmp_path)
    for tile in plan.tiles():
        for index in tile:
            (frame,) = plan.blocks[index].frames
            assert np.array_equal(store.get(index)[0], rows[frame])
    assert sorted(made) == list(range(len(rows))), "each is computed once"
    assert len(list(tmp_path.glob("*.npy"))) == len(rows)
    store.clear()
    assert not list(tmp_path.iterdir())


def test_rows_of_unit_length():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert np.array_equal(rows, [[0.6, 0.8], [0.0, 0.0]])
