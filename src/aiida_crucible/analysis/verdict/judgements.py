"""What the answers about a crystal say about the model: right, wrong or open, by what is known of the crystal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_crucible.analysis.transitions.detection import steps_needed
from aiida_crucible.analysis.transitions.sweep_observables import FEWEST_THAT_MELT
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, NOT_ASKED, YES
from aiida_crucible.analysis.verdict.expectations import Expectations
from aiida_crucible.analysis.verdict.spread import doubts_of, within

RIGHT, WRONG, OPEN, REMARK = "right", "wrong", "open", "remark"
"""``remark``: nobody knows what is right there, or it is no fault of the model."""

GIVEN_CELL_TOLERANCE = 0.05
"""Relative deviation of a length or an angle from the cell that was given, beyond which it is another crystal: no
density functional that a model was trained on is that far off."""

ROUNDING = 1e-9
"""Share of a duration that the arithmetic of steps and time steps may miss."""


@dataclass(frozen=True)
class Step:
    """What to do so that a question can be answered.

    :param text: for a person.
    :param options: of ``aiida-crucible run``, beside those that were given; empty where no option does it.
    """

    text: str
    options: str = ""


SAY_WHICH = (
    Step("say whether it should be stable at 0 K: it should", "--expect stable=yes"),
    Step("say whether it should be stable at 0 K: it exists only when hot", "--expect stable=no"),
)
"""Where a crystal is unstable of which nobody says anything."""


AGREE = (Step("take an ensemble whose members agree better: train it on more data"),)


@dataclass(frozen=True)
class Judgement:
    """What an answer says about the model.

    :param judgement: right, wrong, open or remark.
    :param expected: what a model that is right finds.
    :param text: one line.
    :param steps: what would answer it, where it is open.
    """

    judgement: str
    expected: str
    text: str
    steps: Sequence[Step] = ()


Answers = Mapping[str, Mapping[str, Any]]


def judge(
    answers: Answers,
    main: Mapping[str, Any],
    known: Expectations,
    given: Mapping[str, float] | None,
    n_atoms: int | None = None,
) -> dict[str, Judgement]:
    """Return what each answer says about the model, by the question's short name.

    :param answers: of :func:`aiida_crucible.analysis.verdict.reliability.assess`.
    :param main: the relaxation of the crystal in question, see ``crucible.relax``, output ``summary``.
    :param known: of the crystal.
    :param given: ``a`` … ``gamma`` of the conventional cell before relaxing (Å, degrees), where it is of an experiment
        or as good; ``None`` for a guess.
    :param n_atoms: of the hot runs; ``None`` where nothing ran.
    """
    judged = {
        "verification": judge_verification(answers["verification"]),
        "crystal": _crystal(answers["lattice"], main, known, given),
        "energies": _energies(answers["energies"], known),
        "stability": _stability(answers["stability"], known),
    }
    if "finite_temperature" in answers:
        judged["finite_temperature"] = _finite_temperature(answers["finite_temperature"], known, n_atoms)
        judged["averages"] = _averages(answers["averages"], answers["transitions"])
        judged["transitions"] = _transitions(answers["transitions"], known)
    return judged


def judge_verification(answer: Mapping[str, Any]) -> Judgement:
    """Judge by whether the model passed its verification."""
    expected = "the model passes its own checks"
    return Judgement(RIGHT if answer["answer"] == YES else WRONG, expected, answer["reason"])


def _crystal(
    answer: Mapping[str, Any], main: Mapping[str, Any], known: Expectations, given: Mapping[str, float] | None
) -> Judgement:
    """Judge the relaxed crystal: by the reference's lattice, or by the cell that was given, and by its space group."""
    expected = "relaxing keeps the crystal, with the reference's lattice"
    outcome = main["outcome"]
    if outcome == "not-converged":
        steps = (Step("let it relax in more steps", "--overrides '{relax: {relax: {parameters: {max_steps: 3000}}}}'"),)
        return Judgement(OPEN, expected, "the crystal had not relaxed within the steps that were allowed", steps)
    if outcome != "converged":
        return Judgement(WRONG, expected, f"the crystal cannot be relaxed: {outcome}")
    group = (main.get("space_group_after") or {}).get("number")
    if known.space_group is not None and group != known.space_group:
        return Judgement(WRONG, expected, f"relaxed, it is of space group {group} and not {known.space_group}")
    if answer["answer"] in (YES, NO):
        return Judgement(RIGHT if answer["answer"] == YES else WRONG, expected, answer["reason"])
    if answer.get("evidence", {}).get("doubts"):
        return Judgement(OPEN, expected, answer["reason"], AGREE)
    return _kept(main, given)


