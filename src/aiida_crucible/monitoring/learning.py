"""How far a training has come, in a few letters: the epoch, the loss of the validation, and its curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from crucible_engine.wire.rules import is_number

BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 16


def learning(line: Mapping[str, Any]) -> str | None:
    """Return what a line of progress says of a training; ``None`` for that of another task.

    :param line: as a computer gave it: nothing in it is believed to be of its kind.
    """
    epoch, epochs = line.get("epoch"), line.get("epochs")
    if not (isinstance(epoch, int) and isinstance(epochs, int)):
        return None
    loss, curve = line.get("validation_loss"), line.get("curve")
    told = f"epoch {epoch}/{epochs}"
    if is_number(loss):
        told += f", validation {loss:.3g}"
    bars = sparkline(curve if isinstance(curve, list) else [])
    return f"{told} {bars}".rstrip()


def sparkline(values: Sequence[Any]) -> str:
    """Return a curve in blocks of eight heights, on a logarithmic scale: losses fall by powers of ten."""
    numbers = [float(value) for value in values if is_number(value) and value > 0][-MOST_BARS:]
    if len(numbers) < 2:
        return ""
    heights = [math.log(number) for number in numbers]
    low, span = min(heights), max(heights) - min(heights)
    return "".join(BARS[round((height - low) / span * (len(BARS) - 1)) if span else 0] for height in heights)
