"""The house is as the page on the architecture says: rooms that are not crowded, and a way through them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PAGE = (ROOT / "docs" / "topics" / "architecture.md").read_text(encoding="utf-8")
FILES = sorted(SOURCE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})
MOST_MODULES = 15
MOST_LINES = 300
MOST_FILES_OF_A_WALK = 20


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_folder_is_crowded(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES


def test_no_module_lies_loose_at_the_top():
    loose = {path.name for path in (SOURCE / "aiida_crucible").glob("*.py")} - {"__init__.py"}
    assert not loose
    # Python runs a package through its module of that name.
    assert {path.name for path in (SOURCE / "crucible_engine").glob("*.py")} == {"__init__.py", "__main__.py"}


def test_no_file_is_long():
    lengths = {path.relative_to(SOURCE).as_posix(): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not {path: length for path, length in lengths.items() if length > MOST_LINES}


def test_every_folder_says_what_it_is():
    assert not [folder for folder in FOLDERS if not (folder / "__init__.py").read_text("utf-8").startswith('"""')]


def test_the_page_names_files_and_folders_that_exist():
    named = re.findall(r"`((?:aiida_crucible|crucible_engine)/[\w/]+(?:\.\w+)?/?)`", PAGE)
    assert len(named) > MOST_FILES_OF_A_WALK
    assert not [name for name in named if not (SOURCE / name).exists()]


def test_the_way_of_a_relaxation_is_short():
    section = PAGE.partition("## A structure on its way")[2].partition("\n## ")[0]
    files = set(re.findall(r"`((?:aiida_crucible|crucible_engine)/[\w/]+\.\w+)`", section))
    assert 10 < len(files) <= MOST_FILES_OF_A_WALK
