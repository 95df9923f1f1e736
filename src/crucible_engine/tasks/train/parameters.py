"""The parameters of the task ``train``: one vocabulary for all families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.families.facts import METHODS
from crucible_engine.wire.rules import Parameter, ParameterError
from crucible_engine.wire.value_types import require_shallow

LOSSES = ("mse", "huber", "mae")

TRAIN: dict[str, Parameter] = {
    "method": Parameter(
        str, "full", "all weights, only the last ones (frozen), or all from random ones (scratch)", choices=METHODS
    ),
    "epochs": Parameter(int, 50, "times that every frame of training is seen", 1, 1_000_000),
    "learning_rate": Parameter(float, None, "at the start; by default the family's", 0.0, 10.0, exclusive=True),
    "energy_weight": Parameter(float, 1.0, "of the mean squared error of the energy an atom, in (eV/atom)²", 0.0, 1e6),
    "force_weight": Parameter(float, 1.0, "of that of components of forces, in (eV/Å)²", 0.0, 1e6),
    "stress_weight": Parameter(float, 0.1, "of that of components of stresses, in GPa²", 0.0, 1e6),
    "loss": Parameter(str, None, "of errors: squared, Huber's, absolute; by default the family's", choices=LOSSES),
    "batch_size": Parameter(
        int, None, "frames between two steps of the optimizer; by default the family's", 1, 100_000
    ),
    "seed": Parameter(int, 0, "of the order of frames and of random weights", 0),
    "patience": Parameter(int, None, "epochs without a better validation after which it is enough; all if left out", 1),
    "ema": Parameter(
        float, None, "decay of a moving average of weights that is validated and kept", 0.0, 0.9999999, exclusive=True
    ),
    "checkpoint_seconds": Parameter(float, 600.0, "after which a state is kept within an epoch, too", 1.0, 1e7),
    "extra": Parameter(dict, {}, "settings of the package's own trainer, by its names"),
}

DETAILS = ("checkpoint_seconds",)
"""Parameters that change no number."""


def check_train(values: Mapping[str, Any]) -> None:
    """Refuse parameters that contradict each other.

    :raises ParameterError: one line.
    """
    if not values["energy_weight"] and not values["force_weight"]:
        raise ParameterError(
            "parameters 'energy_weight' and 'force_weight' of train are both 0: give one of them a weight"
        )
    try:
        require_shallow(values["extra"])
    except ValueError as error:
        raise ParameterError(f"parameter 'extra' of train: {error}") from None
    for name in values["extra"]:
        if not isinstance(name, str):
            raise ParameterError(f"parameter 'extra' of train has the key {name!r}: give words as keys")
