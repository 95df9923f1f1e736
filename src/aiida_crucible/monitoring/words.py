"""Short words for processes and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.orm import ProcessNode


def title_of(node: ProcessNode) -> str:
    """Return what messages call a process."""
    return f"{node.process_label or type(node).__name__}<{node.pk}>"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds_over = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds_over} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def shortened(words: Sequence[str]) -> str:
    """Return words in a row, the middle of a long row left out."""
    return ", ".join(words) if len(words) < 4 else f"{words[0]} … {words[-1]}"
