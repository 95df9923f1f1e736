"""What models say of one crystal together, with provenance."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_crucible.analysis.comparison.consensus import compare, row_of
from aiida_crucible.analysis.verdict.reliability import validate_thresholds
from aiida_crucible.nodes.model import ModelData

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def describe_model(
    model: ModelData, relaxation: Dict, verdict: Dict, summary: Dict, dynamics: Dict | None = None
) -> Dict:
    """Return the row of one model, see :func:`aiida_crucible.analysis.comparison.consensus.row_of`.

    :param relaxation: ``summary`` of ``crucible.relax``.
    :param verdict: of ``crucible.reliability``.
    :param summary: its answers.
    :param dynamics: ``results`` of one of its hot jobs, which tell what a step costs.
    """
    cost = None
    if dynamics is not None:
        content = dynamics.get_dict()
        replicas = content["summary"]["replicas"].values()
        steps = sum(replica["step"] for replica in replicas)
        if steps:
            cost = {"milliseconds_per_step": 1000 * content["timings"]["compute"] / steps, "steps": steps}
    return Dict(row_of(model.title, relaxation.get_dict(), verdict.get_dict(), summary.get_dict(), cost))


@calcfunction
def compare_models(thresholds: Dict, reference: Dict | None = None, **rows: Dict) -> Dict:
    """Return consensus, outliers and ranking, see :func:`aiida_crucible.analysis.comparison.consensus.compare`.

    :param rows: of each model by its label, see :func:`describe_model`.
    """
    found = {label: row.get_dict() for label, row in sorted(rows.items())}
    known = {} if reference is None else reference.get_dict()
    return Dict({**compare(found, known, validate_thresholds(thresholds.get_dict())), "rows": found})
