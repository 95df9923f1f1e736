"""What the records of a journal have to be: a right checksum says that a record is whole, not that it is of this job.

Both sides ask: the engine before it goes on from a journal, the parsers before they make nodes of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from crucible_engine.wire.arrays import Layout, require_layout
from crucible_engine.wire.journal import Record
from crucible_engine.wire.rules import LARGEST_WHOLE_NUMBER
from crucible_engine.wire.schema import EVALUATED, EVALUATIONS, RELAXED, RELAXED_MEMBER, TILE
from crucible_engine.wire.value_types import require_type

SIZE_BEGUN, SIZE_LEFT, SIZE_TIMED = "size-begun", "size-left", "size-timed"
"""Kinds of the journal's records of ``speed``, without arrays: fields ``index`` (of the structure), ``repeat`` and
``n_atoms``. A size that was begun is timed, or left because the job was asked to stop; whoever was killed has said
neither. Of a size that was timed there is also what :mod:`crucible_engine.tasks.speed.run` says of it."""
SIZE_OUTCOMES = ("measured", "out-of-memory", "killed", "not-tried")
MEASURED = ("first_call", "milliseconds_per_step", "fastest", "slowest", "with_warm_up")
"""Fields of a size that was timed."""

Check = Callable[[Record], None]
"""Checks the next record of a journal.

:raises ValueError: one line.
"""


def evaluation_check(sizes: Sequence[int], stress: bool, n_members: int = 0) -> Check:
    """Return the check of the records of ``evaluate``, one after the other.

    :param sizes: atoms of each structure of the job.
    :param stress: whether stresses were asked for.
    :param n_members: of the model; 0 where it gives no ensemble.
    """
    ends = [0, *accumulate(sizes)]
    done = 0

    def check(record: Record) -> None:
        nonlocal done
        _require_kind(record, EVALUATIONS)
        if record.fields.get("start") != done:
            raise ValueError(f"start is not {done}, the next structure")
        require_layout(record.arrays, {"n_atoms": Layout("i", (None,))})
        stop = done + len(record.arrays["n_atoms"])
        if not done < stop <= len(sizes) or record.arrays["n_atoms"].tolist() != list(sizes[done:stop]):
            raise ValueError("n_atoms are not those of the structures")
        require_layout(record.arrays, property_layouts(stop - done, ends[stop] - ends[done], stress, n_members))
        done = stop

    return check


def relaxation_check(sizes: Sequence[int]) -> Check:
    """Return the check of the records of ``relax``."""
    recorded = [0] * len(sizes)

    def check(record: Record) -> None:
        _require_kind(record, EVALUATED, RELAXED, RELAXED_MEMBER)
        index = _whole_number(record, "index", len(sizes) - 1)
        if record.kind == EVALUATED:
            start = _whole_number(record, "start", recorded[index])
            require_type("stress", record.fields.get("stress"), bool)
            require_layout(record.arrays, _evaluated_layouts(record, sizes[index]))
            recorded[index] = start + len(record.arrays["steps"])
            return
        _whole_number(record, "steps", LARGEST_WHOLE_NUMBER)
        require_type("outcome", record.fields.get("outcome"), str)
        if record.kind == RELAXED_MEMBER:
            _whole_number(record, "member", LARGEST_WHOLE_NUMBER)
            require_type("energy", record.fields.get("energy"), float | None)
            require_layout(record.arrays, {"cell": Layout("f", (3, 3))})
            return
        geometry = {"positions": Layout("f", (sizes[index], 3)), "cells": Layout("f", (1, 3, 3))}
        require_layout(record.arrays, {**geometry, **property_layouts(1, sizes[index], stress=True)})

    return check


def _evaluated_layouts(record: Record, n_atoms: int) -> dict[str, Layout]:
    require_layout(record.arrays, {"steps": Layout("i", (None,))})
    count = len(record.arrays["steps"])
    vectors = Layout("f", (count, n_atoms, 3))
    return {
        "positions": vectors,
        "cells": Layout("f", (count, 3, 3)),
        "energies": Layout("f", (count,)),
        "forces": vectors,
        "stresses": Layout("f", (count, 6)),
    }


def _whole_number(record: Record, name: str, largest: int) -> int:
    value: Any = record.fields.get(name)
    require_type(name, value, int)
    if not 0 <= value <= largest:
        raise ValueError(f"{name} is {value}, where 0 to {largest} were expected")
    return int(value)


def tile_check(shapes: dict[tuple[int, int], tuple[int, int]] | None) -> Check:
    """Return the check of the records of ``similarity``.

    :param shapes: of the similarities of each tile of the kernel; ``None`` where they are not known.
    """

    def check(record: Record) -> None:
        _require_kind(record, TILE)
        require_type("tile", record.fields.get("tile"), tuple[int, int])
        tile: Any = tuple(record.fields["tile"])
        if shapes is not None and tile not in shapes:
            raise ValueError(f"the kernel has no tile {tile}")
        shape = (None, None) if shapes is None else shapes[tile]
        require_layout(record.arrays, {"similarities": Layout("f", shape)})

    return check


def speed_check(n_structures: int, repeats: Sequence[int]) -> Check:
    """Return the check of the records of ``speed``."""

    def check(record: Record) -> None:
        _require_kind(record, SIZE_BEGUN, SIZE_LEFT, SIZE_TIMED)
        _whole_number(record, "index", n_structures - 1)
        if (repeat := _whole_number(record, "repeat", LARGEST_WHOLE_NUMBER)) not in repeats:
            raise ValueError(f"repeat is {repeat}, which was not asked for")
        _whole_number(record, "n_atoms", LARGEST_WHOLE_NUMBER)
        require_layout(record.arrays, {})
        if record.kind != SIZE_TIMED:
            return
        outcome = record.fields.get("outcome")
        if outcome not in SIZE_OUTCOMES:
            raise ValueError(f"outcome is {outcome!r}, not one of {', '.join(SIZE_OUTCOMES)}")
        for name in MEASURED if outcome == "measured" else ():
            require_type(name, record.fields.get(name), float)
            if not record.fields[name] > 0:
                raise ValueError(f"{name} is {record.fields[name]}, which is no time")
        if outcome != "measured":
            require_type("reason", record.fields.get("reason"), str)

    return check


def property_layouts(n_structures: int, n_atoms: int, stress: bool, n_members: int = 0) -> dict[str, Layout]:
    """Return what the arrays of evaluations have to be.

    :param n_atoms: of all of them together.
    :param n_members: of the model; 0 where it gives no ensemble.
    """
    layouts = {"energies": Layout("f", (n_structures,)), "forces": Layout("f", (n_atoms, 3))}
    if stress:
        layouts["stresses"] = Layout("f", (n_structures, 6))
    if not n_members:
        return layouts
    ensemble = {
        f"ensemble_{name}": Layout("f", (layout.shape[0], n_members, *layout.shape[1:]))
        for name, layout in layouts.items()
    }
    return {**layouts, **ensemble}


def _require_kind(record: Record, *kinds: str) -> None:
    if record.kind not in kinds:
        raise ValueError(f"it is of kind {record.kind!r}, not of {' or '.join(kinds)}")
