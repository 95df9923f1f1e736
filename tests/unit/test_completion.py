"""The shells that the page on completion names get an answer, and the script that asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import ROOT

PROGRAM = Path(sys.executable).with_name("aiida-crucible")
PAGE = (ROOT / "docs" / "howto" / "shell-completion.md").read_text(encoding="utf-8")


def answer(instruction, **words):
    environment = {**os.environ, "_AIIDA_CRUCIBLE_COMPLETE": instruction, **words}
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_this_program(shell):
    status, script = answer(f"{shell}_source")
    assert status == 0
    assert f"_AIIDA_CRUCIBLE_COMPLETE={shell}_complete" in script
    assert f"_AIIDA_CRUCIBLE_COMPLETE={shell}_source aiida-crucible" in PAGE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "word", "found"),
    [
        ("aiida-crucible ", "", {"run", "env", "model", "setup", "status"}),
        ("aiida-crucible env ", "", {"create", "list", "check", "remove"}),
        ("aiida-crucible model verify --a", "--a", {"--again"}),
        ("aiida-crucible run --prot", "--prot", {"--protocol"}),
    ],
)
def test_words_are_completed(shell, line, word, found):
    position = str(len(line.split()) - bool(word))
    words = {"COMP_WORDS": line, "COMP_CWORD": word if shell == "fish" else position}
    status, written = answer(f"{shell}_complete", **words)
    assert status == 0
    assert found <= {part for each in written.splitlines() for part in each.replace("\t", ",").split(",")}
