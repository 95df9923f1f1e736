"""Tests of a model: what each found, and the curves of pairs of atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.orm import ArrayData, Dict

from aiida_crucible.report.figures.model_tests import DimerCurve, dimer_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Headline, Section, Table, Tone
from aiida_crucible.report.sections.answer import ANSWERS

KIND = "model_tests"
OUTCOMES: dict[str, tuple[str, Tone]] = {
    "passed": ("passed", "good"),
    "failed": ("failed", "bad"),
    "cannot-tell": ("cannot tell", "open"),
}
ENERGIES, DISTANCES = "energies_", "distances_"


def model_tests(findings: Sequence[Finding]) -> Section | None:
    """Return a table of all tests, the curves of pairs, and the errors on labelled sets."""
    tested = [finding for finding in findings if finding.kind == KIND]
    summaries = {each.name: node.get_dict() for each in tested if isinstance(node := each.outputs.get("summary"), Dict)}
    if not summaries:
        return None
    blocks: list[Block] = [_headline(name, content) for name, content in summaries.items()]
    rows = [row for name, content in summaries.items() for row in _rows(name, content)]
    blocks.append(Table("Tests", ("model", "test", "answer", "what was found"), rows))
    curves: dict[str, list[DimerCurve]] = {}
    for finding in tested:
        for pair, curve in _curves(finding):
            curves.setdefault(pair, []).append(curve)
    chart = dimer_chart(curves, f"Pairs of atoms by {', '.join(summaries)}")
    blocks += [] if chart is None else [chart]
    errors = [row for name, content in summaries.items() for row in _errors(name, content)]
    if errors:
        header = ("model", "labels", "level of theory", "part", "frames", "energy (meV/atom)", "forces (meV/Å)")
        blocks.append(Table("Mean absolute errors on labelled sets", header, errors, (4, 5, 6)))
    return Section("model-tests", "Tests of the model", blocks)


def _answers(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in content.items() if isinstance(each, Mapping) and "question" in each}


def _headline(name: str, content: Mapping[str, Any]) -> Headline:
    given = [each["answer"] for each in _answers(content).values()]
    mark, tone = OUTCOMES[content["outcome"]]
    told = f"{given.count('yes')} of {len(given)} tests passed, {given.count('no')} failed"
    return Headline(mark, tone, f"{name}: {told}, {given.count('cannot-tell')} could not be answered")


def _rows(name: str, content: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, test.replace("_", " "), ANSWERS[each["answer"]][0], each["reason"]]
        for test, each in _answers(content).items()
    ]


def _curves(finding: Finding) -> list[tuple[str, DimerCurve]]:
    node = finding.outputs.get("dimer_curves")
    if not isinstance(node, ArrayData):
        return []
    labels = sorted(name.removeprefix(ENERGIES) for name in node.get_arraynames() if name.startswith(ENERGIES))
    return [
        (
            label.replace("_", "–"),
            DimerCurve(finding.name, node.get_array(f"{DISTANCES}{label}"), node.get_array(f"{ENERGIES}{label}")),
        )
        for label in labels
    ]


def _errors(name: str, content: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for test, each in _answers(content).items():
        evidence = each.get("evidence", {})
        if not test.startswith("accuracy_") or "force" not in evidence:
            continue
        shared = [name, test.removeprefix("accuracy_"), str(evidence["theory"])]
        frames = evidence["n_frames"] - evidence["n_non_finite"]
        rows.append([*shared, "all", str(frames), _error(evidence["energy"]), _error(evidence["force"])])
        for subset, part in evidence["by_subset"].items():
            rows.append([*shared, subset, str(part["n_frames"]), _error(part["energy"]), _error(part["force"])])
        for element, part in evidence["by_element"].items():
            rows.append([*shared, f"forces on {element}", str(frames), "–", _error(part)])
    return rows


def _error(part: Mapping[str, Any] | None) -> str:
    if part is None or part["mean_absolute_error"] is None:
        return "–"
    bar = part.get("standard_error")
    return f"{part['mean_absolute_error'] * 1000:.3g}" + ("" if bar is None else f" ± {bar * 1000:.2g}")
