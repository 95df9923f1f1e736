"""PhononWorkChain with ASE's EMT: copper is stable, what cannot be is said in one line or as an outcome."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_crucible.structures import from_atoms
from aiida_crucible.workflows.phonon import PhononWorkChain


@pytest.fixture
def fcc():
    """Return primitive copper, 2 % too large."""
    return from_atoms(bulk("Cu", a=3.68))


def test_copper_is_relaxed_displaced_evaluated_and_stable(code, model, fcc):
    builder = PhononWorkChain.get_builder_from_protocol(code, model, fcc, "fast")
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    print(results["summary"].get_dict())
    print(sorted(results))
