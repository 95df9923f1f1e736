"""All tests of a model together, and several answers of one test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiida_crucible.analysis.model_tests import conservation, dimers, robustness, rotations
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

QUESTIONS = {
    "rotations": rotations.QUESTION,
    "dimers": dimers.QUESTION,
    "accuracy": "Is the model accurate on labels?",
    "robustness": robustness.QUESTION,
    "conservation": conservation.CONSERVES,
    "equipartition": conservation.EQUIPARTITION,
}

OUTCOMES = {YES: "passed", NO: "failed", CANNOT_TELL: "cannot-tell"}


def worst_of(answers: Mapping[str, Answer]) -> Answer:
    """Return one answer for those of several structures, that of the worst one with its label before the reason.

    :param answers: to the same question, at least one.
    """
    if len(answers) == 1:
        (only,) = answers.values()
        return only
    order = (NO, CANNOT_TELL, YES)
    label = min(answers, key=lambda each: order.index(answers[each].answer))
    found = answers[label]
    evidence = {each: answer.evidence for each, answer in answers.items()}
    return Answer(found.question, found.answer, f"{label}: {found.reason}", evidence)


def unanswered(test: str, reason: str) -> Answer:
    """Return the answer of a test that could not be made.

    :param test: its short name; of an accuracy with that of the labels behind a point.
    """
    return Answer(QUESTIONS[test.partition(".")[0]], CANNOT_TELL, reason)


def summarise(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return all answers by their short names, with an outcome: failed if one is no, passed if all are yes."""
    given = [answer.answer for answer in answers.values()]
    worst = NO if NO in given else CANNOT_TELL if CANNOT_TELL in given or not given else YES
    return {"outcome": OUTCOMES[worst], **{name: asdict(answer) for name, answer in answers.items()}}
