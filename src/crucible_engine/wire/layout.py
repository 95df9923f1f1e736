"""What arrays of a file have to be, by name: the check of whatever holds arrays, on both sides of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

KINDS = {"f": "decimal numbers", "i": "whole numbers", "b": "truth values", "U": "text"}
"""Kinds of ``numpy.dtype`` that cross the wire, in words."""


@dataclass(frozen=True)
class Layout:
    """What one array has to be.

    :param kind: one of :data:`KINDS`.
    :param shape: its shape; ``None`` for a length that nothing else says.
    """

    kind: str
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Layout:
        """Return the layout that an array has."""
        return cls(array.dtype.kind, array.shape)

    def problem(self, kind: str, shape: tuple[int, ...]) -> str | None:
        """Return what is wrong with an array of some kind and shape, in words; ``None`` where nothing is."""
        if kind != self.kind:
            return f"holds {KINDS.get(kind, 'something else')} where {KINDS[self.kind]} were expected"
        fits = len(shape) == len(self.shape) and all(
            wanted in (None, length) for wanted, length in zip(self.shape, shape, strict=True)
        )
        return None if fits else f"has shape {_shown(shape)} where {_shown(self.shape)} was expected"


def require_layout(arrays: Mapping[str, NDArray[Any]], layouts: Mapping[str, Layout]) -> None:
    """Check that arrays are there and what they have to be; others are passed over.

    :raises ValueError: one line that names the array.
    """
    for name, layout in layouts.items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        problem = layout.problem(arrays[name].dtype.kind, arrays[name].shape)
        if problem is not None:
            raise ValueError(f"{name} {problem}")


def _shown(shape: tuple[int | None, ...]) -> str:
    lengths = ["n" if length is None else str(length) for length in shape]
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"
