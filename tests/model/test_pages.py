"""The pages about real models: a reader does what they say, from their top to their end."""

from __future__ import annotations

import pytest
from doc_blocks import pages
from doc_runner import reader_of

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.long] if page.is_long else [])
        for page in pages()
        if page.place == "model"
    ],
)
def test_a_reader_can_do_what_the_page_says(page, python_of):
    for family in page.families:
        python_of(family)
    with reader_of(page) as reader:
        reader.read()
