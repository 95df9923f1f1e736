"""What the answers about a crystal say about the model: cases with a known right answer, each way to be open."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from aiida_crucible.analysis.transitions.detection import STEPS_NEEDED, steps_needed
from aiida_crucible.analysis.verdict.expectations import Expectations, check_known
from aiida_crucible.analysis.verdict.headline import Anharmonicity, Subject, conclude
from aiida_crucible.analysis.verdict.judgements import judge
from aiida_crucible.analysis.verdict.reliability import check_reference

CUBE = {"a": 4.0, "b": 4.0, "c": 4.0, "alpha": 90.0, "beta": 90.0, "gamma": 90.0}
TEMPERATURES = (300.0, 400.0, 500.0, 600.0, 700.0)
SUBJECT = Subject("chgnet 0.3.0", "BaTiO3 (P4mm)")


@dataclass
class Case:
    """What was found of a crystal that is as it should be, but for what a test changes."""

    outcome: str = "converged"
    lattice: dict = field(default_factory=lambda: dict(CUBE))
    verified: str = "yes"
    stable: str = "yes"
    energies: str = "cannot-tell"
    hot: str | None = "yes"
    averages: str = "yes"
    transitions: str = "no"
    reason: str = "no transition in range"
    lost: tuple = ()
    failed: tuple = ()
    sigmas: tuple = ((0.2, "weak"),) * 5
    known: dict = field(default_factory=dict)
    given: dict | None = field(default_factory=lambda: dict(CUBE))
    n_atoms: int | None = 256
    duration: float = 50.0

    def verdict(self):
        answers = {
            "verification": {"answer": self.verified, "reason": "verification found: stress-unit"},
            "lattice": {"answer": "cannot-tell", "reason": "there is no reference for the lattice"},
            "energies": {"answer": self.energies, "reason": "structure < cubic", "evidence": {}},
            "stability": {"answer": self.stable, "reason": "imaginary, -1.30 THz at q = (0.5, 0.5, 0)"},
        }
        kept = [each for each in TEMPERATURES if each not in (*self.lost, *self.failed)]
        if self.hot is not None:
            evidence = {
                "lost_temperatures": list(self.lost),
                "failed_temperatures": list(self.failed),
                "crystal_temperatures": kept,
                "durations": {f"T{each:g}": self.duration for each in kept},
                "stability_time": 50.0,
            }
            answers["finite_temperature"] = {"answer": self.hot, "reason": "at 500 K melted", "evidence": evidence}
            answers["averages"] = {"answer": self.averages, "reason": "5 of 5 temperatures were short"}
            answers["transitions"] = {"answer": self.transitions, "reason": self.reason}
        main = {"outcome": self.outcome, "lattice": self.lattice, "space_group_after": {"number": 99}}
        judged = judge(answers, main, Expectations.of(self.known), self.given, self.n_atoms)
        stability = answers["finite_temperature"]["evidence"] if self.hot is not None else None
        scores = [Anharmonicity(each, *sigma) for each, sigma in zip(TEMPERATURES, self.sigmas, strict=False)]
        return conclude(SUBJECT, judged, stability, scores)


CASES = {
    "as it should be": (Case(), "yes", "up to 700 K"),
    "bcc iron: unstable where the crystal is stable": (
        Case(stable="no", known={"stable": True}),
        "no",
        "dynamical stability",
    ),
    "unstable, and nobody says whether it should be": (Case(stable="no"), "cannot-tell", "nobody says whether"),
    "a paraelectric parent is unstable on purpose": (
        Case(stable="no", known={"stable": False}),
        "yes", "up to 700 K",
    ),
    "a parent that the model makes stable": (Case(known={"stable": False}), "no", "dynamically unstable at 0 K"),
    "supertetragonal PbTiO3": (
        Case(lattice={**CUBE, "c": 5.0}),
        "no", "c is 5 and was 4 in the cell given (+25.0 %)",
    ),
    "melts below the melting point": (
        Case(hot="no", lost=(500.0,), known={"melting_temperature": 1000.0}),
        "no", "though it melts at 1000 K",
    ),
    "one small cell melts alone": (
        Case(hot="no", lost=(700.0,), known={"melting_temperature": 1000.0}, n_atoms=32),
        "cannot-tell", "one run of 32 atoms alone",
    ),
    "melts above it, after runs that were short": (
        Case(hot="no", lost=(600.0, 700.0), known={"melting_temperature": 550.0}, duration=2.0),
        "cannot-tell", "for 2 ps only",
    ),
    "two small cells melt": (
        Case(hot="no", lost=(600.0, 700.0), known={"melting_temperature": 1000.0}, n_atoms=32),
        "no", "though it melts at 1000 K",
    ),
    "melts above it": (
        Case(hot="no", lost=(600.0, 700.0), known={"melting_temperature": 550.0}),
        "yes", "up to 500 K",
    ),
    "melts, nobody knows where": (Case(hot="no", lost=(600.0, 700.0)), "cannot-tell", "--expect melting_temperature"),
    "melts where it exists": (Case(hot="no", lost=TEMPERATURES), "no", "it exists at 300 K"),
    "a broken verification": (Case(verified="no"), "no", "its verification"),
    "exploded while relaxing": (Case(outcome="exploded"), "no", "cannot be relaxed: exploded"),
    "another phase is lower": (Case(energies="no"), "no", "the energies of the phases"),
    "another phase is lower than one that is not stable": (
        Case(energies="no", stable="no", known={"stable": False}),
        "yes", "700 K",
    ),
    "the wrong space group": (Case(known={"space_group": 221}), "no", "space group 99 and not 221"),
    "not run hot": (Case(hot=None), "cannot-tell", "--temperatures 100:600:100"),
    "too short": (
        Case(averages="no", transitions="cannot-tell", reason=STEPS_NEEDED.format(6100)),
        "cannot-tell", "--steps 6100",
    ),
    "runs that failed": (Case(hot="no", failed=(700.0,)), "cannot-tell", "--time-step"),
    "not relaxed in time": (Case(outcome="not-converged"), "cannot-tell", "max_steps"),
    "a guess of a cell": (Case(given=None), "cannot-tell", "--reference"),
    "noisy phonons": (Case(stable="cannot-tell"), "cannot-tell", "--protocol stringent"),
    "a transition that nobody knows of": (
        Case(transitions="yes", reason="first-order at 450 K"),
        "cannot-tell", "--expect transition_temperature",
    ),
    "a transition that is not real": (Case(transitions="yes", known={"transition": False}), "no", "transitions"),
    "a transition that is missed": (
        Case(transitions="no", known={"transition": True}),
        "no", "a transition in the range",
    ),
    "a transition elsewhere": (Case(transitions="no", known={"transition_temperature": 393.0}), "no", "393 K"),
    "a transition that is found": (Case(transitions="yes", known={"transition_temperature": 393.0}), "yes", "700 K"),
    "too few temperatures for it": (
        Case(transitions="not-asked", known={"transition": False}),
        "cannot-tell", "five temperatures",
    ),
    "anharmonic at the top": (Case(sigmas=((0.2, "weak"), (0.3, "weak"), (0.7, "strong"))), "yes", "up to 400 K, "),
    "anharmonic everywhere": (Case(sigmas=((1.4, "unstable"),) * 5), "cannot-tell", "models do not agree"),
    "no anharmonicity": (Case(sigmas=()), "cannot-tell", "no anharmonicity score at 300 K"),
    "a class that is not known": (Case(sigmas=((0.48, "cannot-tell"),) * 5), "cannot-tell", "cannot tell"),
}  # fmt: skip


@pytest.mark.parametrize(("case", "trusted", "said"), CASES.values(), ids=CASES)
def test_the_verdict(case, trusted, said):
    verdict = case.verdict()
    text = " ".join([verdict.headline, *(f"{step.text} {step.options}" for step in verdict.steps)])
    assert (verdict.trusted, said in text or text) == (trusted, True)
    assert (verdict.up_to is not None) == (trusted == "yes")
    assert bool(verdict.steps) == (trusted == "cannot-tell")
    assert verdict.headline.startswith(SUBJECT.model)
    assert SUBJECT.crystal in verdict.headline


def test_the_length_of_the_runs_is_in_the_headline():
    assert "in runs of 50 ps" in Case().verdict().headline


def test_the_longest_of_several_lengths_is_asked_for():
    reason = f"at least {STEPS_NEEDED.format(6100)} would be"
    assert steps_needed(reason) == 6100
    assert steps_needed("no transition in range") is None
    known = {"transition": False}
    verdict = Case(averages="no", transitions="cannot-tell", reason=reason, known=known).verdict()
    assert [step.options for step in verdict.steps] == ["--steps 6100"]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ({"stable": "perhaps"}, "stable is 'perhaps': give true or false"),
        ({"stable": 1}, "give true or false"),
        ({"space_group": 300}, "space_group"),
        ({"space_group": True}, "space_group"),
        ({"melting_temperature": -1.0}, "melting_temperature"),
        ({"exists_at": float("nan")}, "exists_at"),
        ({"exists_at": 900.0, "melting_temperature": 500.0}, "check both"),
        ({"transition": False, "transition_temperature": 300.0}, "leave out one"),
        ({"stabel": True}, "stable"),
    ],
)
def test_expectations_that_cannot_be(reference, said):
    with pytest.raises(ValueError, match=said) as caught:
        check_reference(reference, set())
    assert "\n" not in str(caught.value)
    check_known({})


@pytest.mark.parametrize(
    ("symbols", "space_group", "stable"),
    [
        ({"Fe"}, 229, True),
        ({"Fe"}, 225, None),
        ({"Si"}, 227, True),
        ({"Mg"}, 194, True),
        ({"Te"}, 194, None),
        ({"Ba", "Ti", "O"}, 99, None),
        ({"Og"}, 225, None),
        ({"Cu"}, None, None),
    ],
)
def test_an_element_in_its_own_structure_is_known_to_be_stable(symbols, space_group, stable):
    assert Expectations().completed(symbols, space_group).stable is stable
    assert Expectations(stable=False).completed(symbols, space_group).stable is False
