"""What the errors on a labelled set say of the model, if they say anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ase import units

from aiida_crucible.analysis.model_tests.theories import COST, are_same_theory
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

SHOWN = {"energy": (1000.0, "meV/atom"), "force": (1000.0, "meV/Å"), "stress": (1 / units.GPa, "GPa")}
"""What is compared, and in which unit people read it: that of the arrays times a factor."""


@dataclass(frozen=True)
class LabelledSet:
    """What is known of a labelled set beside its frames.

    :param name: for people.
    :param theory: of the labels.
    :param symbols: of all frames.
    :param n_left_out: frames with elements that the model does not know, which were not evaluated.
    :param has_stress: whether the labels have stresses.
    """

    name: str
    theory: str
    symbols: tuple[str, ...]
    n_left_out: int
    has_stress: bool


def check_theories(labels: LabelledSet, model_theory: str | None, settings: Mapping[str, Any]) -> None:
    """Refuse to compare levels of theory unless that is asked for.

    :param model_theory: as the model's node knows it; the settings' goes before.
    :raises ValueError: one line.
    """
    own = settings["model_theory"] or model_theory
    if settings["across_theories"]:
        return
    if own is None:
        raise ValueError(
            f"the level of theory of the model is not known, and the labels {labels.name!r} are of {labels.theory}: "
            "give model_theory, or set across_theories to compare all the same without a judgement"
        )
    if not are_same_theory(own, labels.theory, labels.symbols):
        raise ValueError(
            f"the labels {labels.name!r} are of {labels.theory} and the model is of {own}; {COST}: give labels of "
            f"{own}, or set across_theories to compare all the same without a judgement"
        )


def judge_accuracy(
    labels: LabelledSet, found: Mapping[str, Any], model_theory: str | None, settings: Mapping[str, Any]
) -> Answer:
    """Return whether the errors on a labelled set are within the limits, each with its error bar.

    :param found: by :func:`aiida_crucible.analysis.model_tests.accuracy.measure_accuracy`.
    :param model_theory: as the model's node knows it.
    :param settings: complete.
    """
    question = f"Is the model accurate on the labels {labels.name!r} ({labels.theory})?"
    own = settings["model_theory"] or model_theory
    evidence = {**found, "theory": labels.theory, "model_theory": own, "n_left_out": labels.n_left_out}
    if "force" not in found:
        return Answer(question, *_of_nothing(found["n_frames"]), evidence)
    compared = [name for name in SHOWN if name in found]
    suspected = {name: unit for name in compared if (unit := found[name]["suspected_unit"])}
    if suspected:
        told = ", ".join(f"the {name} labels seem to be in {unit}" for name, unit in suspected.items())
        return Answer(question, CANNOT_TELL, f"{told}: it would take labels in eV, eV/Å and eV/Å³", evidence)
    errors = ", ".join(_shown(name, found[name]) for name in compared)
    if own is None or not are_same_theory(own, labels.theory, labels.symbols):
        answer = CANNOT_TELL
        ending = (
            f"; the model is of {own or 'an unknown level of theory'}, and {COST}: no judgement on it, for which "
            "it would take labels of its own level of theory"
        )
    else:
        answer, ending = _verdict(found, compared, settings)
    return Answer(question, answer, f"mean absolute errors: {errors}{ending}{_remarks(labels, found)}", evidence)


def _of_nothing(n_frames: int) -> tuple[str, str]:
    """Return answer and reason where nothing could be compared."""
    if n_frames:
        return NO, f"the model gave no finite numbers for any of {n_frames} frames"
    return CANNOT_TELL, "no frame has only elements that the model knows: it would take other labels"


def _verdict(found: Mapping[str, Any], compared: list[str], settings: Mapping[str, Any]) -> tuple[str, str]:
    """Return the answer, and how the reason ends."""
    judged = {name: _judge(found[name], settings[f"{name}_error"]) for name in compared}
    bad = [name for name, answer in judged.items() if answer == NO]
    unknown = [name for name, answer in judged.items() if answer == CANNOT_TELL]
    if bad or found["n_non_finite"]:
        return NO, f"; beyond the limit: {', '.join(_limit(name, settings) for name in bad)}" if bad else ""
    if unknown:
        many = ", ".join(unknown)
        return CANNOT_TELL, f"; the error bar of {many} reaches over its limit: it would take more independent frames"
    return YES, f"; limits: {', '.join(_limit(name, settings) for name in compared)}"


def _judge(error: Mapping[str, Any], limit: float) -> str:
    value, bar = error["mean_absolute_error"], error["standard_error"]
    if value is None or bar is None:
        return CANNOT_TELL
    if value + 2 * bar <= limit:
        return YES
    return NO if value - 2 * bar > limit else CANNOT_TELL


def _shown(name: str, error: Mapping[str, Any]) -> str:
    value, bar = error["mean_absolute_error"], error["standard_error"]
    factor, unit = SHOWN[name]
    if value is None:
        return f"{name} none (as many shifts as frames)"
    return f"{name} {value * factor:.3g}{'' if bar is None else f' ± {bar * factor:.2g}'} {unit}"


def _limit(name: str, settings: Mapping[str, Any]) -> str:
    factor, unit = SHOWN[name]
    return f"{name} {settings[f'{name}_error'] * factor:.3g} {unit}"


def _remarks(labels: LabelledSet, found: Mapping[str, Any]) -> str:
    said = ""
    if found["n_non_finite"]:
        said += f"; {found['n_non_finite']} of {found['n_frames']} frames gave no finite numbers"
    if labels.n_left_out:
        said += f"; {labels.n_left_out} frames with elements that the model does not know are left out"
    if labels.has_stress and "stress" not in found:
        said += "; the model gives no stress, which is not compared"
    return said
