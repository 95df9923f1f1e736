"""A benchmark with provenance: what its rows say together."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Data, Dict, SinglefileData

from aiida_crucible.analysis.benchmark.summary import aggregate
from aiida_crucible.analysis.benchmark.tables import tables

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def aggregate_benchmark(**rows: Dict) -> dict[str, Data]:
    """Return what the rows of a benchmark say together.

    :param rows: see :func:`aiida_crucible.analysis.benchmark.records.read_rows`, by names that say nothing.
    :return: ``summary``, see :func:`aiida_crucible.analysis.benchmark.summary.aggregate`, and in the namespace
        ``tables`` files of comma-separated values, see :func:`aiida_crucible.analysis.benchmark.tables.tables`:
        ``materials``, ``errors``, ``confusion``, ``correlations``.
    """
    plain = [node.get_dict() for node in rows.values()]
    files = {
        f"tables.{name}": SinglefileData.from_string(table.to_csv(), filename=f"{name}.csv")
        for name, table in tables(plain).items()
    }
    return {"summary": Dict(aggregate(plain)), **files}
