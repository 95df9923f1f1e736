"""Foreign nested data against the types that were announced: one check for every border that takes such data.

Only the standard library is imported: the engine checks its job before numpy is there.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Union

from crucible_engine.wire.rules import DEEPEST, TOO_DEEP, WANTED, is_number, shown

_ROUND = bytes.maketrans(b"[]{}", b"()()")
_OTHERS = bytes(sorted(set(range(256)) - set(b"[]{}")))


def parse_json(text: str | bytes, finite: bool = True) -> Any:
    """Return what a JSON text says.

    :param text: bounded in length by whoever read it.
    :param finite: refuse NaN and infinity.
    :raises ValueError: one line, if it is none, has such numbers, or nests more than :data:`DEEPEST` levels.
    """
    # Looked at before: the reader's own limit is the interpreter's, which packages raise beyond what the stack bears.
    if _is_too_deep(text.encode(errors="replace") if isinstance(text, str) else text):
        raise ValueError(TOO_DEEP)
    if not finite:
        return json.loads(text)
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)


def _is_too_deep(text: bytes) -> bool:
    """Return whether brackets outside of words nest more than :data:`DEEPEST` levels; each turn takes off one."""
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
    missing = [name for name, item in known.items() if name not in content and _is_required(item)]
    if missing:
        raise ValueError(f"the {what} lacks the fields {missing}")
    annotations = typing.get_type_hints(cls)
    for name, value in content.items():
        require_type(f"{name} of the {what}", value, annotations[name])


def require_type(where: str, value: Any, annotation: Any) -> None:
    """Check a value against a type annotation, with what is inside.

    Numbers must be finite, and neither ``True`` nor a word; any ``Mapping`` and any ``Sequence`` but a text will do for
    those annotated as one. Of a class that is none of these only the annotation's own kind is asked for.

    :param where: whose value it is, as the message should call it.
    :param annotation: a class, ``dict``, ``list``, ``tuple``, ``Mapping`` or ``Sequence`` of such, or a union.
    :raises ValueError: one line: what it is and what to give.
    """
    problem = _problem(where, value, annotation)
    if problem is not None:
        raise ValueError(problem)


def require_like(where: str, value: Any, example: Any) -> None:
    """Check that a value is built as an example is: the same kinds of numbers, and dicts with the same keys.

    Lists may have other lengths; where the example is ``None``, anything is right.

    :param where: whose value it is, as the message should call it.
    :raises ValueError: one line.
    """
    if example is None:
        return
    kind = Mapping[str, Any] if isinstance(example, dict) else list[Any] if isinstance(example, list) else type(example)
    require_type(where, value, kind)
    if isinstance(example, dict):
        if set(value) != set(example):
            different = sorted({*value, *example} - ({*value} & {*example}))
            raise ValueError(f"{where} has other entries than it should have: {shown(different)}")
        for key, item in example.items():
            require_like(f"{where}.{key}", value[key], item)


def _problem(where: str, value: Any, annotation: Any) -> str | None:
    """Return one line, or ``None`` where the value is as annotated."""
    if annotation is Any:
        return None
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return _problem_of_union(where, value, inner)
    if is_dataclass(annotation):
        return _problem_of_fields(where, value, annotation)
    if origin is not None:
        return _problem_of_container(where, value, origin, inner)
    return _problem_of_plain(where, value, annotation)


def _problem_of_union(where: str, value: Any, choices: tuple[Any, ...]) -> str | None:
    """Return one line for the choice that was probably meant: the first that is more than ``None``."""
    problems = {choice: _problem(where, value, choice) for choice in choices if choice is not type(None)}
    if None in problems.values() or (value is None and type(None) in choices):
        return None
    return next(iter(problems.values()))


def _problem_of_container(where: str, value: Any, origin: type, inner: tuple[Any, ...]) -> str | None:
    if origin is tuple:
        return _problem_of_tuple(where, value, inner)
    if issubclass(origin, Mapping):
        return _problem_of_mapping(where, value, inner)
    return _problem_of_sequence(where, value, inner)


def _problem_of_plain(where: str, value: Any, kind: type) -> str | None:
    if kind is float:
        return None if is_number(value) and math.isfinite(_as_float(value)) else _complaint(where, value, WANTED[kind])
    if kind is int:
        return None if is_number(value) and isinstance(value, int) else _complaint(where, value, WANTED[kind])
    if value is None or not isinstance(value, kind):
        return _complaint(where, value, WANTED.get(kind, f"a {kind.__name__}"))
    return None


def _problem_of_fields(where: str, value: Any, cls: Any) -> str | None:
    try:
        require_fields(cls, value, where)
    except ValueError as error:
        return str(error)
    return None


def _problem_of_tuple(where: str, value: Any, inner: tuple[Any, ...]) -> str | None:
    if not isinstance(value, tuple | list) or len(value) != len(inner):
        return _complaint(where, value, "a pair" if len(inner) == 2 else f"{len(inner)} values")
    problems = (_problem(where, item, kind) for item, kind in zip(value, inner, strict=True))
    return next((problem for problem in problems if problem is not None), None)


def _problem_of_mapping(where: str, value: Any, inner: tuple[Any, ...]) -> str | None:
    if not isinstance(value, Mapping):
        return _complaint(where, value, "a dict")
    for key, item in value.items():
        if not isinstance(key, str):
            return f"{where} has the key {shown(key)}: give words as keys"
        if (problem := _problem(f"{where}.{key}", item, inner[1])) is not None:
            return problem
    return None


def _problem_of_sequence(where: str, value: Any, inner: tuple[Any, ...]) -> str | None:
    if not _is_sequence(value):
        return _complaint(where, value, "a list")
    problems = (_problem(f"an entry of {where}", item, inner[0]) for item in value)
    return next((problem for problem in problems if problem is not None), None)


def _is_sequence(value: Any) -> bool:
    """Return whether a value is a list, a tuple, or an array of one dimension, and no text."""
    return not isinstance(value, str | bytes) and (isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1)


def _complaint(where: str, value: Any, wanted: str) -> str:
    return f"{where} is {shown(value)}, of type {type(value).__name__}: give {wanted}"


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


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
