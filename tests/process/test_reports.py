"""What a WorkChain reports while it runs in the foreground is in the provenance, and doubts are on the screen."""

from __future__ import annotations

import pytest
from aiida.orm import Log, QueryBuilder
from ase.build import bulk
from click.testing import CliRunner

from aiida_crucible.cli import main
from aiida_crucible.nodes import ModelData
from aiida_crucible.nodes.structures import from_atoms

pytestmark = pytest.mark.slow


def test_reports_are_kept_and_a_failed_verification_is_said(code):
    """ASE's Lennard-Jones takes all species for one; the protocol goes on with it."""
    settings = {"factory": "ase.calculators.lj:LennardJones", "arguments": {"sigma": 2.3, "epsilon": 0.4, "rc": 6.0}}
    model = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    crystal = from_atoms(bulk("Cu")).store()
    before = QueryBuilder().append(Log).count()
    arguments = ["launch", "relax", str(crystal.pk), "-m", str(model.pk), "--code", code.full_label]
    ended = CliRunner().invoke(main, [*arguments, "--protocol", "pto-test", "--yes"])
    assert ended.exit_code == 0, ended.output
    assert "the model failed its verification (" in ended.output and "ignores-species" in ended.output
    reports = QueryBuilder().append(Log, project="message").all(flat=True)
    assert len(reports) > before
    assert any("failed its verification" in text for text in reports)
