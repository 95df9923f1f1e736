"""The pages about queues and remote computers: a reader does what they say, on a SLURM and an sshd of our own."""

from __future__ import annotations

import pytest
from doc_blocks import pages
from doc_runner import reader_of


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.long] if page.is_long else [])
        for page in pages()
        if page.place == "cluster"
    ],
)
def test_a_reader_can_do_what_the_page_says(page, sshd, places):
    with reader_of(page, given=places) as reader:
        sshd.write_user_files(reader.home, "cluster")
        reader.read()
