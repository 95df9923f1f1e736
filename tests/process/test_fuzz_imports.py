"""Whatever is in a file of another program, its import is made whole or refused in one line and leaves nothing."""

from __future__ import annotations

import warnings

import pytest
from aiida.orm import Node, QueryBuilder
from fuzzing import fuzz
from hostile_files import try_import, write_files


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    write_files(folder)
    return folder


@pytest.fixture
def attempt(originals, tmp_path):
    """Return one try, see :data:`fuzzing.Attempt`."""

    def attempt(rng):
        before = QueryBuilder().append(Node).count()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            message = try_import(rng, originals, tmp_path)
        if message is not None:
            assert QueryBuilder().append(Node).count() == before
        return message

    return attempt


@pytest.mark.slow
def test_fifty_hostile_files(attempt):
    fuzz(attempt, 50, always_the_same=True)


@pytest.mark.long
def test_a_thousand_hostile_files(attempt):
    fuzz(attempt, 1000, always_the_same=False)
