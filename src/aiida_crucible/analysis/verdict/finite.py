"""What relaxation, vibrations and hot runs of a molecule or a slab say of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES
from aiida_crucible.analysis.verdict.expectations import Expectations
from aiida_crucible.analysis.verdict.headline import LENGTH, Subject, Verdict, first_of, merged_steps
from aiida_crucible.analysis.verdict.judgements import (
    OPEN,
    REMARK,
    RIGHT,
    SAY_WHICH,
    WRONG,
    Judgement,
    Step,
    judge_verification,
)
from aiida_crucible.analysis.verdict.reliability import answer_verification
from crucible_engine.wire.rules import ParameterError, shown
from crucible_engine.wire.value_types import require_type

GEOMETRY_TOLERANCE = 0.05
"""Relative change of a bond by relaxing, beyond which it is another bond: no density functional is as far off."""

FREQUENCY_TOLERANCE = 0.1
"""Relative deviation of a frequency from that of a reference, beyond which it is wrong: harmonic frequencies of usual
functionals are within 5 % of measured ones (doi 10.1021/jp960976r)."""

KNOWN = ("stable", "exists_at", "frequencies")
"""Keys of a reference that say something of a molecule or a slab."""


@dataclass(frozen=True)
class HotRun:
    """What a molecule or a slab did in a hot run.

    :param temperature: K.
    :param steps: how many.
    :param duration: ps.
    :param failure: what ended the run (``non-finite``, ``exploded``); empty where nothing did.
    :param bonds: that were watched; 0 where none was, for there is none, or no frames of the run were kept.
    :param broken: of those.
    :param worst: the bond that is stretched most, in words.
    :param warning: that its time step is too long for its atoms, in words; empty where it is not.
    """

    temperature: float
    steps: int
    duration: float
    failure: str
    bonds: int
    broken: int
    worst: str
    warning: str = ""


@dataclass(frozen=True)
class Findings:
    """All that was found.

    :param kind: molecule, slab …
    :param verification: ``results`` of it.
    :param relaxation: ``summary`` of ``crucible.relax``; ``None`` where the geometry was taken as it is.
    :param change: the largest relative change of a bond by relaxing, and which, in words.
    :param vibrations: ``summary`` of ``crucible.vibrations``.
    :param runs: ascending in temperature.
    :param shortest: ps; shorter hot runs tell nothing of what stays as it is.
    """

    kind: str
    verification: Mapping[str, Any]
    relaxation: Mapping[str, Any] | None
    change: tuple[float, str]
    vibrations: Mapping[str, Any]
    runs: Sequence[HotRun]
    shortest: float


def check_finite_reference(reference: Mapping[str, Any], n_modes: int | None = None) -> None:
    """Refuse what is not known of a molecule or a slab.

    :param n_modes: vibrations that it has; ``None`` where they cannot be compared, as a slab's.
    :raises ValueError: one line.
    """
    unknown = [name for name in reference if name not in KNOWN]
    if unknown:
        raise ParameterError(
            f"the reference's {', '.join(unknown)} cannot be asked of a molecule or a slab: give {', '.join(KNOWN)}"
        )
    if "frequencies" not in reference:
        return
    require_type("the reference's frequencies (THz)", reference["frequencies"], list[float])
    if n_modes is None:
        raise ParameterError("the reference's frequencies are of a molecule, and this is none: leave them out")
    if len(reference["frequencies"]) != n_modes or min(reference["frequencies"]) <= 0:
        raise ParameterError(
            f"the reference's frequencies are {shown(reference['frequencies'])}: this molecule has {n_modes}, in THz, "
            "all of them above zero"
        )


def judge_finite(found: Findings, reference: Mapping[str, Any]) -> dict[str, Judgement]:
    """Return what was found says of the model, by the question's short name.

    :param reference: what is known, see :data:`KNOWN`.
    """
    known = Expectations.of(reference)
    judged = {
        "verification": judge_verification(asdict(answer_verification(found.verification))),
        "geometry": _geometry(found),
    }
    if "frequencies" in found.vibrations:
        judged["stability"] = _stability(found.vibrations, known)
        judged["frequencies"] = _frequencies(found, reference.get("frequencies"))
    if found.runs:
        judged["bonds"] = _bonds(found.runs, known, found.shortest)
    return judged


def conclude_finite(subject: Subject, judged: Mapping[str, Judgement], runs: Sequence[HotRun]) -> Verdict:
    """Return the verdict: no where something is wrong; yes only if frequencies were compared and it was run hot."""
    about = f"for {subject.crystal}"
    duration = min((run.duration for run in runs), default=None)
    wrong = {name: each for name, each in judged.items() if each.judgement == WRONG}
    if wrong:
        return Verdict(NO, f"{subject.model} cannot be trusted {about}: {first_of(wrong)}", None, duration)
    still_open = {name: each for name, each in judged.items() if each.judgement == OPEN}
    if still_open:
        text = f"{subject.model} cannot be judged {about}: {first_of(still_open)}"
        steps = merged_steps([step for each in still_open.values() for step in each.steps])
        return Verdict(CANNOT_TELL, text, None, duration, steps)
    if not runs:
        text = f"{subject.model}: all is as it should be {about} at 0 K; hot it was not run, so nothing is told of that"
        return Verdict(CANNOT_TELL, text, None, None, (Step("run it at temperatures", "--temperatures 300"),))
    first_lost = min((run.temperature for run in runs if run.broken or run.failure), default=float("inf"))
    kept = [run.temperature for run in runs if run.temperature < first_lost]
    if not kept:
        text = f"{subject.model} cannot be judged {about}: no run kept it, where nobody knows that it exists"
        return Verdict(CANNOT_TELL, text, None, duration, (Step("run it where it exists", "--temperatures 300"),))
    text = f"{subject.model} can be trusted {about} up to {max(kept):g} K, in runs of {duration:.3g} ps"
    return Verdict(YES, text, max(kept), duration)


def _geometry(found: Findings) -> Judgement:
    expected = "relaxing keeps the bonds that were given"
    outcome = found.relaxation["outcome"] if found.relaxation else "converged"
    if outcome == "not-converged":
        steps = (Step("let it relax in more steps", "--overrides '{relax: {relax: {parameters: {max_steps: 9000}}}}'"),)
        return Judgement(OPEN, expected, "it had not relaxed within the steps that were allowed", steps)
    if outcome != "converged":
        return Judgement(WRONG, expected, f"it cannot be relaxed: {outcome}")
    change, bond = found.change
    if found.relaxation is None:
        return Judgement(REMARK, expected, "it was not relaxed: the geometry is the one that was given")
    is_right = abs(change) <= GEOMETRY_TOLERANCE
    return Judgement(RIGHT if is_right else WRONG, expected, f"{bond} after relaxing ({100 * change:+.1f} %)")


def _stability(vibrations: Mapping[str, Any], known: Expectations) -> Judgement:
    expected = "every mode is real" if known.is_stable else "there is an imaginary mode"
    outcome, reason = vibrations["outcome"], vibrations["reason"]
    if outcome == "cannot-tell":
        return Judgement(OPEN, expected, reason, (Step("relax more tightly", "--protocol stringent"),))
    if known.stable is None and outcome != "minimum":
        expected = "not known: what was given may be no minimum"
        return Judgement(OPEN, expected, f"{reason}, and nobody says whether that is right", SAY_WHICH)
    return Judgement(RIGHT if (outcome == "minimum") == known.is_stable else WRONG, expected, reason)


def _frequencies(found: Findings, wanted: Sequence[float] | None) -> Judgement:
    if found.kind != "molecule":
        steps = (Step("compare with another model", "--model chgnet --model sevennet"),)
        return Judgement(OPEN, "those of a reference", f"a {found.kind}'s are not compared with a reference", steps)
    if wanted is None:
        steps = (Step("give measured or computed frequencies (THz), as `frequencies` in a file", "--reference FILE"),)
        return Judgement(OPEN, "those of a reference", "nobody says which frequencies it should have", steps)
    pairs = list(zip(sorted(found.vibrations["frequencies"]), sorted(wanted), strict=True))
    computed, known = max(pairs, key=lambda pair: abs(pair[0] / pair[1] - 1))
    deviation = computed / known - 1
    text = f"the worst is {computed:.2f} against {known:.2f} THz ({100 * deviation:+.1f} %)"
    return Judgement(RIGHT if abs(deviation) <= FREQUENCY_TOLERANCE else WRONG, "those of the reference", text)


def _bonds(runs: Sequence[HotRun], known: Expectations, shortest: float) -> Judgement:
    expected = f"it keeps its bonds up to {known.exists_at:g} K, where it exists"
    lost = [run for run in runs if run.broken or run.failure]
    early = [run for run in lost if run.temperature <= known.exists_at]
    if early and early[0].warning:
        steps = (Step("shorten the time step", "--time-step 0.5"),)
        return Judgement(OPEN, expected, f"{_told(early[0])}, but {early[0].warning}", steps)
    if early:
        return Judgement(WRONG, expected, _told(early[0]))
    kept = [run for run in runs if run not in lost]
    if unseen := [run for run in kept if not run.bonds]:
        text = f"no bond was seen at {unseen[0].temperature:g} K: nothing is bonded, or the run has kept too few frames"
        return Judgement(OPEN, expected, text, (Step("keep frames of the hot runs, of something that has bonds"),))
    short = [run for run in kept if run.duration < shortest]
    if short:
        text = f"it keeps its bonds at {short[0].temperature:g} K, but for {short[0].duration:.3g} ps only"
        n_steps = ceil(short[0].steps * shortest / short[0].duration)
        return Judgement(OPEN, expected, text, (Step("run longer", f"{LENGTH}{n_steps}"),))
    if lost:
        return Judgement(REMARK, expected, f"{_told(lost[0])}: whether it should is not known")
    return Judgement(RIGHT, expected, f"it keeps its bonds up to {runs[-1].temperature:g} K")


def _told(run: HotRun) -> str:
    if run.failure:
        return f"the run at {run.temperature:g} K ended: {run.failure}"
    return f"at {run.temperature:g} K {run.broken} bonds break, the first {run.worst}"
