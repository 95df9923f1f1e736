"""What the errors on a labelled set say of the model, if they say anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida_crucible.analysis.model_tests.theories import COST, are_same_theory
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

UNITS = {"energy": ("eV/atom", 1000, "meV/atom"), "force": ("eV/Å", 1000, "meV/Å"), "stress": ("eV/Å³", 160.21766, "GPa")}


@dataclass(frozen=True)
class LabelledSet:
    """What is known of a labelled set beside its frames.

    :param name: for people.
    :param theory: of the labels.
    :param symbols: of all frames.
    :param n_left_out: frames with elements that the model does not know, which were not evaluated.
    :param wants_stress: whether stresses are to be compared.
    """

    name: str
    theory: str
    symbols: tuple[str, ...]
    n_left_out: int
    wants_stress: bool


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
        lost = f"the model gave no finite numbers for any of {found['n_frames']} frames"
        known = "none of the frames has only elements that the model knows: it would take other labels"
        return Answer(question, NO if found["n_frames"] else CANNOT_TELL, lost if found["n_frames"] else known, evidence)
    if suspected := {name: found[name]["suspected_unit"] for name in UNITS if found.get(name, {}).get("suspected_unit")}:
        told = ", ".join(f"the {name} labels seem to be in {unit}" for name, unit in suspected.items())
        return Answer(question, CANNOT_TELL, f"{told}: it would take labels in eV, eV/Å and eV/Å³", evidence)
    judged = {name: _judge(found[name], settings[f"{name}_error"]) for name in UNITS if name in found}
    text = "mean absolute errors: " + ", ".join(_shown(name, found[name]) for name in judged)
    remarks = _remarks(labels, found)
    is_known = own is not None and are_same_theory(own, labels.theory, labels.symbols)
    if not is_known:
        text += (
            f"; the model is of {own or 'an unknown level of theory'}, and {COST}: no judgement on the model. It would "
            f"take labels of its own level of theory"
        )
        return Answer(question, CANNOT_TELL, text + remarks, evidence)
    if found["n_non_finite"]:
        return Answer(question, NO, text + remarks, evidence)
    bad = [name for name, answer in judged.items() if answer == NO]
    unknown = [name for name, answer in judged.items() if answer == CANNOT_TELL]
    if bad:
        limits = ", ".join(_limit(name, settings) for name in bad)
        return Answer(question, NO, f"{text}; beyond the limit: {limits}{remarks}", evidence)
    if unknown:
        needed = f"; the error bar of {', '.join(unknown)} reaches over its limit: it would take more independent frames"
        return Answer(question, CANNOT_TELL, text + needed + remarks, evidence)
    return Answer(question, YES, f"{text}; limits {', '.join(_limit(name, settings) for name in judged)}{remarks}", evidence)


def _judge(error: Mapping[str, Any], limit: float) -> str:
    value, bar = error["mean_absolute_error"], error["standard_error"]
    if value is None or bar is None:
        return CANNOT_TELL
    if value + 2 * bar <= limit:
        return YES
    return NO if value - 2 * bar > limit else CANNOT_TELL


def _shown(name: str, error: Mapping[str, Any]) -> str:
    value, bar = error["mean_absolute_error"], error["standard_error"]
    _, factor, unit = UNITS[name]
    if value is None:
        return f"{name} none (as many frames as shifts)"
    return f"{name} {value * factor:.3g}{'' if bar is None else f' ± {bar * factor:.2g}'} {unit}"


def _limit(name: str, settings: Mapping[str, Any]) -> str:
    _, factor, unit = UNITS[name]
    return f"{name} {settings[f'{name}_error'] * factor:.3g} {unit}"


def _remarks(labels: LabelledSet, found: Mapping[str, Any]) -> str:
    said = ""
    if found["n_non_finite"]:
        said += f"; {found['n_non_finite']} of {found['n_frames']} frames gave no finite numbers"
    if labels.n_left_out:
        said += f"; {labels.n_left_out} frames with elements that the model does not know are left out"
    if labels.wants_stress and "stress" not in found:
        said += "; the model gives no stress, which is not compared"
    return said
