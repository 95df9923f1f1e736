"""Noise of the size of rounding errors in what golden numbers are computed from.

Another processor, another BLAS or another number of threads rounds otherwise. A number that follows from such noise
must not be stored, nor compared: inputs that are passed through :func:`disturbed` say which ones do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms

SIZE = 1e-13
"""Relative, some hundred times that of a single rounding."""

_generators: list[np.random.Generator] = []


@contextmanager
def rounding_noise(seed: int) -> Iterator[None]:
    """Let :func:`disturbed` disturb inside this context."""
    _generators.append(np.random.default_rng(seed))
    try:
        yield
    finally:
        _generators.pop()


def disturbed(values: Any) -> Any:
    """Return numbers, or the cell and positions of ``Atoms``, with relative noise; as they are outside the context."""
    if not _generators:
        return values
    if isinstance(values, Atoms):
        atoms = values.copy()
        atoms.set_cell(disturbed(atoms.cell.array))
        atoms.positions = disturbed(atoms.positions)
        return atoms
    array = np.asarray(values, dtype=float)
    noisy = array * (1 + SIZE * _generators[-1].standard_normal(array.shape))
    return float(noisy) if np.isscalar(values) else noisy