def _kept(main: Mapping[str, Any], given: Mapping[str, float] | None) -> Judgement:
    """Judge a relaxed crystal by the cell that was given."""
    expected = "relaxing keeps the crystal that was given"
    if given is None:
        steps = (Step("give the lattice that it should have", "--reference FILE"),)
        return Judgement(OPEN, expected, "nobody says what lattice it should have", steps)
    found = {name: main["lattice"][name] / value - 1 for name, value in given.items()}
    worst = max(found, key=lambda name: abs(found[name]))
    change = f"{main['lattice'][worst]:.4g} and was {given[worst]:.4g} in the cell given"
    text = f"{worst} is {change} ({100 * found[worst]:+.1f} %)"
    if "ensemble" not in main:
        return Judgement(RIGHT if abs(found[worst]) <= GIVEN_CELL_TOLERANCE else WRONG, expected, text)
    answered, text = within(found, GIVEN_CELL_TOLERANCE, doubts_of(main["ensemble"], given), text)
    judged = {YES: RIGHT, NO: WRONG}.get(answered, OPEN)
    return Judgement(judged, expected, text, AGREE if judged == OPEN else ())


def _energies(answer: Mapping[str, Any], known: Expectations) -> Judgement:
    has_reference = bool(answer["evidence"].get("reference"))
    expected = (
        "the reference's order of energies" if has_reference else "the crystal is the lowest of its phases in energy"
    )
    if answer["answer"] == CANNOT_TELL:
        asked = bool(answer["evidence"])
        return Judgement(OPEN if asked else REMARK, expected, answer["reason"])
    if not has_reference and not known.is_stable:
        return Judgement(REMARK, "none: a phase that is not stable at 0 K need not be the lowest", answer["reason"])
    return Judgement(RIGHT if answer["answer"] == YES else WRONG, expected, answer["reason"])


def _stability(answer: Mapping[str, Any], known: Expectations) -> Judgement:
    expected = "dynamically stable at 0 K" if known.is_stable else "dynamically unstable at 0 K"
    if answer["answer"] == CANNOT_TELL:
        steps = (
            Step("compute the phonons in a larger supercell, from a better relaxed crystal", "--protocol stringent"),
        )
        return Judgement(OPEN, expected, answer["reason"], steps)
    if known.stable is None and answer["answer"] == NO:
        expected = "not known: a crystal that exists only when hot may be unstable at 0 K"
        return Judgement(OPEN, expected, f"{answer['reason']}, and nobody says whether that is right", SAY_WHICH)
    is_right = (answer["answer"] == YES) == known.is_stable
    if is_right and not known.is_stable:
        return Judgement(RIGHT, expected, f"unstable at 0 K, as it should be: {answer['reason']}")
    return Judgement(RIGHT if is_right else WRONG, expected, answer["reason"])


