"""The seed of a random test: printed, so that pytest shows it where the test fails, and taken from outside."""

from __future__ import annotations

import os
import random

VARIABLE = "CRUCIBLE_TEST_SEED"


def chosen_seed() -> int:
    """Return the seed in ``CRUCIBLE_TEST_SEED``, or one that nobody chose, and print how to have it again."""
    seed = int(os.environ.get(VARIABLE) or random.SystemRandom().randrange(2**32))
    print(f"to have this again: {VARIABLE}={seed}")
    return seed
