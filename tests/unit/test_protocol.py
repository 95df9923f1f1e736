"""Whoever changes a number that a task returns has to raise the protocol: by it alone AiiDA's cache knows old ones."""

from __future__ import annotations

import golden_numbers
import pytest
from rounding_noise import rounding_noise
from seeds import chosen_seed

from crucible_engine.tasks import parameters
from crucible_engine.tasks.relax import relaxation
from crucible_engine.wire import schema


@pytest.fixture(scope="module")
def stored():
    return golden_numbers.read_stored()


def test_the_numbers_are_those_of_this_protocol(stored):
    assert stored["protocol"] == schema.PROTOCOL, (
        f"the stored numbers belong to protocol {stored['protocol']}: run 'python tests/helpers/golden_numbers.py'"
    )
    assert sorted(stored["numbers"]) == sorted(golden_numbers.CASES), (
        "the stored cases are others: run 'python tests/helpers/golden_numbers.py'"
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", golden_numbers.CASES)
def test_no_number_changes_while_the_protocol_stays(stored, case):
    computed = golden_numbers.plain(golden_numbers.CASES[case]())
    changed = list(golden_numbers.differences(stored["numbers"].get(case), computed))
    assert not changed, f"PROTOCOL is still {schema.PROTOCOL}, but {changed[0]}; {golden_numbers.REMEDY}"


NOISY = ("evaluate, batches of 3", "relax, FIRE, full", "relax, symmetry kept", "verify", "dynamics, npt-mtk")
"""Of each task that computes with a model; the others, and more noise, have the long tests."""


@pytest.mark.slow
@pytest.mark.parametrize("case", NOISY)
def test_no_stored_number_rests_on_rounding(stored, case):
    with rounding_noise(chosen_seed()):
        changed = changed_in(case, stored)
    assert not changed, f"another processor would give another number: {changed[0]}"


@pytest.mark.long
@pytest.mark.parametrize("case", golden_numbers.CASES)
def test_no_stored_number_rests_on_rounding_whatever_the_noise(stored, case):
    first = chosen_seed()
    for seed in range(first, first + 20):
        with rounding_noise(seed):
            assert not changed_in(case, stored), f"noise {seed}"


def test_noise_reaches_the_numbers(stored):
    case = "relax, LBFGS, full"
    undisturbed = golden_numbers.plain(golden_numbers.CASES[case]())
    with rounding_noise(chosen_seed()):
        disturbed = golden_numbers.plain(golden_numbers.CASES[case]())
    assert disturbed != undisturbed


def changed_in(case: str, stored) -> list[str]:
    computed = golden_numbers.plain(golden_numbers.CASES[case]())
    return list(golden_numbers.differences(stored["numbers"][case], computed))


def test_another_default_is_noticed(stored, monkeypatch):
    changed = parameters.Parameter(float, 0.011, "eV/Å", 0.0, 10.0, exclusive=True)
    monkeypatch.setitem(parameters.PARAMETERS["relax"], "fmax", changed)
    assert changed_in("constants", stored) == ["defaults/relax/fmax: 0.01 became 0.011"]


@pytest.mark.parametrize(("optimizer", "argument", "value"), [("FIRE", "dt", 0.11), ("LBFGS", "alpha", 70.1)])
def test_another_argument_of_an_optimizer_is_noticed(stored, monkeypatch, optimizer, argument, value):
    _, arguments = relaxation.OPTIMIZERS[optimizer]
    monkeypatch.setitem(arguments, argument, value)
    assert changed_in(f"relax, {optimizer}, full", stored)
    assert changed_in("constants", stored)


def test_the_script_does_not_hide_a_change(monkeypatch, tmp_path):
    monkeypatch.setattr(golden_numbers, "CASES", {"constants": golden_numbers.constants})
    monkeypatch.setattr(golden_numbers, "STORED", tmp_path / "golden_numbers.json")
    assert golden_numbers.main() is None
    monkeypatch.setattr(relaxation, "RUNAWAY_FACTOR", 4.0)
    assert "PROTOCOL is still" in golden_numbers.main()
    monkeypatch.setattr(golden_numbers, "PROTOCOL", schema.PROTOCOL + 1)
    assert golden_numbers.main() is None
