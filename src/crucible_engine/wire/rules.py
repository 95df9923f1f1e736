"""What a parameter may be: kind, default, range, unit; and the one line that says what is wrong with a value."""

from __future__ import annotations

import difflib
import math
import numbers
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BRIEF = reprlib.Repr()
_BRIEF.maxlist = _BRIEF.maxtuple = 9
_BRIEF.maxdict = 4
_BRIEF.maxstring = _BRIEF.maxother = 80

DEEPEST = 64
"""Levels of nesting; what this package writes has a few, and readers that call themselves stand some hundreds."""

TOO_DEEP = f"it nests more than {DEEPEST} levels deep"

WANTED: dict[type, str] = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "a word",
    list: "a list",
    dict: "a dict",
}
"""What messages call the kinds of values."""
LARGEST_WHOLE_NUMBER = 2**63
"""What counters and seeds of any width hold."""


class ParameterError(ValueError):
    """A parameter is misspelt, of the wrong kind, or out of range; the message is one line for the user."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a task.

    :param kind: ``float``, ``int``, ``bool``, ``str``, ``list`` (of numbers) or ``dict``.
    :param default: value where the user gives none; ``None`` is then allowed.
    :param help: one line, with the unit.
    :param minimum: smallest allowed value, itself included unless ``exclusive``.
    :param maximum: largest allowed value, itself included.
    """

    kind: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    exclusive: bool = False
    choices: tuple[str, ...] = ()


def complete(what: str, table: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a table complete with defaults and normalised to their kinds.

    :param what: whose parameters they are, as messages should call it.
    :raises ParameterError: one line that names the parameter, what is wrong and what is allowed.
    """
    if not isinstance(given, Mapping):
        raise ParameterError(f"the parameters of {what} are {shown(given)}: give a dict")
    for name in given:
        if name not in table:
            raise ParameterError(f"{what} has no parameter {shown(name)}: {suggestion(name, list(table))}")
    return {
        name: normalise(f"parameter {name!r} of {what}", rule, given.get(name, rule.default))
        for name, rule in table.items()
    }


def normalise_entries(what: str, name: str, rule: Parameter, values: Sequence[Any]) -> list[Any]:
    """Return the entries of a parameter that is a list, each normalised by one rule.

    :raises ParameterError: one line, as :func:`normalise`.
    """
    return [normalise(f"an entry of parameter {name!r} of {what}", rule, value) for value in values]


def plain(value: Any, levels: int = DEEPEST) -> Any:
    """Return numpy's numbers and arrays as Python's own, those in lists and dicts among them.

    :param levels: of nesting that are looked into.
    :raises ValueError: one line, if there are more.
    """
    if type(value).__module__ == "numpy":
        return value.tolist()
    if not isinstance(value, dict) and type(value) not in (list, tuple):
        return value
    if not levels:
        raise ValueError(TOO_DEEP)
    if isinstance(value, dict):
        return {key: plain(item, levels - 1) for key, item in value.items()}
    return type(value)([plain(item, levels - 1) for item in value])


def shown(value: Any) -> str:
    """Return a value as messages show it: like ``repr``, but never longer than a line."""
    try:
        text = _BRIEF.repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        text = "a number of thousands of digits"
    return as_line(text)


def as_line(text: str, longest: int = 1000) -> str:
    """Return foreign text as one line that no terminal obeys, cut where it is too long to be read."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= longest else f"{line[:longest]} …"


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; the name of its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def with_article(name: str) -> str:
    """Return a name with its indefinite article."""
    return f"{'an' if name[0] in 'AEIOU' or name.startswith('int') else 'a'} {name}"


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, of Python or of numpy; ``True`` does not count as one."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def suggestion(name: object, known: list[str]) -> str:
    """Return ``did you mean 'x'?``, or the known names where nothing is near."""
    word = shown(name).strip("'\"")
    same = [other for other in known if other.lower() == word.lower()]
    near = same or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(set(known)))}"


def normalise(where: str, rule: Parameter, value: Any) -> Any:
    """Return one value, normalised to its kind.

    :param where: whose value it is, as messages should call it.
    :raises ParameterError: one line that says what is wrong and what is allowed.
    """
    value = plain(value)
    if value is None and rule.default is None:
        return None
    value = _convert(where, rule, value)
    if rule.choices and value not in rule.choices:
        raise ParameterError(f"{where} is {shown(value)}: {suggestion(value, list(rule.choices))}")
    if rule.kind in (int, float):
        _check_range(where, rule, value)
    return value


def _convert(where: str, rule: Parameter, value: Any) -> Any:
    if rule.kind in (int, float) and is_number(value):
        if isinstance(value, numbers.Integral) and abs(int(value)) > LARGEST_WHOLE_NUMBER:
            raise ParameterError(f"{where} is {shown(value)}: give less than {LARGEST_WHOLE_NUMBER:.0e} ({rule.help})")
        if rule.kind is float:
            return float(value)
        if float(value).is_integer():
            return int(value)
    if rule.kind in (bool, str, list, dict) and isinstance(value, rule.kind):
        return value
    raise ParameterError(f"{where} is {shown(value)}: give {WANTED[rule.kind]} ({rule.help})")


def _check_range(where: str, rule: Parameter, value: float) -> None:
    too_small = rule.minimum is not None and (value <= rule.minimum if rule.exclusive else value < rule.minimum)
    too_large = rule.maximum is not None and value > rule.maximum
    if not math.isfinite(value) or too_small or too_large:
        low = "" if rule.minimum is None else f"{'more than' if rule.exclusive else 'at least'} {rule.minimum:g}"
        high = "" if rule.maximum is None else f"at most {rule.maximum:g}"
        allowed = " and ".join(part for part in (low, high) if part) or "a finite number"
        raise ParameterError(f"{where} is {value:g}: it must be {allowed} ({rule.help})")
