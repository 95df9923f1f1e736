"""How the labels of a training are made fit for a model: names, defaults and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.datasets.energy_shifts import PER_ELEMENT, WAYS
from crucible_engine.wire.rules import Parameter, complete

SETTINGS: dict[str, Parameter] = {
    "energy_shift": Parameter(
        str, PER_ELEMENT, "what takes the labels' energies to the model's zero, fitted to training frames", choices=WAYS
    ),
    "check_units": Parameter(bool, True, "refuse labels that seem to be in other units, or of another sign"),
}
"""See :mod:`aiida_crucible.analysis.datasets.energy_shifts` and :mod:`aiida_crucible.analysis.datasets.units`."""


def validate_training(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    return complete("a training's labels", SETTINGS, given)
