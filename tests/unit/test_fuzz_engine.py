"""Whatever is in a job's folder, the engine ends with results and one line, or computes."""

from __future__ import annotations

import pytest
from fuzzing import fuzz
from hostile_engine import attempt, make_templates


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    return make_templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def try_once(templates, tmp_path):
    return lambda rng: attempt(rng, templates, tmp_path / "job")


@pytest.mark.slow
def test_fifty_hostile_jobs(try_once):
    fuzz(try_once, 50, always_the_same=True)


@pytest.mark.long
def test_a_thousand_hostile_jobs(try_once):
    fuzz(try_once, 1000, always_the_same=False)
