"""The arguments of every ``get_builder_from_protocol`` against its annotations, before anything is made of them."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aiida.orm import Node

from aiida_crucible.calculations.misfits import misfit
from aiida_crucible.calculations.validation import require_living
from aiida_crucible.workflows.common.protocols import check_overrides
from crucible_engine.wire.rules import as_line
from crucible_engine.wire.value_types import require_type

CHECKED_WITH_PORTS = ("overrides", "options")
"""Arguments whose content the ports know better."""

Method = TypeVar("Method", bound=Callable[..., Any])


def with_checked_arguments(method: Method) -> Method:
    """Return a method that refuses arguments of another type than it is annotated with.

    :param method: its first argument is the class.
    :raises ValueError: one line that names the argument (when the method is called).
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def checked(cls: type, *args: Any, **kwargs: Any) -> Any:
        annotations = typing.get_type_hints(method)
        given = signature.bind(cls, *args, **kwargs).arguments
        try:
            for name, value in given.items():
                if name != "cls":
                    _check(cls, name, value, annotations[name])
            return method(cls, *args, **kwargs)
        except ValueError as error:
            if (line := as_line(str(error))) != str(error):
                raise ValueError(line) from error
            raise

    return typing.cast("Method", checked)


def _check(cls: Any, name: str, value: Any, annotation: Any) -> None:
    require_living(name, value)
    if name == "overrides" and value is not None:
        check_overrides(cls.spec().inputs, value)
    elif name not in CHECKED_WITH_PORTS:
        _require_nodes(f"input {name!r}", value, annotation)
        require_type(f"input {name!r}", value, annotation)


def _require_nodes(where: str, value: Any, annotation: Any) -> None:
    """Refuse what is no node where one is wanted, and say how a node is made of it.

    :raises ValueError: one line.
    """
    if typing.get_origin(annotation) is Mapping and isinstance(value, Mapping):
        for key, item in value.items():
            _require_nodes(f"{where}.{key}", item, typing.get_args(annotation)[1])
        return
    kinds = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    classes = tuple(typing.get_origin(kind) or kind for kind in kinds)
    if not all(isinstance(kind, type) for kind in classes) or isinstance(value, classes):
        return
    if nodes := tuple(kind for kind in classes if issubclass(kind, Node)):
        raise ValueError(f"{where} is {misfit(value, nodes)}")


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
