"""Hostile input by mutation: valid values, texts, arrays and archives, each changed in a place or two.

Everything is drawn from a :class:`random.Random`, so that Hypothesis or a seed decides.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib import format as npy

DEEP = 5000
"""Levels of nesting that no recursive reader stands."""


def nested(levels: int, value: Any = None) -> Any:
    """Return lists in lists."""
    for _ in range(levels):
        value = [value]
    return value


PLAIN_JUNK: Sequence[Any] = (
    None, True, False, 0, -1, 1, 2, 2**31, 2**63, 10**30, 10**400, -(10**400), -0.0, 0.5, 1e-320, 1e308,
    float("nan"), float("inf"), float("-inf"), "", " ", "x", "0", "nan", "fast", "true", "é\n\tü", "\x00", "\ud800",
    "../../etc/passwd", "a" * 5000, "{detail} {0} %s", [], {}, [[]], [None], [1, "a"], [300.0, None], {"": None},
    {"a": {"b": [1]}}, {"e\n": 1}, nested(20), nested(200), [0] * 500, [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
)  # fmt: skip
"""What JSON can say (NaN and infinity are said by Python's)."""

DEEPEST_CHANGE = 8
"""Nested levels."""


def mutated(rng: random.Random, value: Any, junk: Sequence[Any] = PLAIN_JUNK, changes: int = 2) -> Any:
    """Return a nested value with one change or more of those that people and programs make."""
    value = copied(value)
    for _ in range(rng.randint(1, changes)):
        places = list(_places(value))
        path = rng.choice(places)
        value = _changed(rng, value, path, junk)
    return value


def copied(value: Any, depth: int = 0) -> Any:
    """Return nested dicts and lists anew, as deep as changes go; what is in them stays the same object."""
    if depth > DEEPEST_CHANGE:
        return value
    if type(value) is dict:
        return {key: copied(item, depth + 1) for key, item in value.items()}
    return [copied(item, depth + 1) for item in value] if type(value) is list else value


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every part of a value, the deeper ones and the whole."""
    found = [path]
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = list(enumerate(value))[:20]
    else:
        items = ()
    for key, item in items:
        found += _places(item, (*path, key)) if len(path) < DEEPEST_CHANGE else []
    return found


def _changed(rng: random.Random, value: Any, path: tuple[Any, ...], junk: Sequence[Any]) -> Any:
    if not path:
        # The whole is replaced now and then only: that is refused at the door.
        return rng.choice(junk) if rng.random() < 0.2 else _extended(rng, value, junk)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    key = path[-1]
    change = rng.choice(("replace", "replace", "replace", "wrap", "delete", "rename", "extend", "as text", "negate"))
    if change == "replace":
        holder[key] = copied(rng.choice(junk))
    elif change == "wrap":
        holder[key] = rng.choice(([holder[key]], {"value": holder[key]}, [holder[key]] * 3))
    elif change == "delete":
        del holder[key]
    elif change == "rename" and isinstance(holder, dict) and isinstance(key, str):
        holder[key[:-1] or "x"] = holder.pop(key)
    elif change == "extend":
        holder[key] = _extended(rng, holder[key], junk)
    elif change == "as text":
        with contextlib.suppress(RecursionError):  # a value of a thousand levels has no text
            holder[key] = str(holder[key])
    elif isinstance(holder[key], int | float):
        holder[key] = rng.choice((-holder[key], holder[key] * 10**6, holder[key] * 2 + 1, bool(holder[key])))
    return value


def _extended(rng: random.Random, value: Any, junk: Sequence[Any]) -> Any:
    if isinstance(value, dict):
        return {**value, rng.choice(("x", "", "é\n", "family", "steps", "index")): copied(rng.choice(junk))}
    if isinstance(value, list):
        return [*value, copied(rng.choice(junk))]
    return value


def mutated_json(rng: random.Random, value: Any) -> bytes:
    """Return JSON that was mutated as a value, or as a text, or is none."""
    kind = rng.random()
    if kind < 0.75:
        return json.dumps(mutated(rng, value)).encode("utf-8", "surrogatepass")
    text = json.dumps(value, indent=rng.choice((None, 2)))
    if kind < 0.8:
        deep = rng.choice(("[" * 100_000, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP))
        return text.replace("null", deep, 1).encode() if rng.random() < 0.5 else deep.encode()
    return mutated_text(rng, text.encode())


TOKENS = (
    b"nan", b"inf", b"-1", b"0", b"1e400", b"****", b"", b"9" * 30, b"9" * 6000, b"\xff\xfe", b"\x00", b"- -", b": :",
    "é\u2028".encode(), b"!!python/object/apply:os.getcwd []", b"&a [*a]", b"{}", b"[]", b"1.0.0", b"0x10", b"~",
    b"<x>", b"&lol;", b"\r", b"1\t2", b"true", b"1_000",
)  # fmt: skip


def mutated_text(rng: random.Random, text: bytes) -> bytes:
    """Return a text with a word replaced, or as :func:`mutated_bytes`."""
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.35 or not text:
            text = mutated_bytes(rng, text)
            continue
        lines = text.split(b"\n")
        index = rng.randrange(len(lines))
        change = rng.choice(("word", "word", "word", "drop", "repeat", "swap"))
        if change == "word":
            words = lines[index].split(b" ")
            words[rng.randrange(len(words))] = rng.choice(TOKENS)
            lines[index] = b" ".join(words)
        elif change == "drop":
            del lines[index]
        elif change == "repeat":
            lines.insert(index, lines[index])
        else:
            other = rng.randrange(len(lines))
            lines[index], lines[other] = lines[other], lines[index]
        text = b"\n".join(lines)
    return text


def mutated_bytes(rng: random.Random, content: bytes) -> bytes:
    """Return bytes that were cut, flipped, repeated, or are others."""
    if not content:
        return rng.choice((b"", b"\x00", b"x", b"\x89PNG\r\n", b"PK\x03\x04"))
    begin = rng.randrange(len(content))
    end = min(len(content), begin + rng.choice((1, 4, 50)))
    flipped = bytes([content[begin] ^ (1 << rng.randrange(8))]) + content[begin + 1 : end]
    middles = (flipped, flipped, b"", content[begin:end] * rng.choice((2, 4)), b"\x00" * (end - begin))
    return rng.choice(
        (
            b"",
            content[:begin],
            content + content[begin:end],
            *(content[:begin] + middle + content[end:] for middle in middles),
        )
    )


Arrays = Mapping[str, np.ndarray]


def mutated_arrays(rng: random.Random, arrays: Arrays) -> dict[str, np.ndarray]:
    """Return arrays of which one or two have another name, shape, kind or other values."""
    changed = dict(arrays)
    for _ in range(rng.randint(1, 2)):
        if not changed:
            break
        name = rng.choice(sorted(changed))
        kind = rng.choice(("name", "shape", "shape", "kind", "kind", "values", "values"))
        if kind == "name":
            array = changed.pop(name)
            changed.update(rng.choice(({}, {name + "x": array}, {name: array, "x": array}, {"../" + name: array})))
        else:
            change: Callable[..., Any] = {"shape": _reshaped, "kind": _retyped, "values": _revalued}[kind]
            changed[name] = np.asarray(change(rng, changed[name]))
    return changed


def _reshaped(rng: random.Random, array: np.ndarray) -> np.ndarray:
    changes: list[Callable[[], Any]] = [
        lambda: array[:-1] if array.ndim else array,
        lambda: array[:0] if array.ndim else array[None][:0],
        lambda: np.concatenate([array, array[-1:]]) if array.ndim and len(array) else array,
        lambda: array.T,
        lambda: array.reshape(-1),
        lambda: array[None],
        lambda: array[..., None],
        lambda: array.reshape(-1)[0] if array.size else array,
        lambda: np.zeros(()),
        lambda: array[..., :-1] if array.ndim else array,
    ]
    return rng.choice(changes)()  # type: ignore[no-any-return]


def _retyped(rng: random.Random, array: np.ndarray) -> np.ndarray:
    kind = rng.choice(("i8", "i1", "u8", "f2", "f4", "f8", "c16", "?", "S4", "U4", "M8[s]", "V8", ">f8", ">i8"))
    try:
        return array.astype(kind)
    except (ValueError, TypeError):
        return np.zeros(array.shape, dtype=kind)


def _revalued(rng: random.Random, array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    if not array.size:
        return array
    if array.dtype.kind in "fiu":
        wild: tuple[Any, ...] = (-1, 0, 119, 2**31 - 1, -(2**31), 10**6)
        wild += (np.nan, np.inf, 1e300, 1e-300) if array.dtype.kind == "f" else ()
        value = rng.choice(wild)
        if rng.random() < 0.3:
            return np.full_like(array, value)
        array.flat[rng.randrange(array.size)] = np.array(value).astype(array.dtype)
    elif array.dtype.kind == "U":
        array = array.astype("U64")
        array.flat[rng.randrange(array.size)] = rng.choice(("", "x", "é\nü", "a" * 64, "0", "a/b/c", "\x07"))
    elif array.dtype.kind == "b":
        array.flat[rng.randrange(array.size)] ^= True
    return array


def npz(arrays: Arrays) -> bytes:
    """Return arrays as an ``.npz``."""
    stream = io.BytesIO()
    np.savez(stream, **{name.replace("file", "file_"): array for name, array in arrays.items()})  # type: ignore[arg-type]
    return stream.getvalue()


def mutated_npz(rng: random.Random, arrays: Arrays) -> bytes:
    """Return an ``.npz`` of mutated arrays, or a mutated archive of good ones."""
    kind = rng.random()
    if kind < 0.7:
        return npz(mutated_arrays(rng, arrays))
    if kind < 0.85:
        return mutated_bytes(rng, npz(arrays))
    name = rng.choice(sorted(arrays))
    members = {f"{other}.npy": _member(array) for other, array in arrays.items()}
    members[f"{name}.npy"] = rng.choice(
        (
            b"",
            b"no array",
            _member(np.array([{"a": 1}], dtype=object)),
            _member(np.asfortranarray(np.ones((4, 3)))),
            _promising(arrays[name], (2**40, 3)),
            _promising(arrays[name], (-1,)),
            _promising(arrays[name], (2**62, 2**62)),
            npy.magic(2, 0) + struct.pack("<I", 2**31 - 1) + b"{",
            npy.magic(1, 0) + struct.pack("<H", 64) + (b"{'descr': " + b"(" * 54),
            members[f"{name}.npy"][:-3],
        )
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return stream.getvalue()


def _member(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _promising(array: np.ndarray, shape: tuple[int, ...]) -> bytes:
    """Return a member whose header says more than it holds."""
    text = repr({"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": shape}).encode()
    body = text.ljust(118) + b"\n"
    return npy.magic(1, 0) + struct.pack("<H", len(body)) + body + array.tobytes()
