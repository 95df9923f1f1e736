"""The answer first: the headline of each process, and its questions with their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.orm import Dict

from aiida_crucible.analysis.verdict.headline import TITLES
from aiida_crucible.report.findings import KINDS, Finding
from aiida_crucible.report.page.document import Block, Comparison, Headline, Question, Questions, Section, Tone

TRUST: dict[str, tuple[str, Tone]] = {
    "yes": ("can be trusted", "good"),
    "no": ("cannot be trusted", "bad"),
    "cannot-tell": ("cannot tell", "open"),
}
JUDGEMENTS: dict[str, tuple[str, Tone]] = {
    "right": ("as expected", "good"),
    "wrong": ("wrong", "bad"),
    "open": ("open", "open"),
    "remark": ("remark", "plain"),
}
ANSWERS: dict[str, tuple[str, Tone]] = {
    "yes": ("yes", "plain"),
    "no": ("no", "plain"),
    "cannot-tell": ("cannot tell", "open"),
    "not-asked": ("not asked", "plain"),
}
OUTCOMES: dict[str, tuple[str, Tone]] = {
    "fitted": ("fitted", "plain"),
    "computed": ("computed", "plain"),
    "stable": ("stable", "plain"),
    "unstable": ("unstable", "plain"),
    "imaginary": ("imaginary modes", "plain"),
    "cannot-tell": ("cannot tell", "open"),
    "non-finite": ("no numbers", "bad"),
    "not-relaxed": ("not relaxed", "open"),
}
TOLD_BY_OUTCOME = ("phonon", "equation_of_state", "elastic", "qha", "conductivity")
OF_SUMMARY = {
    "crystal": "lattice",
}
"""Questions that the summary has under another name than the verdict."""


def answer(findings: Sequence[Finding]) -> Section | None:
    """Return headlines and questions; of a process without a verdict, its own answers."""
    blocks: list[Block] = []
    several = len(findings) > 1
    for finding in findings:
        if (failure := finding.node.exit_message) and not finding.node.is_finished_ok:
            blocks.append(Headline("failed", "bad", f"{finding.name}: {failure}"))
        blocks += [block for block in (_headline(finding),) if block is not None]
    asked = {finding.name: questions for finding in findings if (questions := _questions(finding))}
    if len(asked) > 1:
        blocks.append(_compare(asked))
    blocks += [Questions(name if several else "", questions) for name, questions in asked.items()]
    return Section("answer", "Answer", blocks) if blocks else None


def _compare(asked: Mapping[str, Sequence[Question]]) -> Comparison:
    """Return the marks of each question beside each other."""
    marks = {name: {each.title: (each.mark, each.tone) for each in questions} for name, questions in asked.items()}
    titles = dict.fromkeys(title for own in marks.values() for title in own)
    return Comparison(list(asked), [(title, [own.get(title) for own in marks.values()]) for title in titles])


def _headline(finding: Finding) -> Headline | None:
    verdict = finding.outputs.get("verdict")
    if isinstance(verdict, Dict):
        content = verdict.get_dict()
        mark, tone = TRUST[content["trusted"]]
        return Headline(mark, tone, content["headline"], [step["text"] for step in content["steps"]])
    summary = finding.outputs.get("summary")
    if finding.kind in TOLD_BY_OUTCOME and isinstance(summary, Dict):
        mark, tone = OUTCOMES.get(summary["outcome"], (summary["outcome"], "plain"))
        reason = (summary.get_dict().get("verdict") or {}).get("reason") or summary.get_dict().get("reason", "")
        return Headline(mark, tone, f"{finding.subject} by {finding.name}: {reason}")
    if finding.kind == "sweep" and isinstance(summary, Dict) and "stability" in summary.get_dict():
        stability = summary["stability"]
        mark, tone = ANSWERS[stability["answer"]]
        return Headline(
            {"yes": "stays a crystal", "no": "lost"}.get(stability["answer"], mark), tone,
            f"{finding.subject} by {finding.name}: {stability['reason']}",
        )  # fmt: skip
    return None


def _questions(finding: Finding) -> list[Question]:
    verdict, summary = finding.outputs.get("verdict"), finding.outputs.get("summary")
    told = summary.get_dict() if isinstance(summary, Dict) else {}
    # Beside its answers a summary has numbers, which may have the name of a question: the frequencies of a molecule.
    answers = {name: each for name, each in told.items() if isinstance(each, Mapping) and "question" in each}
    if isinstance(verdict, Dict):
        node = "" if not isinstance(summary, Dict) else summary.uuid[:8]
        return [
            _judged(name, each, answers.get(OF_SUMMARY.get(name, name), {}), node)
            for name, each in verdict["questions"].items()
        ]
    if not isinstance(summary, Dict):
        return []
    return [
        Question(each["question"], *ANSWERS[each["answer"]], each["reason"], "", each["evidence"], summary.uuid[:8])
        for each in answers.values()
    ]


def _judged(name: str, judged: Mapping[str, Any], answered: Mapping[str, Any], node: str) -> Question:
    mark, tone = JUDGEMENTS[judged["judgement"]]
    question = str(answered.get("question", TITLES.get(name, name)))
    return Question(question, mark, tone, judged["text"], judged["expected"], answered.get("evidence", {}), node)


def title_of_page(findings: Sequence[Finding]) -> str:
    """Return what a page is about: the material, the models and the kind of process."""
    subjects = list(dict.fromkeys(finding.subject for finding in findings))
    names = [finding.name for finding in findings]
    kinds = list(dict.fromkeys(KINDS[finding.kind] for finding in findings))
    about = " and ".join(kinds)
    by = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    if subjects == kinds:
        return f"{about}: {by}" if by != about else about
    return f"{', '.join(subjects[:3])}: {about[0].lower()}{about[1:]} by {by}"
