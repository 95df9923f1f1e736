"""What is said of a potential but does not change its answers."""

from __future__ import annotations

from types import UnionType
from typing import Any

DESCRIPTION: dict[str, tuple[type | UnionType, str]] = {
    "functional": (str, "text"),
    "hubbard_u": (bool, "True or False"),
    "dispersion": (bool, "True or False"),
    "training_set": (str, "text"),
    "licence": (str, "text"),
    "elements": (list | tuple | set | frozenset, "a list of chemical symbols"),
    "reference": (str, "text"),
}
"""What is said of a potential but does not change its answers: kinds, and what messages call them."""


def plain_list(value: Any) -> Any:
    """Return what JSON can hold of a value: a list for a tuple, a sorted one for a set."""
    return sorted(value) if isinstance(value, set | frozenset) else list(value) if isinstance(value, tuple) else value
