"""A training's line of progress in a few letters, whatever a computer says."""

import pytest

from aiida_crucible.monitoring.learning import learning, sparkline


def test_a_line_tells_epoch_loss_and_curve():
    line = {"epoch": 3, "epochs": 10, "validation_loss": 0.0123, "curve": [1.0, 0.1, 0.01]}
    assert learning(line) == "epoch 3/10, validation 0.0123 █▅▁"
    assert learning({"epoch": 0, "epochs": 10, "validation_loss": None, "curve": []}) == "epoch 0/10"


def test_the_line_of_another_task_tells_nothing():
    assert learning({"done": 3, "total": 4, "replica": "replica_0"}) is None


@pytest.mark.parametrize("curve", ["x", [None, "y"], [0, -1, True], {}, None, [1e300] * 100])
def test_nonsense_is_no_curve(curve):
    told = learning({"epoch": 1, "epochs": 2, "validation_loss": "x", "curve": curve})
    assert told.startswith("epoch 1/2")
    assert len(told) < 40


def test_losses_fall_by_powers_of_ten():
    assert sparkline([1.0, 1e-1, 1e-2, 1e-3]) == "█▆▃▁"
    assert sparkline([0.5]) == ""
