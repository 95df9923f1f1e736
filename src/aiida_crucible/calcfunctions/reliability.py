"""The verdict on a model and a material, with provenance."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_crucible.analysis.reliability import assess, validate_thresholds


@calcfunction
def assess_reliability(
    relaxation: Dict,
    thresholds: Dict,
    verification: Dict | None = None,
    phonons: Dict | None = None,
    reference: Dict | None = None,
) -> Dict:
    """Return the answers to the questions; see :func:`aiida_crucible.analysis.reliability.assess`."""
    given = [None if node is None else node.get_dict() for node in (verification, phonons, reference)]
    return Dict(assess(given[0], relaxation.get_dict(), given[1], given[2], validate_thresholds(thresholds.get_dict())))
