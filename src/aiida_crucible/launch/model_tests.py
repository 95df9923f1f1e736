"""What a user says of tests of a model, as the WorkChain takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiida_crucible.analysis.model_tests.settings import TESTS
from aiida_crucible.workflows.common.protocols import merged
from crucible_engine.wire.rules import suggestion

SWITCHES = tuple(name for name in TESTS if name != "accuracy")


def parameters_of(tests: Sequence[str], settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs to set otherwise.

    :param tests: the only ones to make; all of the protocol where there are none.
    :param settings: of :data:`aiida_crucible.analysis.model_tests.settings.SETTINGS`; what is ``None`` or ``False`` is
        left to the protocol.
    :param overrides: go before.
    :raises ValueError: one line, if there is no such test.
    """
    for name in tests:
        if name not in TESTS:
            raise ValueError(f"there is no test {name!r}: {suggestion(name, list(TESTS))}")
    chosen: dict[str, Any] = {name: value for name, value in settings.items() if value}
    if tests:
        chosen |= {name: name in tests for name in SWITCHES}
    return merged({"parameters": chosen} if chosen else {}, overrides)


def labels_of(given: Sequence[str], theory: str | None, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return labelled sets by name: that before ``=``, or that of the file.

    :param given: ``NAME=FILE`` or ``FILE``.
    :param theory: of all of them.
    :param settings: how all of them are read, see :data:`aiida_crucible.references.labels.LABELS`.
    :raises ValueError: one line, if two have one name, or no theory is given.
    """
    if not given:
        if theory is not None or settings:
            raise ValueError("theory and settings of labels are given, but no labels: give --labels FILE")
        return {}
    if theory is None and "theory" not in settings:
        raise ValueError("the labels do not say of which level of theory they are: give --theory, e.g. PBEsol")
    sets: dict[str, dict[str, Any]] = {}
    for text in given:
        name, separator, file = text.partition("=")
        if not separator or Path(text).exists():
            name, file = name_of_file(text), text
        if name in sets:
            raise ValueError(f"two labelled sets have the name {name!r}: give each another one, e.g. {name}_2={file}")
        sets[name] = {"file": file, **settings, **({} if theory is None else {"theory": theory})}
    return sets


def name_of_file(file: str) -> str:
    """Return the name of a file without endings, as AiiDA's labels allow it."""
    stem = Path(file).name.partition(".")[0]
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in stem).strip("_")
    while "__" in name:
        name = name.replace("__", "_")
    return name if name and not name[0].isdigit() else f"labels_{name}".rstrip("_")
