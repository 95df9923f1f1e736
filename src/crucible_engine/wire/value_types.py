"""Checks nested data from outside against type annotations, wherever such data come in.

Only the standard library is imported: the engine checks its job before numpy is there.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, cast

from crucible_engine.wire.rules import DEEPEST, TOO_DEEP, WANTED, is_number, shown, with_article

_ROUND = bytes.maketrans(b"[]{}", b"()()")
_OTHERS = bytes(sorted(set(range(256)) - set(b"[]{}")))


def parse_json(text: str | bytes, finite: bool = True) -> Any:
    """Return what a JSON text says.

    :param text: bounded in length by its reader.
    :param finite: refuse NaN and infinity.
    :raises ValueError: one line, if it is not JSON, has such numbers, or nests more than :data:`DEEPEST` levels.
    """
    # Looked at before: the reader's own limit is the interpreter's, which packages raise beyond what the stack bears.
    if _is_too_deep(text.encode(errors="replace") if isinstance(text, str) else text):
        raise ValueError(TOO_DEEP)
    if not finite:
        return json.loads(text)
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)


def _is_too_deep(text: bytes) -> bool:
    """Return whether brackets outside of strings nest more than :data:`DEEPEST` levels; each turn takes off one."""
    outside = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", text, flags=re.DOTALL)
    brackets = outside.translate(None, _OTHERS).translate(_ROUND)
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"()", b"")
    return b"()" in brackets or brackets.count(b"(") > DEEPEST


def require_shallow(content: Any) -> None:
    """Refuse nested dicts and lists of more than :data:`DEEPEST` levels.

    :raises ValueError: one line.
    """
    level = [content]
    for _ in range(DEEPEST):
        level = [inner for item in level for inner in _items(item)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


def require_fields(cls: type, content: Any, what: str) -> None:
    """Check that a dict has the fields of a dataclass, each of the type that it is annotated with.

    :param cls: the dataclass; fields without a default must be there.
    :param content: what was given; of a field that is a dataclass itself a dict.
    :param what: it is, as the message should call it.
    :raises ValueError: one line that names the field.
    """
    if not isinstance(content, dict):
        raise ValueError(f"the {what} is no JSON object")
    known = {item.name: item for item in fields(cls)}
    unknown = sorted(str(name) for name in content if name not in known)
    if unknown:
        raise ValueError(f"the {what} has unknown fields {shown(unknown)}")
    required = (item.name for item in known.values() if item.default is MISSING and item.default_factory is MISSING)
    missing = [name for name in required if name not in content]
    if missing:
        raise ValueError(f"the {what} lacks the fields {missing}")
    annotations = typing.get_type_hints(cls)
    for name, value in content.items():
        require_type(f"{name} of the {what}", value, annotations[name])


def require_type(where: str, value: Any, annotation: Any) -> None:
    """Check a value against a type annotation, with what is inside.

    Numbers must be finite, and neither ``True`` nor a word; any ``Mapping`` and any ``Sequence`` but a text will do for
    those annotated as one. Of any other class only an instance is asked for.

    :param where: whose value it is, as the message should call it.
    :param annotation: a class, ``dict``, ``list``, ``tuple``, ``Mapping`` or ``Sequence`` of such, or a union.
    :raises ValueError: one line: what it is and what to give.
    """
    if annotation is Any:
        return
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        _require_choice(where, value, inner)
    elif is_dataclass(annotation):
        require_fields(cast("type", annotation), value, where)
    elif origin is tuple:
        _require_tuple(where, value, inner)
    elif origin is None:
        _require_plain(where, value, annotation)
    elif issubclass(origin, Mapping):
        _require_mapping(where, value, inner[1])
    else:
        if not _is_sequence(value):
            raise _complaint(where, value, "a list")
        for item in value:
            require_type(f"an entry of {where}", item, inner[0])


def _require_choice(where: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Check a value against a union; the line is of the choice that was probably meant, the first beside ``None``."""
    if value is None and type(None) in choices:
        return
    problems = []
    for choice in choices:
        if choice is not type(None):
            try:
                require_type(where, value, choice)
            except ValueError as error:
                problems.append(error)
            else:
                return
    raise problems[0]


def _require_plain(where: str, value: Any, kind: type) -> None:
    if kind is float:
        is_right = is_number(value) and math.isfinite(_as_float(value))
    elif kind is int:
        is_right = is_number(value) and isinstance(value, int)
    else:
        is_right = value is not None and isinstance(value, kind)
    if not is_right and kind is float and is_number(value):
        raise ValueError(f"{where} is {shown(value)}: give a finite number")
    if not is_right:
        raise _complaint(where, value, WANTED.get(kind) or with_article(kind.__name__))


def _require_tuple(where: str, value: Any, inner: tuple[Any, ...]) -> None:
    if not isinstance(value, tuple | list) or len(value) != len(inner):
        wanted = "a pair" if len(inner) == 2 else f"{len(inner)} values"
        raise _complaint(where, value, f"{wanted}, ({', '.join(map(_name_of, inner))})")
    for item, kind in zip(value, inner, strict=True):
        require_type(where, item, kind)


def _name_of(annotation: Any) -> str:
    """Return what messages call an annotation: of a union its first choice."""
    first = (typing.get_args(annotation) or (annotation,))[0]
    return str(getattr(first, "__name__", first))


def _require_mapping(where: str, value: Any, kind: Any) -> None:
    if not isinstance(value, Mapping):
        raise _complaint(where, value, "a dict")
    for key, item in value.items():
        if not isinstance(key, str):
            raise ValueError(f"{where} has the key {shown(key)}: give words as keys")
        require_type(f"{where}.{key}", item, kind)


def _is_sequence(value: Any) -> bool:
    """Return whether a value is a list, a tuple, or an array of one dimension, and no text."""
    return not isinstance(value, str | bytes) and (isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1)


def _complaint(where: str, value: Any, wanted: str) -> ValueError:
    return ValueError(f"{where} is {shown(value)}, of type {type(value).__name__}: give {wanted}")


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _items(value: Any) -> Collection[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        _refuse_constant(shown(text))
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
