"""AiiDA plugin that asks whether a machine-learning interatomic potential can be trusted at finite temperature."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "reliability"]


def __getattr__(name: str) -> Any:
    """Return :func:`aiida_crucible.launch.api.reliability`, which is imported when it is asked for."""
    if name == "reliability":
        from aiida_crucible.launch.api import reliability

        return reliability
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
