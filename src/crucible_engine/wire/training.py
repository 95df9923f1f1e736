"""Words of the task ``train`` that both sides know."""

from __future__ import annotations

SIDES = ("training", "validation", "test")
"""Of the frames of a training, by their numbers in ``labels.npz``."""

TRAINED, STOPPED_EARLY, DIVERGED = OUTCOMES_OF_TRAINING = ("trained", "stopped-early", "diverged")
"""All epochs were done; the validation had not improved for as long as the patience; the loss was no finite number."""

CURVES = (
    "epoch",
    "learning_rate",
    "seconds",
    *(f"{side}_{name}" for side in SIDES[:2] for name in ("loss", "energy_error", "force_error", "stress_error")),
)
"""Arrays of a training's ``arrays.npz`` with a number an epoch: its number, the learning rate at its end, its duration,
and of each side the loss and the mean absolute errors (eV/atom, eV/Å, eV/Å³; NaN where there are no stresses). Those of
``training`` are of the weights on their way through the epoch, those of ``validation`` of the weights at its end."""
