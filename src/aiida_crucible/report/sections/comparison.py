"""Models beside each other: what each found, which agrees best with the reference, where they agree, what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida.orm import Dict

from aiida_crucible.analysis.verdict.spread import in_words
from aiida_crucible.report.figures.polarization import polarization_chart
from aiida_crucible.report.figures.speed import speed_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Question, Questions, Section, Table
from aiida_crucible.report.sections.answer import ANSWERS, TRUST


def comparison(findings: Sequence[Finding]) -> Section | None:
    """Return the tables of comparisons."""
    blocks: list[Block] = []
    for finding in findings:
        summary = finding.outputs.get("summary")
        if finding.kind == "comparison" and isinstance(summary, Dict):
            content = summary.get_dict()
            blocks += [_agreement(content["agreement"]), _models(content), _consensus(content)]
            if any(row.get("polarization") for row in content["rows"].values()):
                title = f"Polarization of {finding.formula} against temperature, in the same lattice for all models"
                blocks.append(polarization_chart(content["rows"], title))
            blocks += _missing(content)
    return Section("comparison", "The models beside each other", blocks) if blocks else None


def _agreement(answer: Mapping[str, Any]) -> Questions:
    mark, tone = ANSWERS[answer["answer"]]
    return Questions("", [Question(answer["question"], mark, tone, answer["reason"])])


def _models(content: Mapping[str, Any]) -> Table:
    """Return what each model found, best first; those that found nothing last, with the reason."""
    rows = []
    for place, ranked in enumerate(content["ranking"], start=1):
        row = content["rows"][ranked["label"]]
        apart = content["outliers"].get(ranked["label"], [])
        lattice = [f"{row['lattice'][name]:.4g}" for name in ("a", "c", "c_over_a")]
        energies = ", ".join(f"{name} {value:+.3f}" for name, value in row["energy_differences"].items())
        cost = "" if row["cost"] is None else f"{row['cost']['milliseconds_per_step']:.3g}"
        score = "" if ranked["score"] is None else f"{ranked['score']:.2g}"
        found = [row["title"], TRUST[row["trusted"]][0], *lattice, energies, row["stable"], score, cost]
        rows.append([str(place), *found, ", ".join(map(in_words, apart))])
    for label, reason in sorted(content["failed"].items()):
        rows.append(["–", content["rows"][label]["title"], reason, *[""] * 8])
    header = ("", "model", "verdict", "a (Å)", "c (Å)", "c/a", "other phases (eV a formula unit)", "stable at 0 K")
    more = ("deviation from the reference (1: as much as allowed)", "ms a step", "stands apart in")
    return Table("Models, best first", (*header, *more), rows, (0, 3, 4, 5, 8, 9))


def _missing(content: Mapping[str, Any]) -> list[Block]:
    """Return what some models could not be asked for, and why."""
    rows = [
        [row["title"], kind, reason]
        for row in content["rows"].values()
        for kind, reason in sorted(row.get("missing", {}).items())
    ]
    return [Table("Not known of some models", ("model", "what", "reason"), rows)] if rows else []


def _consensus(content: Mapping[str, Any]) -> Table:
    rows = []
    for name, each in content["consensus"].items():
        numbers = [f"{each['median']:.4g}", f"{each['spread']:.2g}", f"{each['low']:.4g} to {each['high']:.4g}"]
        rows.append([in_words(name), *numbers, ", ".join(each["outliers"])])
    header = ("quantity", "median", "spread", "range", "standing apart")
    return Table("Where the models agree (Å, Å³, eV a formula unit)", header, rows, (1, 2))


def speed(findings: Sequence[Finding]) -> Section | None:
    """Return time and memory against the number of atoms, of timings alone and of those of a comparison."""
    blocks: list[Block] = []
    for finding in findings:
        node = finding.outputs.get("summary" if finding.kind == "speed" else "speed")
        if finding.kind not in ("speed", "comparison") or not isinstance(node, Dict):
            continue
        content = node.get_dict()
        formula = finding.formula
        blocks += [speed_chart(content, f"Force calls of {formula}, repeated"), speed_table_block(content)]
    return Section("speed", "What a force call costs", blocks) if blocks else None


def speed_table_block(content: Mapping[str, Any]) -> Table:
    """Return the table of a timing: a line for each size of each model, and why others have none."""
    rows = [row for model in content["models"].values() for row in _rows(model)]
    rows += [[label, "–", reason, *[""] * 7] for label, reason in sorted(content["failed"].items())]
    header = ("model", "atoms", "outcome", "ms", "with the first call, ms", "first call, s", "batched, ms a structure")
    return Table(
        "Force calls", (*header, "in batches of", "peak memory (MiB)", "threads"), rows, (1, 3, 4, 5, 6, 7, 8, 9)
    )


def _rows(model: Mapping[str, Any]) -> Iterator[list[str]]:
    for entry in model["sizes"]:
        if entry["outcome"] != "measured":
            reason = f"{entry['outcome']}: {entry['reason']}"
            yield [model["title"], str(entry["n_atoms"]), reason, *[""] * 7]
            continue
        best = min(entry["batches"], key=lambda each: each["milliseconds_per_structure"], default=None)
        numbers = [f"{entry[name]:.3g}" for name in ("milliseconds_per_step", "with_warm_up", "first_call")]
        batch = ["", ""] if best is None else [f"{best['milliseconds_per_structure']:.3g}", str(best["size"])]
        memory = entry["peak_memory"] if entry["peak_device_memory"] is None else entry["peak_device_memory"]
        measured = [model["title"], str(entry["n_atoms"]), "measured", *numbers, *batch]
        yield [*measured, f"{memory:.0f}", str(entry["threads"])]
