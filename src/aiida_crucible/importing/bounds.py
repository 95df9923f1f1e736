"""How much is read of a file that somebody else made: beyond it one line is said, before memory or hours are gone."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

LARGEST_TEXT = 2**30
"""Bytes of a file that is read as a whole (YAML, structures), after decompression."""

LONGEST_NUMBER = 1000
"""Digits of an integer in YAML: the time to read it grows with the square of them."""

LARGEST_SUPERCELL = 20_000
"""Atoms: force constants of more fill the memory of any computer."""


def read_bounded(stream: IO[bytes], limit: int | None = None) -> bytes:
    """Return what a stream holds, decompressed or not.

    :raises ValueError: one line, if it holds more than ``limit`` bytes (:data:`LARGEST_TEXT` where none is given).
    """
    limit = LARGEST_TEXT if limit is None else limit
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it holds more than {limit} bytes: nothing of that size belongs there")
    return content


def check_supercell_size(n_atoms: int, matrix: Any) -> None:
    """Refuse a supercell that nobody has computed, before its atoms are made.

    :param n_atoms: of the unit cell.
    :param matrix: shape [3, 3].
    :raises ValueError: one line.
    """
    size = n_atoms * abs(float(np.linalg.det(np.asarray(matrix, dtype=float))))
    if not size < LARGEST_SUPERCELL:
        raise ValueError(
            f"the supercell would have {size:.3g} atoms, more than {LARGEST_SUPERCELL}: give a smaller one"
        )
