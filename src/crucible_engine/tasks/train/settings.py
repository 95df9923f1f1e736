"""The vocabulary of a training as a family's trainer takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.families.facts import Family
from crucible_engine.training.contract import TrainingSettings
from crucible_engine.wire.rules import ParameterError, suggestion


def settings_for(family: Family, values: Mapping[str, Any]) -> TrainingSettings:
    """Return complete parameters as the family's trainer takes them.

    :raises ParameterError: one line, if the family cannot train so.
    """
    facts = family.training
    if facts is None:
        raise ParameterError(f"models of family {family.name!r} cannot be trained here: choose another model")
    if values["method"] not in facts.methods:
        raise ParameterError(
            f"family {family.name!r} cannot train by method {values['method']!r}: choose {' or '.join(facts.methods)}"
        )
    loss = values["loss"] or facts.losses[0]
    if loss not in facts.losses:
        raise ParameterError(f"family {family.name!r} has no loss {loss!r}: choose {' or '.join(facts.losses)}")
    for name in values["extra"]:
        if name not in facts.extra:
            raise ParameterError(
                f"the trainer of family {family.name!r} takes no extra {name!r}: {suggestion(name, list(facts.extra))}"
            )
    return TrainingSettings(
        method=values["method"],
        epochs=values["epochs"],
        learning_rate=values["learning_rate"] or facts.learning_rate,
        energy_weight=values["energy_weight"],
        force_weight=values["force_weight"],
        stress_weight=values["stress_weight"],
        loss=loss,
        batch_size=values["batch_size"] or facts.batch_size,
        seed=values["seed"],
        patience=values["patience"],
        ema=values["ema"],
        extra=dict(values["extra"]),
    )
