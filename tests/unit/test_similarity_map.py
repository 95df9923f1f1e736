"""Which frames are chosen, and how much samplers overlap: closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from crucible_engine.tasks.similarity.frames import by_farthest_point, by_random_draw, by_stride
from crucible_engine.tasks.similarity.maps import mean_discrepancy, overlap_of


def test_stride_is_even_and_begins_with_the_first():
    assert by_stride(10, 5).tolist() == [0, 2, 4, 6, 8]
    assert by_stride(3, 7).tolist() == [0, 1, 2]
    assert by_stride(10, 4).tolist() == [0, 2, 5, 7]


def test_a_draw_is_without_replacement_and_repeatable():
    drawn = by_random_draw(100, 30, (3, 1))
    assert len(set(drawn)) == 30 and (np.diff(drawn) > 0).all()
    assert np.array_equal(drawn, by_random_draw(100, 30, (3, 1)))
    assert not np.array_equal(drawn, by_random_draw(100, 30, (3, 2)))
    assert by_random_draw(4, 9, (0, 0)).tolist() == [0, 1, 2, 3]


def test_farthest_points_of_a_line():
    line = np.array([0.0, 1.0, 2.0, 5.0, 10.0, 4.0])[:, None]  # the mean is 3.67
    assert by_farthest_point(line, 4).tolist() == [5, 4, 0, 2]
    assert sorted(by_farthest_point(line, 20)) == list(range(6))
    assert sorted(by_farthest_point(np.zeros((4, 2)), 4)) == [0, 1, 2, 3], "equal points are drawn once each"


def gaussian(points):
    return np.exp(-0.5 * ((points[:, None] - points[None]) ** 2).sum(-1))


def test_separate_samplers_do_not_overlap():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 0.1, (30, 2)), rng.normal(3, 0.1, (20, 2))])
    found = overlap_of(gaussian(points), np.arange(50) < 30, seed=1)
    assert (found.overlap, found.neighbours) == (0.0, 7)
    assert 0 < found.spread < 0.2


def test_equal_samplers_overlap_fully():
    rng = np.random.default_rng(4)
    overlaps = []
    for _ in range(20):
        is_first = rng.permutation(np.arange(60) < 25)
        found = overlap_of(gaussian(rng.normal(size=(60, 3))), is_first, seed=1)
        assert abs(found.overlap - 1.0) < 5 * found.spread
        overlaps.append(found.overlap)
    assert np.mean(overlaps) == pytest.approx(1.0, abs=0.06)


def test_equal_frames_overlap_whatever_their_order():
    """10 frames of one sampler and 30 of the other, both drawn evenly from two configurations."""
    kernel = gaussian(np.tile([0.0, 1.0], 20)[:, None])
    for is_first in (np.arange(40) < 10, np.arange(40) >= 30):
        found = overlap_of(kernel, is_first, seed=1)
        # Of 19 equal frames one sampler has 4 and 15 others of the other's, each as likely to be a neighbour.
        same = (10 * 4 / 19 + 30 * 14 / 19) / 40
        by_chance = (10 * 9 + 30 * 29) / (40 * 39)
        assert found.overlap == pytest.approx((1 - same) / (1 - by_chance))


def test_discrepancy_of_two_points_in_closed_form():
    kernel = np.full((7, 7), 0.3)
    kernel[:3, :3] = kernel[3:, 3:] = 1.0
    assert mean_discrepancy(kernel, np.arange(7) < 3) == pytest.approx(2 - 2 * 0.3)
    assert mean_discrepancy(np.ones((6, 6)), np.arange(6) < 2) == pytest.approx(0.0)


def test_discrepancy_of_two_normal_distributions():
    """E k(x, y) of a Gaussian kernel of width 1 and normal x - y of variance 2: exp(-d²/6)/√3."""
    rng = np.random.default_rng(2)
    points = np.concatenate([rng.normal(0, 1, 1500), rng.normal(1, 1, 1500)])[:, None]
    expected = 2 * (1 - np.exp(-1 / 6)) / np.sqrt(3)
    assert mean_discrepancy(gaussian(points), np.arange(3000) < 1500) == pytest.approx(expected, abs=0.04)
