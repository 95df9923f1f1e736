"""Can the model be trusted for this crystal, and up to which temperature? One line, and what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL as NO_CLASS
from aiida_crucible.analysis.benchmark.stability_classes import UNSTABLE, WEAK
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES
from aiida_crucible.analysis.verdict.judgements import OPEN, WRONG, Judgement, Step

AT_ZERO = ("verification", "crystal", "energies", "stability")
"""Questions that are asked at 0 K."""


LENGTH = "--steps "
"""Option of how long to run."""


@dataclass(frozen=True)
class Subject:
    """What a verdict is about.

    :param model: its title, e.g. ``chgnet 0.3.0``.
    :param crystal: formula and space group, e.g. ``BaTiO3 (P4mm)``.
    """

    model: str
    crystal: str


@dataclass(frozen=True)
class Anharmonicity:
    """The anharmonicity score at one temperature.

    :param temperature: K.
    :param sigma: σ; ``None`` where there is none.
    :param stability_class: of :mod:`aiida_crucible.analysis.benchmark.stability_classes`.
    """

    temperature: float
    sigma: float | None
    stability_class: str


@dataclass(frozen=True)
class Verdict:
    """What it all says about the model.

    :param trusted: yes, no or cannot-tell.
    :param headline: one line.
    :param up_to: the highest temperature at which it can be trusted, K; ``None`` unless the answer is yes.
    :param duration: of the shortest run that this rests on, ps; ``None`` where nothing ran.
    :param steps: what it would take where it cannot be told.
    """

    trusted: str
    headline: str
    up_to: float | None = None
    duration: float | None = None
    steps: Sequence[Step] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, for a node."""
        return asdict(self)


def conclude(
    subject: Subject,
    judged: Mapping[str, Judgement],
    stability: Mapping[str, Any] | None,
    scores: Sequence[Anharmonicity],
) -> Verdict:
    """Return the verdict on a model.

    What is wrong anywhere makes it a no. A yes takes that all was asked, at 0 K and hot, that nothing is open, and that
    the crystal is weakly anharmonic: with σ above 0.5 models differ from each other (doi 10.1039/d5cp04693a), and above
    1 they do so beyond use.

    :param judged: see :func:`aiida_crucible.analysis.verdict.judgements.judge`.
    :param stability: evidence of the question ``finite_temperature``; ``None`` where nothing was run hot.
    :param scores: of the hot runs.
    """
    about = f"for {subject.crystal}"
    wrong = {name: each for name, each in judged.items() if each.judgement == WRONG}
    duration = None if stability is None else _shortest(stability)
    if wrong:
        return Verdict(NO, f"{subject.model} cannot be trusted {about}: {first_of(wrong)}", None, duration)
    still_open = {name: each for name, each in judged.items() if each.judgement == OPEN}
    cold = {name: each for name, each in still_open.items() if name in AT_ZERO}
    if cold:
        return _open(subject, about, cold, duration)
    if stability is None:
        text = f"{subject.model}: all is as it should be {about} at 0 K; hot it was not run, so nothing is told of that"
        step = Step("run it at temperatures", "--temperatures 100:600:100")
        return Verdict(CANNOT_TELL, text, None, None, (step,))
    if still_open:
        return _open(subject, f"{about}, {_length(duration)}", still_open, duration)
    return _up_to(subject, about, stability, scores)


def _length(duration: float | None) -> str:
    return "in runs that all failed" if duration is None else f"in runs of {duration:.3g} ps"


def _shortest(stability: Mapping[str, Any]) -> float | None:
    """Return how long the shortest run of a crystal was, ps."""
    durations = [duration for duration in stability["durations"].values() if duration is not None]
    return min(durations, default=None)


def _up_to(
    subject: Subject,
    about: str,
    stability: Mapping[str, Any],
    scores: Sequence[Anharmonicity],
) -> Verdict:
    """Return the verdict where all is right: as far as the crystal was run, and is weakly anharmonic."""
    duration = _shortest(stability)
    ends = (*stability["lost_temperatures"], *stability["failed_temperatures"])
    kept = [each for each in sorted(stability["crystal_temperatures"]) if not ends or each < min(ends)]
    by_temperature = {score.temperature: score for score in scores}
    reached, limit = None, None
    for temperature in kept:
        limit = by_temperature.get(temperature)
        if limit is None or limit.stability_class != WEAK:
            break
        reached, limit = temperature, None
    if reached is None:
        first = next(iter(kept), None)
        text = f"{subject.model} cannot be judged {about}, {_length(duration)}: {_why_not(first, limit)}"
        return Verdict(CANNOT_TELL, text, None, duration, (_cure(limit),))
    more = "" if reached == kept[-1] else f"; above, {_why_not(kept[kept.index(reached) + 1], limit)}"
    text = f"{subject.model} can be trusted {about} up to {reached:g} K, {_length(duration)}{more}"
    return Verdict(YES, text, reached, duration)


def _why_not(temperature: float | None, score: Anharmonicity | None) -> str:
    if temperature is None:
        return "no run kept the crystal"
    if score is None or score.sigma is None:
        return f"there is no anharmonicity score at {temperature:g} K"
    told = f"σ is {score.sigma:.2f} at {temperature:g} K"
    if score.stability_class == NO_CLASS:
        return f"{told}, of a class that the runs cannot tell"
    if score.stability_class == UNSTABLE:
        return f"{told}, and above 1 models do not agree with each other"
    return f"{told}, and from 0.5 on models begin to disagree"


def _cure(score: Anharmonicity | None) -> Step:
    if score is None or score.sigma is None or score.stability_class == NO_CLASS:
        return Step("run longer, in more atoms", "--protocol balanced")
    return Step("compare with another model, or with forces of a reference", "--model chgnet --model sevennet")


def _open(subject: Subject, about: str, still_open: Mapping[str, Judgement], duration: float | None) -> Verdict:
    steps = merged_steps([step for each in still_open.values() for step in each.steps])
    text = f"{subject.model} cannot be judged {about}: {first_of(still_open)}"
    return Verdict(CANNOT_TELL, text, None, duration, steps)


def merged_steps(steps: Sequence[Step]) -> list[Step]:
    """Return each step once; of runs that are to be longer, the longest does for all."""
    lengths = [int(step.options.removeprefix(LENGTH)) for step in steps if step.options.startswith(LENGTH)]
    found = {step: None for step in steps if not step.options.startswith(LENGTH)}
    return [*([Step("run longer", f"{LENGTH}{max(lengths)}")] if lengths else []), *found]


def first_of(judged: Mapping[str, Judgement]) -> str:
    """Return what the first of some judgements says, wrong or open, and how many there are more."""
    name, judgement = next(iter(judged.items()))
    more = f" (and {len(judged) - 1} more)" if len(judged) > 1 else ""
    if judgement.judgement == WRONG:
        return f"it is wrong about {TITLES[name]}: {judgement.text}; expected is: {judgement.expected}{more}"
    return f"{TITLES[name]} cannot be told: {judgement.text}{more}"


TITLES = {
    "verification": "its verification",
    "crystal": "the relaxed crystal",
    "energies": "the energies of the phases",
    "stability": "dynamical stability",
    "finite_temperature": "stability when hot",
    "averages": "length of the runs",
    "transitions": "transitions",
    "geometry": "the relaxed geometry",
    "frequencies": "the frequencies",
    "bonds": "its bonds when hot",
}
"""What a person calls the questions."""
