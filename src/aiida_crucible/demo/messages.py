"""What the demonstration says and leaves: introduction, verdicts, where everything is, tables and figures."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from aiida.orm import WorkChainNode

from aiida_crucible import __version__
from aiida_crucible.demo.pbtio3 import TEMPERATURES
from aiida_crucible.environments.local import has_gpu
from aiida_crucible.references.published import pto_test
from aiida_crucible.report.tables import ComparisonTable
from aiida_crucible.report.write import write_report

MARKS = {"yes": "yes        ", "no": "NO         ", "cannot-tell": "cannot tell", "not-asked": "not asked  "}


def introduction(folder: Path) -> str:
    """Return what the demonstration is about to do."""
    device = "a GPU is used where a model can" if has_gpu() else "no GPU: all of it runs on the CPU"
    return f"""\
aiida-crucible {__version__}: can these models be trusted for PbTiO3?

Two foundation models, CHGNet and SevenNet, each in a Python environment of its own, relax ferroelectric (tetragonal)
and paraelectric (cubic) PbTiO3 and compute the phonons of the ferroelectric phase; CHGNet then heats it, for a moment,
to {TEMPERATURES[-1]:g} K. It is a published test (doi {pto_test.source()}), at finite temperature in miniature.
This machine: {os.cpu_count()} cores, {device}.
Everything stays in {folder}: an AiiDA profile of its own. Yours is not touched.
"""


def verdicts(nodes: Mapping[str, WorkChainNode]) -> str:
    """Return each question with the answer and its reason."""
    lines = []
    for title, node in nodes.items():
        lines.append(node.outputs.verdict["headline"] if "verdict" in node.outputs else title)
        for answer in node.outputs.summary.get_dict().values():
            source = answer["evidence"].get("source")
            given = f" (reference: {source})" if answer["evidence"].get("reference") else ""
            lines.append(f"  {MARKS[answer['answer']]}  {answer['question']}")
            lines.append(f"               {answer['reason']}{given}")
    return "\n".join(lines)


def directions(folder: Path, results: Path, nodes: Mapping[str, WorkChainNode]) -> str:
    """Return where the results are and how to look at the provenance."""
    verdi = shlex.quote(str(Path(sys.executable).with_name("verdi")))
    shown = "\n".join(f"  {verdi} process status {node.pk}   # {title}" for title, node in nodes.items())
    first = next(iter(nodes.values())).pk
    return f"""\
Report       {results / "report.html"}   (open it in a browser; its figures are in {results / "report-figures"})
Table        {results / "table.txt"}, .md, .csv
Provenance   every number above, back to its inputs, models and environments:
  export AIIDA_PATH={shlex.quote(str(folder))}
{shown}
  {verdi} node graph generate {first}
  {verdi} archive create pbtio3.aiida --nodes {" ".join(str(node.pk) for node in nodes.values())}"""


def failure(title: str, node: WorkChainNode) -> str:
    """Return one line on a WorkChain that did not finish, and where to look."""
    verdi = Path(sys.executable).with_name("verdi")
    reason = node.exit_message or f"it ended as {node.process_state.value}"
    return f"{title}: {reason}. Look at `AIIDA_PATH={os.environ['AIIDA_PATH']} {verdi} process report {node.pk}`"


def save(folder: Path, table: ComparisonTable, nodes: Mapping[str, WorkChainNode]) -> None:
    """Write the table as text, Markdown and CSV, and the report with its figures.

    :param folder: where; made if it does not exist.
    :param table: the comparison.
    :param nodes: the finished WorkChains by their model's title.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("txt", table.to_text() + "\n"), ("md", table.to_markdown() + "\n"), ("csv", table.to_csv())):
        (folder / f"table.{suffix}").write_text(text, encoding="utf-8")
    write_report(list(nodes.values()), folder / "report.html")
