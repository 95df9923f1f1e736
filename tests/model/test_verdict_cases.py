"""Verdicts on crystals of which it is known what is right; that of a melt is in ``tests/process/test_reliability``."""

from __future__ import annotations

import json

import pytest
from aiida.orm import InstalledCode
from click.testing import CliRunner

from aiida_crucible.cli import main

pytestmark = [pytest.mark.model, pytest.mark.long, pytest.mark.timeout(7200)]

AT_ZERO = "all is as it should be for {} at 0 K; hot it was not run"
HOT_EMT = ["--protocol", "fast", "--overrides", "{sweep: {parameters: {supercell_matrix: [3, 3, 3]}}}"]
TETRAGONAL = ["pto-test:tetragonal", "-m", "chgnet", "--protocol", "fast"]
CUBIC = ["pto-test:cubic", "-m", "chgnet", "--protocol", "fast", "--expect", "stable=no"]

CASES = {
    # Imaginary at N, where experiment and density functional theory have bcc iron stable.
    "bcc iron": (["Fe:bcc", "-m", "chgnet"], 2, "it is wrong about dynamical stability: an imaginary mode"),
    "silicon": (["Si:diamond:5.43", "-m", "chgnet"], 3, AT_ZERO.format("Si (Fd-3m)")),
    "rock salt": (["NaCl:rocksalt:5.64", "-m", "chgnet"], 3, AT_ZERO.format("NaCl (Fm-3m)")),
    "supertetragonal": (TETRAGONAL, 2, "it is wrong about the relaxed crystal: c is"),
    "paraelectric parent": (CUBIC, 3, AT_ZERO.format("PbTiO3 (Pm-3m)")),
    "parent that is said to be stable": (
        [*CUBIC[:-1], "stable=yes"], 2, "it is wrong about dynamical stability: an imaginary mode",
    ),
    "a lattice that no model keeps": (["Ni:fcc:3.0", "-m", "emt"], 2, "it is wrong about the relaxed crystal: a is"),
    "too short": (["Cu:fcc", "-m", "emt", "-T", "300,500", "--steps", "100", *HOT_EMT], 3, "cannot be judged for Cu"),
    "elements that it does not know": (["NaCl:rocksalt:5.64", "-m", "emt"], 1, "which model emt does not know"),
}  # fmt: skip


@pytest.fixture(scope="module")
def code_of(computer, python_of):
    """Return a function from a family to its code."""
    made = {}

    def find(family):
        if family not in made:
            code = InstalledCode(label=family, computer=computer, filepath_executable=str(python_of(family)))
            made[family] = code.store()
        return made[family]

    return find


@pytest.mark.parametrize("case", CASES)
def test_the_headline_is_right(code_of, case):
    words, status, said = CASES[case]
    code = code_of(words[words.index("-m") + 1])
    result = CliRunner().invoke(main, ["run", *words, "--code", code.full_label, "--no-estimate", "--json", "--yes"])
    assert result.exit_code == status, result.output
    told = result.output if status == 1 else next(iter(json.loads(result.stdout).values()))["verdict"]["headline"]
    assert said in told
