"""Fuzzing of a border: Hypothesis tries inputs, each of which is accepted or refused in one clear line."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

LONGEST_MESSAGE = 1500
"""Characters; a longer line is none that anybody reads."""
LONGEST_TRY = 60.0
"""Seconds."""

Attempt = Callable[[random.Random], "str | None"]
"""One try at a border: the message, ``None`` where the input was accepted; raises ``AssertionError`` otherwise."""


def fuzz(attempt: Attempt, tries: int, *, always_the_same: bool) -> Counter[str]:
    """Try a border and return how often it said what; see :data:`Attempt`.

    :param attempt: one try.
    :param tries: how many.
    :param always_the_same: the tries of the gate are, where ``CRUCIBLE_TEST_SEED`` says nothing; others draw a seed.
    """
    given_seed = os.environ.get("CRUCIBLE_TEST_SEED")
    said: Counter[str] = Counter()

    @settings(
        max_examples=tries,
        deadline=None,
        database=None,
        derandomize=always_the_same and given_seed is None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
        print_blob=True,
    )
    @given(st.randoms(use_true_random=False))
    def run(rng: random.Random) -> None:
        began = time.monotonic()
        message = attempt(rng)
        assert time.monotonic() - began < LONGEST_TRY
        if message is not None:
            require_one_line(message)
        said[shape_of(message)] += 1

    if given_seed is not None or not always_the_same:
        seed = int(given_seed) if given_seed is not None else random.SystemRandom().randrange(2**32)
        print(f"CRUCIBLE_TEST_SEED={seed}")
        run = hypothesis.seed(seed)(run)
    run()
    print(f"{sum(said.values())} tries, {len(said)} shapes of messages")
    for shape, count in said.most_common():
        print(f"{count:6} {shape}")
    return said


def require_one_line(message: str) -> None:
    """Require that a message is one line that a person can read."""
    assert message.strip(), "the message is empty"
    assert len(message.splitlines()) == 1, f"the message has several lines: {message!r}"
    assert message.isprintable(), f"the message has characters that a terminal obeys: {message!r}"
    assert len(message) <= LONGEST_MESSAGE, f"the message has {len(message)} characters: {message[:200]!r} …"
    assert "Traceback" not in message


def shape_of(message: str | None) -> str:
    """Return a message without its values, as which many are one."""
    if message is None:
        return "(accepted)"
    shape = re.sub(r"/[^\s'\",:;)]+", "PATH", message)
    shape = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "'…'", shape)
    shape = re.sub(r"[\[{(].*[\]})]", "(…)", shape)
    shape = re.sub(r"[-+]?\d[\d.e+,_-]*", "N", shape)
    return shape[:160]
