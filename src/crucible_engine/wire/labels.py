"""Labels on the wire: one ``.npz`` beside the structures that they are of.

Members: ``energies`` float64 [n_structures] (eV), ``forces`` float64 [n_atoms_total, 3] (eV/Å, all structures one after
the other), ``stresses`` float64 [n_structures, 6] (eV/Å³, ASE's sign, Voigt; NaN where a structure has none), ``sides``
int64 [n_structures] (numbers of :data:`crucible_engine.wire.training.SIDES`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from crucible_engine.wire.arrays import Layout, read_arrays, require_layout
from crucible_engine.wire.schema import Condition, EngineError
from crucible_engine.wire.training import SIDES


@dataclass(frozen=True)
class Labels:
    """What structures are labelled with, as in the file."""

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    sides: NDArray[np.int64]

    def on(self, side: str) -> NDArray[np.int64]:
        """Return the indices of the structures on a side."""
        return np.flatnonzero(self.sides == SIDES.index(side))


def write_labels(target: str | Path | IO[bytes], labels: Labels) -> None:
    """Write labels to an ``.npz``."""
    np.savez(
        target,
        energies=labels.energies.astype(np.float64),
        forces=labels.forces.astype(np.float64),
        stresses=labels.stresses.astype(np.float64),
        sides=labels.sides.astype(np.int64),
    )


def read_labels(path: Path, n_structures: int, n_atoms: int) -> Labels:
    """Return the labels of structures.

    :param n_atoms: of all structures together.
    :raises EngineError: ``INVALID_JOB``, with one line: the file is missing or damaged, does not belong to the
        structures, holds energies or forces that are no finite numbers, or a side has no structure that needs one.
    """
    try:
        arrays = read_arrays(path)
        layouts = {
            "energies": Layout("f", (n_structures,)),
            "forces": Layout("f", (n_atoms, 3)),
            "stresses": Layout("f", (n_structures, 6)),
            "sides": Layout("i", (n_structures,)),
        }
        require_layout(arrays, layouts)
        labels = Labels(**{name: arrays[name] for name in layouts})
        _require_sense(labels)
    except FileNotFoundError:
        raise EngineError(Condition.INVALID_JOB, f"{path.name} is missing: a training needs labels") from None
    except ValueError as error:
        raise EngineError(Condition.INVALID_JOB, f"{path.name} cannot be used: {error}") from error
    return labels


def _require_sense(labels: Labels) -> None:
    for name in ("energies", "forces"):
        if not np.isfinite(getattr(labels, name)).all():
            raise ValueError(f"{name} hold what is no finite number")
    if np.isinf(labels.stresses).any():
        raise ValueError("stresses hold infinity")
    if not np.isin(labels.sides, range(len(SIDES))).all():
        raise ValueError(f"sides are numbers from 0 to {len(SIDES) - 1}")
    for side in SIDES[:2]:
        if not len(labels.on(side)):
            raise ValueError(f"no structure is on the side {side!r}, which needs one")


def digest_of_labels(path: Path) -> str:
    """Return the hexadecimal sha256 of all numbers in a file of labels.

    :raises EngineError: ``INVALID_JOB``, if it is missing or damaged.
    """
    try:
        arrays = read_arrays(path)
    except FileNotFoundError:
        raise EngineError(Condition.INVALID_JOB, f"{path.name} is missing: a training needs labels") from None
    except ValueError as error:
        raise EngineError(Condition.INVALID_JOB, f"{path.name} cannot be used: {error}") from error
    state = hashlib.sha256()
    for name in sorted(arrays):
        state.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        state.update(np.ascontiguousarray(arrays[name]).tobytes())
    return state.hexdigest()
