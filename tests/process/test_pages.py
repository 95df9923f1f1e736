"""The pages that need no model package: a reader does what they say, from their top to their end."""

from __future__ import annotations

import subprocess
import sys

import pytest
from doc_blocks import ROOT, pages
from doc_runner import reader_of

from aiida_crucible.environments import ModelEnvironmentError, ensure
from aiida_crucible.environments.local import find_uv

PAGES = [
    pytest.param(page, id=page.name, marks=[pytest.mark.long] if page.is_long else [])
    for page in pages()
    if page.place == "cheap"
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def toy():
    """Make the environment of EMT, in which the pages compute."""
    try:
        return ensure("emt")
    except ModelEnvironmentError as error:
        pytest.skip(f"no environment for emt: {error}")


@pytest.fixture(scope="module")
def python_with_examples(tmp_path_factory):
    """Return the Python of an environment with the other plugins that examples use, made on the spot."""
    folder = tmp_path_factory.mktemp("examples") / "venv"
    python = str(folder / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    command = [
        find_uv(),
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--group",
        "examples",
        "--editable",
        str(ROOT),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the plugins of the examples cannot be installed: {done.stderr.strip()[-500:]}")
    return python


@pytest.mark.parametrize("page", PAGES)
def test_a_reader_can_do_what_the_page_says(page, request):
    python = request.getfixturevalue("python_with_examples") if page.packages else sys.executable
    with reader_of(page, python=python) as reader:
        reader.read()
