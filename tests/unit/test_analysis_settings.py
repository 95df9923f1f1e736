"""Settings of phonons and references that are wrong: each is refused in one line that says what is allowed."""

from __future__ import annotations

import math

import pytest

from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.verdict.reliability import check_reference
from crucible_engine.wire.rules import shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mesh": [True, 8, 8]}, "an entry of parameter 'mesh' of phonon is True: give a whole number"),
        ({"mesh": [0, 8, 8]}, "at least 1 and at most 200"),
        ({"mesh": list(range(100_000))}, "three whole numbers"),
        ({"supercell_matrix": [True, True, True]}, "three whole numbers"),
        ({"supercell_matrix": [10**30, 2, 2]}, "at most 1000"),
        ({"supercell_matrix": [[1, 0, 0], [1, 0, 0], [0, 0, 1]]}, "determinant 0"),
        ({"displacement": 5}, "at most 0.3"),
        ({"other_displacements": ["a"]}, "an entry of parameter 'other_displacements'"),
        ({"other_displacements": [0.01]}, "differ from each other and from the displacement"),
        ({"temperature_step": 1e-9}, "more than 10000 temperatures"),
        ({"band_path": [], "band_labels": []}, "one or more"),
        ({1: 2}, "phonon has no parameter 1"),
    ],
)
def test_a_wrong_phonon_setting_is_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=message) as refusal:
        validate_settings(given)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"latice": {}}, "did you mean 'lattice'"),
        ({"source": 5}, "source is 5: give text"),
        ({"lattice": 3.6}, "lattice is 3.6: give a dict of numbers"),
        ({"lattice": {"d": 5}}, "has no 'd'"),
        ({"lattice": {"a": "3.6"}}, "lattice parameter 'a' is '3.6': give a number"),
        ({"lattice": {"a": 0}}, "at least 1 and at most 100"),
        ({"lattice": {"alpha": 270}}, "at most 180"),
        ({"lattice": {"a": math.nan}}, "is nan"),
        ({"energy_differences": {"hcp": 0.1}}, "did you mean 'hcp1'"),
        ({"energy_differences": {"hcp1": True}}, "give a number"),
    ],
)
def test_a_wrong_reference_is_refused(reference, message):
    with pytest.raises(ValueError, match=message):
        check_reference(reference, {"hcp1"})


def test_a_right_reference_is_accepted():
    reference = {"source": "experiment", "lattice": {"a": 3.6, "gamma": 120}, "energy_differences": {"hcp": -0.1}}
    check_reference(reference, {"hcp"})


def test_values_are_shown_within_a_line():
    assert shown([1, 2.5, "a"]) == "[1, 2.5, 'a']"
    assert len(shown(list(range(1000)))) < 80
    assert len(shown("x" * 1000)) < 100
