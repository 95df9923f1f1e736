"""What a reliability assessment found, for a person at a terminal, in a script or in a notebook."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida.orm import WorkChainNode

from aiida_crucible.analysis.verdict.headline import TITLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORDS = {"right": "as expected", "wrong": "WRONG", "open": "open", "remark": "-"}


class ReliabilityResult:
    """The results of one or several models on one crystal.

    :param nodes: the finished WorkChains by the model's title.
    """

    def __init__(self, nodes: Mapping[str, WorkChainNode]) -> None:
        self.nodes = dict(nodes)

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """By model's title: ``trusted``, ``headline``, ``up_to`` (K), ``steps``, ``questions``; none of what failed."""
        return {
            title: node.outputs.verdict.get_dict() for title, node in self.nodes.items() if "verdict" in node.outputs
        }

    @property
    def verdict(self) -> str:
        """The headlines, one a line."""
        return "\n".join(self._headline(title, node) for title, node in self.nodes.items())

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return for each model and question: model, question, what it says of the model, and why."""
        return [
            (title, TITLES[name], WORDS[each["judgement"]], each["text"])
            for title, verdict in self.verdicts.items()
            for name, each in verdict["questions"].items()
        ]

    def table(self) -> str:
        """Return the questions with what they say of each model, as aligned text."""
        import tabulate

        if not self.rows():
            return "no model came to a verdict"
        widths = [24, 24, 12, 90]
        return tabulate.tabulate(self.rows(), ("model", "question", "model is", "because"), maxcolwidths=widths)

    def plot(self) -> Figure:
        """Return the figure of the hot runs, or of the phonons where nothing was run hot.

        :raises ValueError: one line, if there is neither.
        """
        from aiida_crucible.report.figures import (
            band_structure,
            plot_band_structures,
            plot_temperature_curves,
            temperature_curves,
        )

        sweeps = {title: node.outputs.sweep for title, node in self._with("sweep").items()}
        curves = [
            temperature_curves(title, each.curves, each.analysis, each.transitions) for title, each in sweeps.items()
        ]
        if curves:
            return plot_temperature_curves(curves)
        phonons = {title: node.outputs.phonon for title, node in self._with("phonon").items()}
        bands = [band_structure(title, each.bands, each.dos) for title, each in phonons.items() if "bands" in each]
        if not bands:
            raise ValueError("there is nothing to draw: no model has relaxed the crystal")
        return plot_band_structures(bands)

    def report(self, path: str | Path) -> Path:
        """Write the page of all models beside each other, see :func:`aiida_crucible.report.write.write_report`.

        :param path: of the HTML file.
        :raises ValueError: one line, if no model came to an answer.
        """
        from aiida_crucible.report.write import write_report

        return write_report(list(self.nodes.values()), Path(path))[0]

    def as_dict(self) -> dict[str, Any]:
        """Return plain types: by model PK, process state and verdict."""
        return {
            title: {
                "pk": node.pk,
                "uuid": node.uuid,
                "finished": node.is_finished_ok,
                "message": node.exit_message or "",
                "verdict": self.verdicts.get(title),
            }
            for title, node in self.nodes.items()
        }

    def __repr__(self) -> str:
        return f"<ReliabilityResult\n{self.verdict}>"

    def _repr_html_(self) -> str:
        """Return the headlines and the table for a notebook."""
        headlines = "".join(f"<p><b>{html.escape(line)}</b></p>" for line in self.verdict.splitlines())
        cells = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows())
        return f"{headlines}<table><tr><th>model<th>question<th>model is<th>because</tr>{cells}</table>"

    def _with(self, output: str) -> dict[str, WorkChainNode]:
        return {title: node for title, node in self.nodes.items() if output in node.outputs}

    @staticmethod
    def _headline(title: str, node: WorkChainNode) -> str:
        if "verdict" in node.outputs:
            return str(node.outputs.verdict["headline"])
        why = node.exit_message or f"it ended as {node.process_state.value}"
        return f"{title}: no verdict, {why} (`verdi process report {node.pk}`)"


def next_steps(verdicts: Mapping[str, Mapping[str, Any]]) -> Sequence[tuple[str, str]]:
    """Return what it would take where the verdict cannot be told, each step once: text and options."""
    return list(dict.fromkeys((step["text"], step["options"]) for each in verdicts.values() for step in each["steps"]))
