"""The pages of the reference that are taken from the code name all that there is of it."""

from __future__ import annotations

import dataclasses
import sys

import pytest
from doc_blocks import ROOT

from crucible_engine.wire.schema import SERIES_COLUMNS, Condition, Job, ModelReference, Results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generated_reference

        yield generated_reference
    finally:
        sys.path.remove(str(ROOT / "docs"))


def test_every_port_of_every_process_is_there_with_its_help(reference):
    page = reference.processes()
    for name, process in reference.process_classes().items():
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for ports in (process.spec().inputs, process.spec().outputs):
            missing = [row[0] for row in reference._ports(ports) if f"{row[0]} " not in section]
            assert not missing, (name, missing)
    assert "`metadata.options.device`" in page


def test_every_exit_code_of_ours_is_there(reference):
    page = reference.exit_codes()
    for name, process in reference.process_classes().items():
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        statuses = {code.status for code in process.spec().exit_codes.values() if code.status >= reference.FIRST_STATUS}
        assert not [status for status in statuses if f"| {status} " not in section], name


def test_the_wire_is_there_field_by_field(reference):
    page = reference.wire(reference.table)
    fields = [field.name for kind in (Job, ModelReference, Results) for field in dataclasses.fields(kind)]
    for word in (*fields, *SERIES_COLUMNS, *(condition.value for condition in Condition)):
        assert f"`{word}`" in page, word
    assert page.count("| `") > len(fields)
    assert "`job.json`" in page and "`run/`" in page
