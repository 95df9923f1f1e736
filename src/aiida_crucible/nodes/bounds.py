"""How much is read of what somebody else made: beyond it one line is said, before memory or hours are gone."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

LARGEST_TEXT = 2**30
"""Bytes of a YAML file, after decompression."""

LARGEST_STRUCTURE = 2**28
"""Bytes of a file with a structure, after decompression."""

LARGEST_TRAJECTORY = 2**40
"""Bytes of a trajectory that is read frame by frame, after decompression."""

LONGEST_LINE = 2**24
"""Characters of a line in a text: those of a frame's cell and settings have a few thousand."""

LARGEST_RESULTS = 2**27
"""Bytes of a ``results.json``: its summary has a few hundred for each structure."""

LARGEST_JOURNAL = 2**32
"""Bytes of the journal of an unfinished job, which is in memory while it is parsed."""

LARGEST_ANSWER = 2**22
"""Bytes of what an environment says of itself."""

LARGEST_SAYING = 2**16
"""Bytes at the end of a log or a progress file that are looked at."""

LARGEST_MARGIN = 2**22
"""Bytes that a file of arrays may have beyond the arrays themselves: names, headers, tables of contents."""

LARGEST_EXPANSION = 200
"""Times its size that a published zip file may hold: texts and data bases shrink to a tenth, a bomb to a thousandth."""

MOST_MEMBERS = 2**22
"""Members of a zip file: the archive of a benchmark has some ten thousand."""

LONGEST_NUMBER = 1000
"""Digits of an integer in YAML: the time to read it grows with the square of them."""

LARGEST_SUPERCELL = 20_000
"""Atoms: force constants of more fill the memory of any computer."""


def read_bounded(stream: IO[bytes], limit: int) -> bytes:
    """Return what a stream holds, decompressed or not.

    :raises ValueError: one line, if it holds more than ``limit`` bytes.
    """
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
