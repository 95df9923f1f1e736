"""How points are drawn, by their number."""

from __future__ import annotations

from typing import Any


def point_style(n_points: int) -> dict[str, Any]:
    """Return size and opacity of so many points: few are large, many are faint."""
    if n_points <= 30:
        return {"size": 5.5, "opacity": 0.95}
    return {"size": 3.8, "opacity": 0.8} if n_points <= 300 else {"size": 2.6, "opacity": 0.5}
