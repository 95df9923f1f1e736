"""Results of a crystal that has a label of its own are found by queries as well."""

from __future__ import annotations

import pytest
from aiida.orm import QueryBuilder, StructureData
from ase.build import bulk
from click.testing import CliRunner

from aiida_crucible.cli import main
from aiida_crucible.nodes.structures import from_atoms


@pytest.mark.slow
def test_a_relaxed_crystal_keeps_its_label_and_is_found_by_its_extras(code, model):
    given = from_atoms(bulk("Cu", a=3.6, cubic=True))
    given.label = "my copper"
    given.store()
    words = ["launch", "relax", str(given.pk), "-m", "emt", "--code", code.full_label, "--protocol", "fast", "--yes"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    wanted = {"extras.crucible_formula": "Cu", "extras.crucible_model": "emt"}
    (relaxed,) = QueryBuilder().append(StructureData, filters=wanted).all(flat=True)
    assert relaxed.pk != given.pk
    assert relaxed.label == "my copper"
    assert "crucible_model" not in given.base.extras.all
