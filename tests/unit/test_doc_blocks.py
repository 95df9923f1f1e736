"""The documentation's blocks: every page says where they run, and what is not run is listed with its reason."""

from __future__ import annotations

import pytest
from doc_blocks import ROOT, Block, commands_of, not_run, pages, read_page, said

PAGES = pages()
NOT_RUN = ROOT / "tests" / "data" / "blocks_not_run.txt"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_with_something_to_do_says_where_it_runs(page):
    if page.place is None:
        runs = [
            block
            for block in page.blocks
            if block.reason is None and block.language not in ("", "text", "yaml", "{toctree}")
        ]
        assert not runs, (
            f"{page.name}.md:{runs[0].line}: say `<!-- test: page … -->` on top, see tests/helpers/doc_blocks.py"
        )
        assert page.path.parent.name not in ("tutorials", "howto"), "these are run, whatever they hold"


def test_every_block_that_is_not_run_is_listed_with_its_reason():
    """Whoever adds one says so in the list; `.venv/bin/python tests/helpers/doc_blocks.py` writes it."""
    assert not_run() == NOT_RUN.read_text(encoding="utf-8").splitlines()
    assert all(len(block.reason.split()) > 3 for page in PAGES for block in page.blocks if block.reason), "say why"


def test_every_example_is_run_by_a_page():
    text = "\n".join(block.text for page in PAGES for block in page.blocks if not block.reason)
    assert not [path.name for path in (ROOT / "examples").glob("*.py") if path.name not in text]


def read(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return read_page(path)


def test_a_page_is_read_as_it_stands(tmp_path):
    page = read(
        tmp_path,
        "<!-- test: page cheap long -->\n<!-- test: set up emt -->\n# A page\n\n<!-- test: let PK = 12 -->\n"
        "<!-- test: ends with 3 -->\n```console\n$ run PK\nsaid\n```\n\n- a list\n  ```python\n  x = 1\n  ```\n\n"
        "```{code-block} yaml\n:caption: a/b.yaml\n\nx: 1\n```\n<!-- test: not here: no such\nmachine -->\n"
        "```bash\nsrun\n```\n",
    )
    assert (page.place, page.is_long, page.families) == ("cheap", True, ("emt",))
    word, shell, python, file, left_out = page.steps
    assert (word.kind, word.words, word.line) == ("let", ("PK", "12"), 5)
    assert (shell.language, shell.status, commands_of(shell)) == ("console", 3, ("run PK", "said"))
    assert (python.text, file.caption, file.text) == ("x = 1\n", "a/b.yaml", "x: 1\n")
    assert (left_out.reason, left_out.line) == ("no such machine", 24)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- test: skip -->\n```console\nx\n```\n",
        "<!-- test: page moon -->\n",
        "```console\nx\n```\n<!-- test: page cheap -->\n",
        "```console\nx\n```\n<!-- test: ends with 3 -->\n",
    ],
)
def test_words_that_are_not_in_the_vocabulary_are_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"page\.md"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("expected", "written", "missing"),
    [
        ("a   1.32\n--- ---\nb", "first\n a 1.33\nthen\nb\n", None),
        ("a 1.32", "a 1.38", "a 1.32"),
        ("a 12", "a 13", "a 12"),
        ("E = \u22121e-05 eV", "E = -1.01e-05 eV", None),
        ("a\nb", "b\na", "b"),
        ("PK … ends", "PK 17 of Cu2 ends", None),
        ("one line", "one line more", "one line"),
        ("…\nb", "a\nb", None),
    ],
)
def test_what_is_shown_has_to_be_written(expected, written, missing):
    assert said(expected, written) == missing


def test_numbers_that_are_others_each_time_need_only_be_numbers():
    assert said("PK 12 took 3.4 s", "PK 7 took 100 s", any_numbers=True) is None
    assert said("PK 12 took 3.4 s", "PK x took 100 s", any_numbers=True) == "PK 12 took 3.4 s"


def test_a_block_without_prompts_is_all_commands():
    assert commands_of(Block("console", "a\nb\n", 1)) == ("a\nb\n", "")
