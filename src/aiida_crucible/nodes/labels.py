"""Names that users give to what they hand in: the one place that says which of them can be names in AiiDA."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Sequence
from typing import Any

LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")

TAKEN = ("metadata", "results", "settings")
"""Inputs of the processes that get things by their users' names."""


def check_labels(what: str, labels: Collection[Any]) -> None:
    """Refuse labels that AiiDA cannot name an input or output by: links are Python's names, levels two underscores.

    :param what: is labelled, as the message should call it: ``a material``.
    :raises ValueError: one line.
    """
    for label in labels:
        if not isinstance(label, str) or not LABEL.fullmatch(label):
            raise ValueError(
                f"{what} is labelled {label!r}: begin with a letter and go on with letters (a to z), digits and single "
                f"underscores between them, as in {_example(str(label))!r}"
            )
        if keyword.iskeyword(label) or label in TAKEN:
            raise ValueError(f"{what} is labelled {label!r}, which Python or AiiDA needs itself: choose another label")
    _refuse_alike(what, list(labels))


def _example(label: str) -> str:
    """Return a label that is as near to another as may be."""
    words = "_".join(re.findall("[A-Za-z0-9]+", label))
    named = words if words[:1].isalpha() else f"phase_{words}".rstrip("_")
    return f"{named}_1" if keyword.iskeyword(named) or named in TAKEN else named


def _refuse_alike(what: str, labels: Sequence[str]) -> None:
    """Refuse two labels that AiiDA takes for one: where it looks for a link, an underscore stands for any character.

    :raises ValueError: one line.
    """
    by_length: dict[int, list[str]] = {}
    for label in labels:
        by_length.setdefault(len(label), []).append(label)
    for label in labels:
        alike = re.compile(label.replace("_", "."))
        for other in by_length[len(label)] if "_" in label else ():
            if other != label and alike.fullmatch(other):
                raise ValueError(
                    f"{what} is labelled {label!r}, and another {other!r}, which AiiDA's database cannot tell apart "
                    "(an underscore stands for any character there): rename one of them"
                )
