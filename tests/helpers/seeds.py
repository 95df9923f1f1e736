"""The seed of a random test: printed, so that pytest shows it where the test fails, and taken from outside."""

from __future__ import annotations

import os
import random

VARIABLE = "CRUCIBLE_TEST_SEED"


def chosen_seed(default: int | None = None) -> int:
    """Return the seed in ``CRUCIBLE_TEST_SEED``, or a default, by default a random one; print how to have it again."""
    if default is None:
        default = random.SystemRandom().randrange(2**32)
    seed = int(os.environ.get(VARIABLE) or default)
    print(f"to have this again: {VARIABLE}={seed}")
    return seed
