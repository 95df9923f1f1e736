"""The verdict on a model and a material, with provenance."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_crucible.analysis.verdict.reliability import assess, validate_thresholds

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def assess_reliability(
    relaxation: Dict,
    thresholds: Dict,
    verification: Dict,
    *,
    phonons: Dict | None = None,
    reference: Dict | None = None,
    sweep: Dict | None = None,
) -> Dict:
    """Return the answers to the questions; see :func:`aiida_crucible.analysis.verdict.reliability.assess`."""
    answers = assess(
        verification.get_dict(),
        relaxation.get_dict(),
        None if phonons is None else phonons.get_dict(),
        None if reference is None else reference.get_dict(),
        validate_thresholds(thresholds.get_dict()),
        sweep=None if sweep is None else sweep.get_dict(),
    )
    return Dict(answers)
