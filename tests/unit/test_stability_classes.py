"""Classes of stability, their confusion, and the published matrices."""

from __future__ import annotations

import numpy as np
import pytest
from published_classes import models, published_confusion, published_shares, source

from aiida_crucible.analysis.benchmark.stability_classes import (
    CANNOT_TELL,
    CLASSES,
    HARMONIC_CLASSES,
    Confusion,
    confusion,
    stability_class,
)


@pytest.mark.parametrize(
    ("score", "error", "expected"),
    [
        (0.0, 0.0, "weak"),
        (0.499, 0.0, "weak"),
        (0.5, 0.0, "strong"),
        (1.0, 0.0, "strong"),
        (1.001, 0.0, "unstable"),
        (0.45, 0.04, "weak"),
        (0.45, 0.05, CANNOT_TELL),
        (0.55, 0.06, CANNOT_TELL),
        (0.75, 0.25, "strong"),
        (0.75, 0.26, CANNOT_TELL),
        (0.75, 3.0, CANNOT_TELL),
        (1.2, 0.19, "unstable"),
    ],
)
def test_class_of_a_score(score, error, expected):
    assert stability_class(score, error) == expected


@pytest.mark.parametrize(("score", "error"), [(-0.1, 0.0), (float("nan"), 0.0), (0.4, float("inf")), (0.4, -1.0)])
def test_a_score_that_is_none_is_refused(score, error):
    with pytest.raises(ValueError, match=r"an anharmonicity score .*finite number from zero$"):
        stability_class(score, error)


def test_confusion_counts_pairs():
    reference = ["weak", "weak", "strong", "unstable", "unstable", CANNOT_TELL, "weak"]
    model = ["weak", "strong", "weak", "unstable", "weak", "weak", CANNOT_TELL]
    found = confusion(reference, model)
    assert found.counts.tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 1]]
    assert (found.undecided, found.total, found.over_stabilised, found.under_stabilised) == (2, 5, 2, 1)
    shares = found.shares()
    assert shares["agreement"] == pytest.approx(2 / 5)
    assert shares["over_stabilised_of_low_stability"] == pytest.approx(2 / 3)
    assert shares["under_stabilised_of_high_stability"] == pytest.approx(1 / 3)
    assert shares["over_stabilised_of_mistakes"] == pytest.approx(2 / 3)


def test_two_classes():
    found = confusion(["real", "imaginary", "imaginary"], ["real", "real", "imaginary"], HARMONIC_CLASSES)
    assert found.counts.tolist() == [[1, 0], [1, 1]]
    assert found.shares()["over_stabilised_of_low_stability"] == pytest.approx(1 / 2)


def test_nothing_has_no_shares():
    assert set(confusion([], []).shares().values()) == {None}


def test_the_published_matrix_gives_the_published_shares():
    """38 % is of the materials of low stability; 6 % of the mistakes, the only share here that is as large."""
    found = published_confusion("omat-0-medium", "model")
    published, shares = published_shares(), found.shares()
    assert found.total == 1689
    assert round(shares["over_stabilised_of_low_stability"], 2) == published["too_stable"] == 0.38
    assert round(shares["under_stabilised_of_mistakes"], 2) == published["too_unstable"] == 0.06
    assert shares["over_stabilised_of_low_stability"] == pytest.approx(275 / 720)
    assert shares["under_stabilised_of_mistakes"] == pytest.approx(18 / 293)


def test_published_matrices_of_a_model_are_of_the_same_materials():
    assert source() == "10.1039/d5cp04693a"
    for model in models("reference"):
        given, own = (published_confusion(model, choice) for choice in ("reference", "model"))
        assert np.array_equal(given.counts.sum(axis=1), own.counts.sum(axis=1))
        assert own.over_stabilised > given.over_stabilised


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion(["weak"], []), "1 classes by the reference and 0 by the model"),
        (lambda: confusion(["weak"], ["week"]), "material 0 is of the class 'week'"),
        (lambda: Confusion.decided(CLASSES, np.zeros((2, 2), int)), "in the shape (3, 3)"),
        (lambda: Confusion.decided(CLASSES, -np.eye(3, dtype=int)), "whole numbers from zero"),
    ],
)
def test_mistake_is_one_line(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
