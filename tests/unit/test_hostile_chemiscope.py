"""A map's chemiscope file, maybe of an archive of somebody else's, is read as plain JSON of a bounded size."""

from __future__ import annotations

import contextlib
import io
from types import SimpleNamespace

import numpy as np
import pytest

from aiida_crucible.report.sections.configuration_space import sigma_of


def finding(content):
    @contextlib.contextmanager
    def opened(mode):
        assert mode == "rb"
        yield io.BytesIO(content)

    return SimpleNamespace(outputs={"chemiscope": SimpleNamespace(open=opened)})


def test_sigma_is_that_of_the_file():
    content = b'{"properties": {"sigma": {"values": [0.5, null, 1.0]}}}'
    assert sigma_of(finding(content)) == pytest.approx([0.5, np.nan, 1.0], nan_ok=True)
    assert sigma_of(finding(b'{"properties": {}}')) is None


@pytest.mark.parametrize(
    ("content", "message"), [(b"[" * 100_000, "nest"), (b'{"properties": {"sigma": {"values": [NaN]}}}', "NaN")]
)
def test_hostile_content_is_refused_in_one_line(content, message):
    with pytest.raises(ValueError, match=message) as refused:
        sigma_of(finding(content))
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setitem(sigma_of.__globals__, "LARGEST_STRUCTURE", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        sigma_of(finding(b'{"properties": {}}'))
