"""Whatever a builder or a process is given, it takes it or says in one line what is wrong, and stores nothing."""

from __future__ import annotations

import warnings

import pytest
from aiida.orm import Node, QueryBuilder
from aiida.tools import delete_nodes
from ase.build import bulk
from fuzzing import fuzz
from hostile_inputs import Nodes, hostile_values, try_builder, try_inputs

from aiida_crucible.nodes.structures import from_atoms


@pytest.fixture(scope="module")
def nodes(code, model):
    crystal, deleted = (from_atoms(bulk("Cu", cubic=True)).store() for _ in range(2))
    delete_nodes([deleted.pk], dry_run=False)
    return Nodes(code, model, crystal, deleted)


@pytest.fixture
def attempt(nodes):
    """Return one try, see :data:`fuzzing.Attempt`."""
    junk = hostile_values(nodes)

    def attempt(rng):
        before = QueryBuilder().append(Node).count()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            message = rng.choice((try_builder, try_builder, try_inputs))(rng, nodes, junk)
        assert QueryBuilder().append(Node).count() == before
        return message

    return attempt


@pytest.mark.slow
def test_fifty_hostile_inputs(attempt):
    fuzz(attempt, 50, always_the_same=True)


@pytest.mark.long
def test_a_thousand_hostile_inputs(attempt):
    fuzz(attempt, 1000, always_the_same=False)