def _finite_temperature(answer: Mapping[str, Any], known: Expectations, n_atoms: int | None) -> Judgement:
    evidence = answer["evidence"]
    limit = known.exists_at if known.melting_temperature is None else known.melting_temperature
    which = f"it exists at {limit:g} K" if known.melting_temperature is None else f"it melts at {limit:g} K"
    expected = f"a crystal up to {limit:g} K, as {which}"
    too_early = [temperature for temperature in evidence["lost_temperatures"] if temperature <= limit]
    if too_early:
        is_alone = len(evidence["lost_temperatures"]) == 1
        is_small = n_atoms is not None and n_atoms < FEWEST_THAT_MELT
        text = f"{answer['reason']}, though {which}"
        if not (is_alone and is_small):
            return Judgement(WRONG, expected, text)
        steps = (Step(f"run at least {FEWEST_THAT_MELT} atoms, or hotter as well", "--protocol balanced"),)
        return Judgement(OPEN, expected, f"{text}; but that is one run of {n_atoms} atoms alone", steps)
    if answer["answer"] == YES:
        return Judgement(RIGHT, expected, answer["reason"])
    return _unanswered(answer, known, expected)


def _unanswered(answer: Mapping[str, Any], known: Expectations, expected: str) -> Judgement:
    """Judge hot runs that lost the crystal where nobody knows it, failed, or were too short."""
    evidence = answer["evidence"]
    if evidence["failed_temperatures"]:
        steps = (Step("shorten the time step (and start from the relaxed crystal)", "--time-step 0.5"),)
        return Judgement(OPEN, expected, answer["reason"], steps)
    if evidence["lost_temperatures"]:
        shortest = min((each or 0.0 for each in evidence["durations"].values()), default=0.0)
        if shortest < evidence["stability_time"] * (1 - ROUNDING):
            text = f"{answer['reason']}; below, the crystal was run for {shortest:.3g} ps only"
            return Judgement(OPEN, expected, text, (Step("run longer", "--protocol balanced"),))
        if known.melting_temperature is not None:
            return Judgement(REMARK, expected, answer["reason"])
        say = Step("say where it melts", "--expect melting_temperature=…")
        return Judgement(OPEN, expected, answer["reason"], (say,))
    return Judgement(OPEN, expected, answer["reason"], (_longer(answer["reason"]),))


def _longer(reason: str) -> Step:
    """Return to run longer: as long as a reason says, or as the next protocol does."""
    steps = steps_needed(reason)
    return Step("run longer", "--protocol balanced" if steps is None else f"--steps {steps}")


def _averages(answer: Mapping[str, Any], transitions: Mapping[str, Any]) -> Judgement:
    expected = "runs that are long enough for their averages"
    if answer["answer"] == YES:
        return Judgement(RIGHT, expected, answer["reason"])
    return Judgement(OPEN, expected, answer["reason"], (_longer(transitions["reason"]),))


def _transitions(answer: Mapping[str, Any], known: Expectations) -> Judgement:
    """Judge the transitions: against a temperature, against there being none, or not at all."""
    steps = steps_needed(answer["reason"])
    more = [] if steps is None else [Step("run longer", f"--steps {steps}")]
    if known.transition_temperature is not None:
        expected = f"a transition at {known.transition_temperature:g} K"
        word = {YES: RIGHT, NO: WRONG}.get(answer["answer"], OPEN)
        around = Step("run at five temperatures around it at least", "--temperatures …")
        return Judgement(word, expected, answer["reason"], [*more, around] if word == OPEN else [])
    if known.transition is None:
        if answer["answer"] != YES:
            return Judgement(REMARK, "not known", answer["reason"])
        say = Step("say whether it is real", "--expect transition_temperature=… (or transition=no)")
        return Judgement(OPEN, "not known", f"{answer['reason']}; nobody says whether it is real", (say,))
    expected = "a transition in the range" if known.transition else "no transition in the range"
    if answer["answer"] in (CANNOT_TELL, NOT_ASKED):
        few = [Step("run at five temperatures at least", "--temperatures …")] if answer["answer"] == NOT_ASKED else []
        return Judgement(OPEN, expected, answer["reason"], [*more, *few])
    is_right = (answer["answer"] == YES) == known.transition
    return Judgement(RIGHT if is_right else WRONG, expected, answer["reason"])
