"""The page on what is trusted names every reader of bytes that there is, and a test of each that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from readers_of_bytes import calls_of, readers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "topics" / "what-is-trusted.md").read_text(encoding="utf-8")
FOREIGN, OWN = PAGE.split("## What is read and not foreign")


def rows(text):
    """Return the cells of each row of the tables whose first cell names modules."""
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([a-z_/]+\.py)`", row[0]), row) for row in cells]


def test_every_module_that_reads_is_on_the_page():
    named = [module for text in (FOREIGN, OWN) for modules, _ in rows(text) for module in modules]
    assert len(named) == len(set(named)), "a module is in one row"
    found = readers()
    missing = {module: sorted(calls) for module, calls in found.items() if module not in named}
    assert not missing, f"say in docs/topics/what-is-trusted.md how they read, and test it: {missing}"
    assert not set(named) - set(found), "these read nothing any more"


@pytest.mark.parametrize(("modules", "row"), rows(FOREIGN), ids=lambda value: value[0] if len(value) < 5 else "row")
def test_every_reader_of_foreign_bytes_has_a_test(modules, row):
    tests = re.findall(r"`(\w+\.py)`", row[-1])
    assert tests, f"{modules} have no test"
    assert all(list((ROOT / "tests").rglob(test)) for test in tests)


def test_nothing_reads_pickles_but_for_what_is_trusted():
    unsafe = {"pickle.load", "pickle.loads", "yaml.unsafe_load", "yaml.full_load", "eval", "exec", "__import__"}
    assert not {module for module, calls in readers().items() if calls & unsafe}
    source = (ROOT / "src").rglob("*.py")
    texts = {path.name: path.read_text(encoding="utf-8") for path in source}
    assert {name for name, text in texts.items() if "weights_only=False" in text} == {"torch_checkpoint.py"}
    assert not {name for name, text in texts.items() if "allow_pickle=True" in text}


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("np.load(path)", True),
        ("yaml.safe_load(text)", True),
        ("path.open()", True),
        ("path.open('r+b')", True),
        ("open(path, mode='rb')", True),
        ("path.open('wb')", False),
        ("open(path, 'a')", False),
        ("ase.io.read(path)", True),
        ("stream.read(10)", False),
        ("model.eval()", False),
        ("eval(text)", True),
    ],
)
def test_a_reader_is_seen_in_the_source(code, seen):
    import ast

    assert bool(list(calls_of(ast.parse(code)))) is seen
