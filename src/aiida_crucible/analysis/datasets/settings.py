"""How a dataset is examined and split: names, defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.wire.rules import Parameter, ParameterError, complete

SPLIT: dict[str, Parameter] = {
    "split": Parameter(
        str,
        "random",
        "what is drawn or named for a side: random (blocks of frames), source or temperature",
        choices=("random", "source", "temperature"),
    ),
    "validation": Parameter(float, 0.1, "share of the frames for validation, of a random split", 0.0, 1.0),
    "test": Parameter(float, 0.1, "share of the frames for the test, of a random split", 0.0, 1.0),
    "validation_of": Parameter(list, None, "sources, or temperatures in K, that are for validation"),
    "test_of": Parameter(list, None, "sources, or temperatures in K, that are for the test"),
    "seed": Parameter(int, 0, "of the random split", 0),
    "block_length": Parameter(
        int,
        None,
        "frames in a row of one source that stay on one side; by default those that resemble each other do",
        minimum=1,
    ),
}
"""How frames are put on sides, see :mod:`aiida_crucible.analysis.datasets.splits`."""


def validate_split(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a split complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("a split", SPLIT, given)
    check_split(settings)
    return settings


def check_split(settings: Mapping[str, Any]) -> None:
    """Refuse settings of a split that contradict each other.

    :raises ValueError: one line.
    """
    named = [name for name in ("validation_of", "test_of") if settings[name]]
    if settings["split"] == "random":
        if named:
            raise ParameterError(f"{named[0]} names what a random split draws: set split to source or temperature")
        if not settings["validation"] or settings["validation"] + settings["test"] >= 1:
            raise ParameterError(
                f"shares of {settings['validation']:g} for validation and {settings['test']:g} for the test leave "
                "nothing to train on, or nothing to validate with: give e.g. 0.1 and 0.1"
            )
    elif "validation_of" not in named:
        raise ParameterError(
            f"a split by {settings['split']} needs validation_of: give the {settings['split']}s that are for validation"
        )
