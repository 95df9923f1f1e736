"""Whatever is typed, a command does it or ends with one line that begins with ``Error:``, and stores nothing then."""

from __future__ import annotations

import warnings

import pytest
from aiida.orm import Node, QueryBuilder
from fuzzing import fuzz
from hostile_words import try_command


@pytest.fixture
def attempt(localhost, uv_that_installs_nothing, tmp_path, monkeypatch):
    """Return one try, see :data:`fuzzing.Attempt`."""
    monkeypatch.chdir(tmp_path)

    def attempt(rng):
        before = QueryBuilder().append(Node).count()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            message = try_command(rng, tmp_path)
        if message is not None:
            assert QueryBuilder().append(Node).count() == before
        return message

    return attempt


@pytest.mark.slow
def test_fifty_hostile_commands(attempt):
    fuzz(attempt, 50, always_the_same=True)


@pytest.mark.long
def test_a_thousand_hostile_commands(attempt):
    fuzz(attempt, 1000, always_the_same=False)
