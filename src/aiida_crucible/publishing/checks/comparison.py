"""Two nodes compared: to the last bit, or within what other processors and libraries make of rounding."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from aiida.orm import ArrayData, Node
from numpy.typing import NDArray

from aiida_crucible.compat.aiida_archive import clean_value

TOLERANCE = 1e-6
"""Of the largest number of an array, or of a number itself: what sums in another order and solvers may differ by."""
TINY = 1e-9
"""Differences below it are none, whatever the size of the number: forces, frequencies and energies in ASE's units."""

NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
LARGEST_FILE = 2**28
"""Bytes of a file of a node that are compared."""


def compare(stored: Node, fresh: Node, ignored: Collection[str] = ()) -> tuple[str | None, bool]:
    """Compare a stored node with one that was made anew.

    :param ignored: attributes that are left out.
    :return: the first difference as ``key: stored …, made anew …``, ``None`` if there is none beyond the tolerance; and
        whether the two are the same to the last bit.
    """
    if type(stored) is not type(fresh):
        return f"is a {type(stored).__name__}, made anew a {type(fresh).__name__}", False
    exact = True
    ours, theirs = (
        {name: value for name, value in attributes.items() if name not in ignored}
        for attributes in (stored.base.attributes.all, clean_value(fresh.base.attributes.all))
    )
    for line, is_large in _differences(ours, theirs, ""):
        if is_large:
            return line, False
        exact = False
    for name in sorted({*stored.base.repository.list_object_names(), *fresh.base.repository.list_object_names()}):
        difference, same = _compare_file(stored, fresh, name)
        if difference is not None:
            return difference, False
        exact = exact and same
    return None, exact


def _differences(stored: Any, fresh: Any, key: str) -> Iterator[tuple[str, bool]]:
    """Yield what differs, and whether it is more than rounding."""
    if isinstance(stored, Mapping) and isinstance(fresh, Mapping):
        for name in sorted({*stored, *fresh}, key=str):
            where = f"{key}.{name}" if key else str(name)
            if name not in stored or name not in fresh:
                yield (
                    f"{where}: {'is not there' if name not in stored else 'is there'}, made anew it is otherwise",
                    True,
                )
            else:
                yield from _differences(stored[name], fresh[name], where)
    elif isinstance(stored, list | tuple) and isinstance(fresh, list | tuple):
        if len(stored) != len(fresh):
            yield f"{key}: {len(stored)} entries, made anew {len(fresh)}", True
            return
        for index, (one, other) in enumerate(zip(stored, fresh, strict=True)):
            yield from _differences(one, other, f"{key}[{index}]")
    elif not _same(stored, fresh):
        yield f"{key}: stored {_shown(stored)}, made anew {_shown(fresh)}", not _near(stored, fresh)


def _same(one: Any, other: Any) -> bool:
    return (type(one) is type(other) and bool(one == other)) or (_is_number(one) and _is_number(other) and one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _near(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TINY)
    if isinstance(one, str) and isinstance(other, str):
        return _near_texts(one, other)
    return False


def _near_texts(one: str, other: str) -> bool:
    """Return whether two texts are the same but for rounding of the numbers in them."""
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(a == b or _near_numerals(a, b) for a, b in pairs)


def _near_numerals(one: str, other: str) -> bool:
    if one.lstrip("+-").isdigit() and other.lstrip("+-").isdigit():
        return False  # counts, indices, versions
    return math.isclose(float(one), float(other), rel_tol=TOLERANCE, abs_tol=TINY)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _compare_file(stored: Node, fresh: Node, name: str) -> tuple[str | None, bool]:
    if name not in fresh.base.repository.list_object_names():
        return f"{name}: is there, made anew it is not", False
    if name not in stored.base.repository.list_object_names():
        return f"{name}: is not there, made anew it is", False
    if isinstance(stored, ArrayData) and isinstance(fresh, ArrayData) and name.endswith(".npy"):
        label = name.removesuffix(".npy")
        return compare_arrays(label, stored.get_array(label), fresh.get_array(label))
    ours, theirs = _content(stored, name), _content(fresh, name)
    if ours == theirs:
        return None, True
    try:
        is_near = near_files(ours.decode(), theirs.decode())
    except UnicodeDecodeError:
        is_near = False
    return (None, False) if is_near else (f"{name}: {_first_other(ours, theirs)}", False)


def _content(node: Node, name: str) -> bytes:
    with node.base.repository.open(name, "rb") as stream:
        return bytes(stream.read(LARGEST_FILE))


def near_files(one: str, other: str) -> bool:
    """Return whether two texts are the same but for rounding, and for the versions of what wrote them."""
    ours, theirs = one.splitlines(), other.splitlines()
    if len(ours) != len(theirs):
        return False
    return all(
        a == b or ("version" in a and "version" in b) or _near_texts(a, b) for a, b in zip(ours, theirs, strict=True)
    )


def _first_other(one: bytes, other: bytes) -> str:
    place = next((index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        return f"{len(one)} bytes, made anew {len(other)}"
    return f"byte {place} is {one[place]}, made anew {other[place]}"


def compare_arrays(label: str, stored: NDArray[Any], fresh: NDArray[Any]) -> tuple[str | None, bool]:
    """Compare two arrays, see :func:`compare`; NaN equals NaN."""
    if stored.shape != fresh.shape:
        return f"{label}: shape {list(stored.shape)}, made anew {list(fresh.shape)}", False
    if stored.dtype.kind not in "fciub" or fresh.dtype.kind not in "fciub":
        same = bool(np.array_equal(stored, fresh))
        return (None, True) if same else (f"{label}: texts differ", False)
    if np.array_equal(stored, fresh, equal_nan=stored.dtype.kind in "fc" and fresh.dtype.kind in "fc"):
        return None, True
    finite = np.abs(fresh[np.isfinite(fresh)]) if fresh.dtype.kind in "fc" else np.abs(fresh.astype(float))
    largest = float(finite.max()) if finite.size else 0.0
    allowed = max(TINY, TOLERANCE * largest) if stored.dtype.kind in "fc" else 0.0
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(stored - fresh) <= allowed) | (stored == fresh))
    if stored.dtype.kind in "fc":
        wrong &= ~(np.isnan(stored) & np.isnan(fresh))
    if not wrong.any():
        return None, False
    index = tuple(int(place) for place in np.argwhere(wrong)[0])
    place = f"{label}[{', '.join(map(str, index))}]" if index else label
    return f"{place}: stored {stored[index]!s}, made anew {fresh[index]!s}", False
