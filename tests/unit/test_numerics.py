"""Whoever changes a number of the analysis has to raise the NUMERICS of its calcfunctions: caching follows the file."""

from __future__ import annotations

from pathlib import Path

import golden_analysis
import pytest
from rounding_noise import rounding_noise
from seeds import chosen_seed

import aiida_crucible
from aiida_crucible.analysis.phonons import spectra
from aiida_crucible.analysis.verdict import reliability


@pytest.fixture(scope="module")
def stored():
    return golden_analysis.read_stored()


def test_every_file_of_calcfunctions_has_golden_numbers(stored):
    files = {Path(str(module.__file__)) for module, _ in golden_analysis.CASES.values()}
    assert files == set(Path(aiida_crucible.__file__).parent.rglob("*calcfunctions.py"))
    assert set(golden_analysis.CASES) == set(stored)


@pytest.mark.parametrize("case", golden_analysis.CASES)
def test_the_numbers_are_those_of_this_numerics(stored, case):
    numerics = golden_analysis.CASES[case][0].NUMERICS
    assert stored[case]["numerics"] == numerics, (
        f"the stored numbers of {case} belong to NUMERICS {stored[case]['numerics']}: "
        "run 'python tests/helpers/golden_analysis.py'"
    )


@pytest.mark.parametrize("case", golden_analysis.CASES)
def test_no_number_changes_while_numerics_stays(stored, case):
    module, _ = golden_analysis.CASES[case]
    changed = golden_analysis.changes(case, stored)
    assert not changed, f"NUMERICS is still {module.NUMERICS}, but {changed[0]}; {golden_analysis.remedy(module)}"


@pytest.mark.parametrize("case", golden_analysis.CASES)
def test_no_stored_number_rests_on_rounding(stored, case):
    with rounding_noise(chosen_seed()):
        changed = golden_analysis.changes(case, stored)
    assert not changed, f"another processor would give another number: {changed[0]}"


@pytest.mark.long
@pytest.mark.parametrize("case", golden_analysis.CASES)
def test_no_stored_number_rests_on_rounding_whatever_the_noise(stored, case):
    first = chosen_seed()
    for seed in range(first, first + 20):
        with rounding_noise(seed):
            assert not golden_analysis.changes(case, stored), f"noise {seed}"


def test_noise_reaches_the_numbers():
    _, compute = golden_analysis.CASES["harmonic_comparison"]
    undisturbed = golden_analysis.plain(compute())
    with rounding_noise(chosen_seed()):
        disturbed = golden_analysis.plain(compute())
    assert disturbed != undisturbed


def test_another_cutoff_of_the_thermal_properties_is_noticed(stored, monkeypatch):
    monkeypatch.setattr(spectra, "TRANSLATION_CUTOFF", 2.0)
    assert any(line.startswith("thermal/") for line in golden_analysis.changes("phonons", stored))


def test_another_answer_is_noticed(stored, monkeypatch):
    tolerance = reliability.Parameter(float, 0.5, "relative", 0.0, 1.0)
    monkeypatch.setitem(reliability.THRESHOLDS, "lattice_tolerance", tolerance)
    assert any("lattice/answer" in line for line in golden_analysis.changes("reliability", stored))


def test_the_script_does_not_hide_a_change(monkeypatch, tmp_path):
    module, _ = golden_analysis.CASES["reliability"]
    monkeypatch.setattr(golden_analysis, "STORED", tmp_path / "golden_analysis.json")
    monkeypatch.setattr(golden_analysis, "CASES", {"reliability": (module, lambda: {"number": 1.0})})
    assert golden_analysis.main() is None
    monkeypatch.setattr(golden_analysis, "CASES", {"reliability": (module, lambda: {"number": 1.1})})
    assert "NUMERICS is still" in golden_analysis.main()
    monkeypatch.setattr(module, "NUMERICS", module.NUMERICS + 1)
    assert golden_analysis.main() is None
