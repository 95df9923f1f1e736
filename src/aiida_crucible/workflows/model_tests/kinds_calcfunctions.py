"""What runs with several kinds of forces say together, with provenance."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Dict, Str

from aiida_crucible.analysis.model_tests.conservation import judge_kinds
from aiida_crucible.analysis.verdict.answers import Answer

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""

ANSWER, RESULTS = "answer_", "results_"


@calcfunction
def join_kinds(own: Str, **nodes: Dict) -> Dict:
    """Return whether runs without thermostat keep their energy, by what moves the atoms.

    :param own: the kind that decides, see :data:`aiida_crucible.analysis.model_tests.conservation.KINDS_OF_RUNS`.
    :param nodes: by kind ``answer_…`` of
        :func:`aiida_crucible.workflows.model_tests.calcfunctions.measure_conservation`, and ``results_…`` of
        ``crucible.dynamics``.
    """
    answers = {
        name.removeprefix(ANSWER): Answer(**node.get_dict()) for name, node in nodes.items() if name.startswith(ANSWER)
    }
    milliseconds = {kind: milliseconds_a_step(nodes[f"{RESULTS}{kind}"].get_dict()) for kind in answers}
    known = {kind: value for kind, value in milliseconds.items() if value is not None}
    return Dict(asdict(judge_kinds(answers, known, own.value)))


def milliseconds_a_step(results: dict[str, Any]) -> float | None:
    """Return the wall time of a step of ``crucible.dynamics``, ms; ``None`` where the job did none.

    :param results: of the job that came to the end; what others did before it does not count.
    """
    summary, seconds = results["summary"], results.get("timings", {}).get("compute")
    steps = summary["steps_done"] - (summary["resumed_from_step"] or 0)
    return 1000.0 * seconds / steps if seconds and steps > 0 else None
