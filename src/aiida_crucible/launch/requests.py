"""What a user asks for about a crystal, and the WorkChains that answer it, one for each model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from aiida.engine import ProcessBuilder
from aiida.orm import AbstractCode, StructureData

from aiida_crucible.analysis.crystal.finite import kind_of
from aiida_crucible.launch.structures import read_structure
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.protocols import merged
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain
from aiida_crucible.workflows.vibrations.workchain import VibrationsWorkChain
from crucible_engine.wire.rules import shown, suggestion


@dataclass(frozen=True)
class Question:
    """Whether some models can be trusted with a crystal, or with a molecule or a slab.

    :param structure: what it is about.
    :param temperatures: K, to run it at; none for 0 K alone.
    :param phases: other phases of the same composition, by name.
    :param reference: what is known of the crystal, see
        :func:`aiida_crucible.analysis.verdict.reliability.check_reference`.
    :param protocol: of ``crucible.reliability``; ``None`` for its default.
    :param dynamics: ``steps`` and ``time_step`` (fs) of the hot runs, where they are not the protocol's.
    :param overrides: inputs to set otherwise, nested as the ports are.
    :param options: of the jobs.
    """

    structure: StructureData
    temperatures: Sequence[float] = ()
    phases: Mapping[str, StructureData] = field(default_factory=dict)
    reference: Mapping[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    dynamics: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def builder(self, code: AbstractCode, model: ModelData) -> ProcessBuilder:
        """Return the WorkChain that answers it for one model, ready to run.

        :param code: the model's environment.
        :raises ValueError: one line, if something does not fit.
        """
        chain: Any = ReliabilityWorkChain if self.is_crystal else VibrationsWorkChain
        if self.phases and not self.is_crystal:
            kind = kind_of(to_atoms(self.structure))
            raise ValueError(f"{self.formula} is a {kind}, which has no competing phases: leave them out")
        hot: dict[str, Any] = {"base": {"dynamics": {"parameters": dict(self.dynamics)}}}
        hot = hot if not self.is_crystal else {"sweep": hot}
        builder: ProcessBuilder = chain.get_builder_from_protocol(
            code,
            model,
            self.structure,
            self.protocol,
            reference=self.reference or None,
            temperatures=list(self.temperatures) or None,
            overrides=merged(self.overrides, hot if self.dynamics else {}),
            options=self.options or None,
            **({"competing": self.phases} if self.phases else {}),
        )
        return builder

    @property
    def is_crystal(self) -> bool:
        """Whether it is periodic in three directions, without vacuum."""
        return kind_of(to_atoms(self.structure)) == "crystal"

    @property
    def formula(self) -> str:
        """Of the crystal, reduced."""
        return str(self.structure.get_formula(mode="hill_compact"))


def as_question(
    structure: Any,
    *,
    temperatures: Iterable[float] | float | str = (),
    phases: Any = (),
    steps: int | None = None,
    time_step: float | None = None,
    **more: Any,
) -> Question:
    """Return a question from what a user has.

    :param structure: see :func:`aiida_crucible.launch.structures.read_structure`; so are ``phases``, by name or, where
        they have labels, in a row; or there is a single one.
    :param temperatures: K; a range or an array does as well.
    :param steps: of the dynamics; the protocol's if ``None``.
    :param time_step: of the dynamics, fs; the protocol's if ``None``.
    :param more: of :class:`Question`.
    :raises ValueError: one line, if something is none of these.
    """
    settings = [each.name for each in fields(Question) if each.name not in ("structure", "temperatures", "dynamics")]
    for name in more:
        if name not in settings:
            raise ValueError(f"there is no argument {name!r}: {suggestion(name, [*settings, 'steps', 'time_step'])}")
    for name in ("overrides", "options"):
        if not isinstance(more.get(name) or {}, Mapping):
            raise ValueError(f"{name} is {shown(more[name])}: give a dict")
    given = {"steps": steps, "time_step": time_step}
    dynamics = {name: value for name, value in given.items() if value is not None}
    wanted = _temperatures(temperatures)
    if dynamics and not wanted:
        raise ValueError(f"{' and '.join(dynamics)} are of hot runs: give temperatures as well")
    if not isinstance(phases, Mapping):
        phases = phases if isinstance(phases, list | tuple) else [phases]
        nodes = [read_structure(each) for each in phases]
        phases = {_name_of(node, number): node for number, node in enumerate(nodes)}
    others = {name: read_structure(each) for name, each in phases.items()}
    return Question(read_structure(structure), wanted, others, dynamics=dynamics, **more)


def parse_temperatures(text: str) -> list[float]:
    """Return temperatures from ``300``, ``300,400`` or ``FIRST:LAST:STEP`` (both ends are run), K.

    :raises ValueError: one line.
    """
    found: list[float] = []
    for piece in text.split(","):
        ends = piece.split(":")
        try:
            numbers = [float(each) for each in ends]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 3) or not np.isfinite(numbers).all() or (len(numbers) == 3 and numbers[2] <= 0):
            raise ValueError(f"{shown(piece)} is no temperature: give e.g. 300 or 100:600:100 (first:last:step, K)")
        if len(numbers) == 1:
            found += numbers
            continue
        first, last, step = numbers
        if last < first:
            raise ValueError(
                f"{shown(piece)} holds no temperature: write {last:g}:{first:g}:{step:g}, the lowest first"
            )
        if (last - first) / step > 1000:
            raise ValueError(f"{shown(piece)} are more than a thousand temperatures: give a larger step")
        found += np.arange(first, last + step * 1e-9, step).tolist()
    return found


def _temperatures(given: Any) -> list[float]:
    """Return temperatures as plain numbers, whatever they were in.

    :raises ValueError: one line.
    """
    if isinstance(given, str):
        return parse_temperatures(given)
    try:
        numbers = np.asarray(list(given) if isinstance(given, Iterable) else given, dtype=float)
        return [float(each) for each in np.atleast_1d(numbers)]
    except (TypeError, ValueError):
        raise ValueError(f"temperatures is {shown(given)}: give numbers of K, e.g. range(100, 700, 100)") from None


def _name_of(structure: StructureData, number: int) -> str:
    """Return a name for a phase that was given none: that of its file, as far as a link label can hold it."""
    stem = structure.label.rpartition("/")[2].partition(".")[0].partition(":")[2] or structure.label.partition(".")[0]
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in stem).strip("_")
    while "__" in name:
        name = name.replace("__", "_")
    return name if name and not name[0].isdigit() else f"phase_{number + 1}"
