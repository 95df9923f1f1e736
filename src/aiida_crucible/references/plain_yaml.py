"""YAML of others as plain data: no tag makes an object, no alias multiplies, and all sizes are bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from aiida_crucible.nodes import bounds
from aiida_crucible.references.foreign_files import open_bytes

# libyaml reads the large files of phonopy many times as fast; where it is missing both do the same.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = "tag:yaml.org,2002:int"


class _PlainLoader(_SafeLoader):
    """Plain data with integers of a bounded length."""


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    # The time that an integer of base 60 (1:20:30) takes grows with the square of its length.
    if len(node.value) > bounds.LONGEST_NUMBER:
        raise ValueError(f"a number of {len(node.value)} digits is none (line {node.start_mark.line + 1})")
    return int(loader.construct_yaml_int(node))


_PlainLoader.add_constructor(_INTEGER, _integer)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds: dictionaries, lists, strings, numbers, dates.

    :param path: may be compressed (gz, bz2, xz).
    :raises ValueError: one line, without the file's name, if it is no YAML, asks for objects, or is too large.
    """
    with open_bytes(path, bounds.LARGEST_TEXT) as stream:
        return parse_yaml(stream.read())


def parse_yaml(content: bytes) -> Any:
    """Return what a text in YAML holds, see :func:`read_yaml`.

    :raises ValueError: one line, if it is no YAML or asks for objects.
    """
    try:
        if b"*" in content and b"&" in content:
            _refuse_aliases(content)
        return yaml.load(content, _PlainLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(_one_line(error)) from error


def _refuse_aliases(content: bytes) -> None:
    """Refuse aliases: those of aliases make a line into more than any memory holds."""
    for event in yaml.parse(content, _SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"the alias *{event.anchor} is not read: write its value out")


def _one_line(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    said = str(problem or error).partition("\n")[0]
    return said if mark is None else f"{said} (line {mark.line + 1})"
