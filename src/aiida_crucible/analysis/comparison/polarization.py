"""The polarization of one model against temperature, in a lattice that is the same for all models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAME = "polarization"


def polarization_of(curves: Mapping[str, NDArray[Any]], analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the spontaneous polarization at each temperature, as plain data, temperatures ascending.

    :param curves: of ``crucible.sweep``.
    :param analysis: of it.
    :return: ``temperature`` (K), ``outcome``, and ``value`` and ``error`` (its standard error), µC/cm²; both None
        where there is none; ``is_short`` where too few independent values are behind them.
    """
    by_temperature = {float(entry["temperature"]): entry for entry in analysis.values()}
    temperatures = np.asarray(curves["temperatures"], dtype=float)
    unknown = np.full(len(temperatures), np.nan)
    values, errors = curves.get(NAME, unknown), curves.get(f"{NAME}_error", unknown)
    found = []
    for temperature, value, error in zip(temperatures.tolist(), values, errors, strict=True):
        entry = by_temperature.get(temperature, {})
        average = entry.get("averages", {}).get(NAME, {})
        found.append(
            {
                "temperature": temperature,
                "outcome": entry.get("outcome") or entry.get("state"),
                "value": float(value) if np.isfinite(value) else None,
                "error": float(error) if np.isfinite(error) else None,
                "is_short": bool(average.get("warning")),
            }
        )
    return found
