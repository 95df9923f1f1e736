"""A question, its answer, and what the answer rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

YES, NO, CANNOT_TELL = "yes", "no", "cannot-tell"
NOT_ASKED = "not-asked"
"""What was run was never meant to answer it."""


@dataclass(frozen=True)
class Answer:
    """What was found of one question.

    :param answer: yes, no, cannot-tell or not-asked.
    :param reason: one line.
    """

    question: str
    answer: str
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
