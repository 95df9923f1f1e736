"""How to compare models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.wire.rules import Parameter, complete

SETTINGS: dict[str, Parameter] = {
    "max_concurrent": Parameter(
        int, None, "models that run at once (all in queues, one after the other where there are none)", minimum=1
    ),
}


def validate_comparison(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings complete with defaults.

    :raises ValueError: one line that names the setting and what is allowed.
    """
    return complete("comparison", SETTINGS, given)
