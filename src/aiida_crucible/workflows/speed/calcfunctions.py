"""What force calls of models cost, side by side, with provenance."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_crucible.analysis.comparison.speed import speed_table

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def summarise_speed(titles: Dict, failed: Dict, **results: Dict) -> Dict:
    """Return what models cost, see :func:`aiida_crucible.analysis.comparison.speed.speed_table`.

    :param titles: of the models by label.
    :param failed: by label, why a model was not timed to the end.
    :param results: by label, of ``crucible.speed``.
    """
    found = {label: node.get_dict() for label, node in results.items()}
    return Dict(speed_table(found, titles.get_dict(), failed.get_dict()))
