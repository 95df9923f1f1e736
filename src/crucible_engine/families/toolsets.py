"""Packages that a task computes with instead of a potential; each set has an environment of its own.

Only the standard library is imported, so that both sides of the wire can read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from crucible_engine.families.facts import Family
from crucible_engine.families.registry import FAMILIES
from crucible_engine.wire.rules import suggestion


@dataclass(frozen=True)
class Toolset:
    """Packages for tasks without a potential.

    :param name: the word that users type for its environment.
    :param package: its main distribution on the Python package index.
    :param import_name: that one's top-level module.
    :param title: what it is for.
    :param folder: the package that holds its lock.
    :param torch: the release of torch that it computes with on a GPU; ``None``, if it cannot.
    """

    name: str
    package: str
    import_name: str
    title: str
    folder: str
    torch: str | None = None


ANALYSIS = Toolset(
    name="analysis",
    package="dscribe",
    import_name="dscribe",
    title="configuration space (SOAP, REMatch, kernel PCA)",
    folder="crucible_engine.tasks.similarity",
    torch="2.13.0",
)
TOOLSETS = {toolset.name: toolset for toolset in (ANALYSIS,)}
TOOLSET_OF_TASK = {"similarity": ANALYSIS}


def find_environment(name: str) -> Family | Toolset:
    """Return the model family or toolset that an environment is for.

    :raises ValueError: one line, if there is none of that name.
    """
    known: dict[str, Family | Toolset] = {**FAMILIES, **TOOLSETS}
    if name not in known:
        raise ValueError(f"model family {name!r} is unknown: {suggestion(name, list(known))}")
    return known[name]
