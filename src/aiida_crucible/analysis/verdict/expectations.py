"""What is known of a crystal beforehand, and so what a model that is right has to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ase.data import atomic_numbers, reference_states

from crucible_engine.wire.rules import Parameter, ParameterError, normalise, shown

ROOM_TEMPERATURE = 300.0
"""K; where a crystal is taken to exist of which nobody says where."""

TEMPERATURE = Parameter(float, ROOM_TEMPERATURE, "K", 0.0, 1e5, exclusive=True)
SPACE_GROUP = Parameter(int, 1, "a number of the International Tables", 1, 230)
KNOWN: dict[str, Parameter | type] = {
    "stable": bool,
    "transition": bool,
    "exists_at": TEMPERATURE,
    "melting_temperature": TEMPERATURE,
    "space_group": SPACE_GROUP,
}
"""Keys of a reference that say what is known of the crystal in question."""


ELEMENTS = {"fcc": 225, "bcc": 229, "hcp": 194, "diamond": 227}
"""Space groups of the structures in which ASE's table of reference states has elements."""

NOT_HEXAGONAL = ("Se", "Te")
"""Elements of chains, which that table calls hcp."""


@dataclass(frozen=True)
class Expectations:
    """What is known of a crystal.

    :param stable: whether it is dynamically stable at 0 K; ``None`` where nobody says so: a crystal that exists when
        hot may be unstable there.
    :param exists_at: a temperature at which it exists, K.
    :param melting_temperature: K, where known.
    :param transition: whether it becomes another crystal in the range that is run, where known.
    :param transition_temperature: K, where known.
    :param space_group: number, of the relaxed crystal, where known.
    """

    stable: bool | None = None
    exists_at: float = ROOM_TEMPERATURE
    melting_temperature: float | None = None
    transition: bool | None = None
    transition_temperature: float | None = None
    space_group: int | None = None

    @classmethod
    def of(cls, reference: Mapping[str, Any]) -> Expectations:
        """Return those that a reference states, see :data:`KNOWN`."""
        names = (*KNOWN, "transition_temperature")
        return cls(**{name: reference[name] for name in names if name in reference})

    def completed(self, symbols: set[str], space_group: int | None) -> Expectations:
        """Return them with what is known of elements: in its own ground state each is dynamically stable.

        :param symbols: of the crystal.
        :param space_group: number, of the crystal that was given.
        """
        if self.stable is not None or len(symbols) != 1 or symbols & set(NOT_HEXAGONAL):
            return self
        (symbol,) = symbols
        state = reference_states[atomic_numbers[symbol]] or {}
        is_ground_state = space_group is not None and ELEMENTS.get(state.get("symmetry", "")) == space_group
        return replace(self, stable=True) if is_ground_state else self

    @property
    def is_stable(self) -> bool:
        """Whether the crystal is expected to be dynamically stable at 0 K."""
        return self.stable is not False


def check_known(reference: Mapping[str, Any]) -> None:
    """Refuse expectations that are no such values, or contradict each other.

    :param reference: see :data:`KNOWN`; other keys are not looked at.
    :raises ValueError: one line.
    """
    for name, kind in KNOWN.items():
        if name not in reference:
            continue
        value = reference[name]
        if isinstance(kind, Parameter):
            normalise(f"the reference's {name}", kind, value)
        elif not isinstance(value, bool):
            raise ParameterError(f"the reference's {name} is {shown(value)}: give true or false")
    if reference.get("transition") is False and "transition_temperature" in reference:
        raise ParameterError("the reference has a transition_temperature, but `transition` is false: leave out one")
    exists_at, melting = reference.get("exists_at"), reference.get("melting_temperature")
    if exists_at is not None and melting is not None and exists_at >= melting:
        raise ParameterError(
            f"the reference's crystal exists at {exists_at:g} K, but melts at {melting:g} K: check both"
        )
