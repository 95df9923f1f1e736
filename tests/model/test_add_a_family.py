"""A package that adds a family, and that is broken; the page of which it is one is run by test_pages."""

import re

import pytest
from doc_blocks import ROOT, read_page
from doc_runner import reader_of

from crucible_engine.families.registry import FAMILIES

PAGE = read_page(ROOT / "docs" / "howto" / "add-a-family.md")

pytestmark = [pytest.mark.model, pytest.mark.slow]


def test_a_foreign_package_that_is_broken_breaks_nothing_else():
    with reader_of(PAGE) as stranger:
        stranger.run("verdi presto")
        stranger.write_files()
        stranger.run("uv pip install --no-deps --editable crucible-morse")
        facts = stranger.folder / "crucible-morse" / "src" / "crucible_morse" / "morse" / "__init__.py"
        facts.write_text("raise RuntimeError('on\\npurpose')\n")
        listed = stranger.run("aiida-crucible model list")
        (line,) = [line for line in listed.splitlines() if "on purpose" in line]
        assert line == "the model family 'morse' of package crucible-morse is left out: RuntimeError: on purpose"
        assert all(re.search(f"^{name} ", listed, re.MULTILINE) for name in FAMILIES if FAMILIES[name].names)
        assert "emt" in stranger.run("aiida-crucible env list || true")
