"""The page of the reference on the wire, taken from its schema."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from aiida_crucible.calculations.exit_codes import OF_CONDITION
from crucible_engine.wire import labels, schema, training

Table = Callable[[Iterable[str], Iterable[Iterable[Any]]], str]

CLASSES = {
    "job.json": schema.Job,
    "The model in a job": schema.ModelReference,
    "results.json": schema.Results,
}


def wire(table: Table) -> str:
    """Return the files, the fields of what is JSON, the conditions with their exit codes, and the time series."""
    sections = [f"The protocol is {schema.PROTOCOL}.", "## Files", table(["file", "what", "way"], _files())]
    for title, kind in CLASSES.items():
        heading = f"`{title}`" if "." in title else title
        sections += [f"## {heading}", table(["field", "type", "default", "what"], _fields(kind))]
    sections += [
        "## Conditions",
        "How a job ended, as `condition` of `results.json`, and the exit code that its CalcJob gets.",
        table(["condition", "exit code", "label"], _conditions()),
        "## Time series of a dynamics",
        "Columns, in this order. " + " ".join((_said_below("SERIES_COLUMNS") or "").split()),
        ", ".join(f"`{name}`" for name in schema.SERIES_COLUMNS),
        "## Outcomes of a dynamics",
        " ".join((_said_below("OUTCOMES_OF_DYNAMICS") or "").split()),
        ", ".join(f"`{name}`" for name in schema.OUTCOMES_OF_DYNAMICS),
        "## Labels of a training",
        " ".join((inspect.getdoc(labels) or "").split()).replace("``", "`"),
        "## Curves of a training",
        " ".join((_said_below("CURVES", training) or "").split()),
        ", ".join(f"`{name}`" for name in training.CURVES),
        "## Outcomes of a training",
        " ".join((_said_below("OUTCOMES_OF_TRAINING", training) or "").split()),
        ", ".join(f"`{name}`" for name in training.OUTCOMES_OF_TRAINING),
    ]
    return "\n\n".join(sections) + "\n"


def _files() -> Iterable[tuple[str, str, str]]:
    """Yield the rows of the table that the schema's docstring draws."""
    for name, what, way in re.findall(r"^    (\S+) {2,}(.+?)\s+\((.+)\)$", inspect.getdoc(schema) or "", re.MULTILINE):
        yield f"`{name}`", what.strip(), _prose(way)


def _fields(kind: Any) -> Iterable[tuple[str, str, str, str]]:
    """Yield the rows of a dataclass, whose docstring has a ``:param`` for most fields."""
    text = inspect.getdoc(kind) or ""
    told = dict(re.findall(r":param (\w+): (.*?)(?=\n:param|\Z)", text, re.DOTALL))
    for field in dataclasses.fields(kind):
        default = "required"
        if field.default is not dataclasses.MISSING:
            default = f"`{'null' if field.default is None else field.default}`"
        elif field.default_factory is not dataclasses.MISSING:
            default = "`{}`"
        yield f"`{field.name}`", f"`{field.type}`", default, _prose(told.get(field.name, ""))


def _conditions() -> Iterable[tuple[str, str, str]]:
    for condition in schema.Condition:
        failure = OF_CONDITION.get(condition)
        yield f"`{condition.value}`", str(failure.status) if failure else "0", f"`{failure.label}`" if failure else ""


def _said_below(name: str, module: ModuleType = schema) -> str | None:
    """Return the string that stands below a constant of the wire."""
    found = re.search(rf'^[^\n]*\b{name} = .*?^"""(.*?)"""', inspect.getsource(module), re.DOTALL | re.MULTILINE)
    return _prose(found[1]) if found else None


def _prose(text: str) -> str:
    """Return reStructuredText as Markdown: roles and double backquotes become code."""
    text = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())
