"""What models say of one crystal together, with provenance."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict

from aiida_crucible.analysis.comparison.consensus import compare, row_of
from aiida_crucible.analysis.comparison.polarization import polarization_of
from aiida_crucible.analysis.verdict.reliability import validate_thresholds
from aiida_crucible.nodes.model import ModelData

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def describe_model(model: ModelData, relaxation: Dict, verdict: Dict, summary: Dict, **more: Data) -> Dict:
    """Return the row of one model, see :func:`aiida_crucible.analysis.comparison.consensus.row_of`.

    :param relaxation: ``summary`` of ``crucible.relax``.
    :param verdict: of ``crucible.reliability``.
    :param summary: its answers.
    :param more: where there are such: ``dynamics``, the ``results`` of one of its hot jobs, which tell what a step
        costs; ``curves`` and ``analysis`` of the runs in a given lattice; ``missing``, why it was not run so or timed.
    """
    row = row_of(
        model.title, relaxation.get_dict(), verdict.get_dict(), summary.get_dict(), _cost(more.get("dynamics"))
    )
    curves, analysis, missing = (more.get(name) for name in ("curves", "analysis", "missing"))
    polarization = []
    if isinstance(curves, ArrayData) and isinstance(analysis, Dict):
        arrays = {name: curves.get_array(name) for name in curves.get_arraynames()}
        polarization = polarization_of(arrays, analysis.get_dict())
    reasons = missing.get_dict() if isinstance(missing, Dict) else {}
    return Dict({**row, "polarization": polarization, "missing": reasons})


def _cost(dynamics: Data | None) -> dict[str, float] | None:
    """Return what a step of a job of runs took; ``None`` where there was none."""
    if not isinstance(dynamics, Dict):
        return None
    content = dynamics.get_dict()
    steps = sum(replica["step"] for replica in content["summary"]["replicas"].values())
    return {"milliseconds_per_step": 1000 * content["timings"]["compute"] / steps, "steps": steps} if steps else None


@calcfunction
def compare_models(thresholds: Dict, reference: Dict | None = None, **rows: Dict) -> Dict:
    """Return consensus, outliers and ranking, see :func:`aiida_crucible.analysis.comparison.consensus.compare`.

    :param rows: of each model by its label, see :func:`describe_model`.
    """
    found = {label: row.get_dict() for label, row in sorted(rows.items())}
    known = {} if reference is None else reference.get_dict()
    return Dict({**compare(found, known, validate_thresholds(thresholds.get_dict())), "rows": found})
