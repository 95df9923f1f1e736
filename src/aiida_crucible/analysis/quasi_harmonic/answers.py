"""What heating a crystal says: numbers at one temperature, how far they go, and whether they are the reference's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from aiida_crucible.analysis.elasticity.comparison import Compared, answer_compared, check_values, finite
from aiida_crucible.analysis.phonons.stability import Verdict
from aiida_crucible.analysis.quasi_harmonic.heating import QUANTITIES, Heating
from aiida_crucible.analysis.quasi_harmonic.settings import QUASI_HARMONIC
from aiida_crucible.analysis.quasi_harmonic.vibrating_volumes import NON_FINITE, VibratingVolume
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer
from crucible_engine.wire.rules import Parameter

COMPUTED = "computed"

REFERENCE: dict[str, Parameter] = {
    "volume": Parameter(float, 1.0, "Å³ a formula unit", 1.0, 1e5),
    "thermal_expansion": Parameter(float, 1e-5, "of the volume, 1/K", -1.0, 1.0),
    "bulk_modulus": Parameter(float, 1.0, "GPa", 0.0, 1e4, exclusive=True),
    "heat_capacity": Parameter(float, 1.0, "at constant pressure, J/(K mol) of formula units", 0.0, 1e5, True),
    "gruneisen": Parameter(float, 1.0, "a number", -100.0, 100.0),
}
"""What may be known of a crystal at the temperature of the settings."""

TOLERANCES = {
    "volume": "volume_tolerance",
    "thermal_expansion": "expansion_tolerance",
    "bulk_modulus": "modulus_tolerance",
    "heat_capacity": "heat_capacity_tolerance",
    "gruneisen": "gruneisen_tolerance",
}
TOLD = (
    ("V", "volume", " Å³"),
    ("α", "thermal_expansion", " /K"),
    ("B", "bulk_modulus", " GPa"),
    ("Cp", "heat_capacity", " J/(K mol)"),
    ("γ", "gruneisen", ""),
)
LARGEST_STRAIN = float(QUASI_HARMONIC["largest_strain"].maximum or 0.0)
MARGIN = 1.15
"""By how much more than a straight continuation of the volume says a larger strain is proposed."""


def check_reference(reference: Mapping[str, Any]) -> None:
    """Refuse a reference of a quasi-harmonic calculation that is none, see :data:`REFERENCE`.

    :raises ValueError: one line.
    """
    check_values(reference, REFERENCE)


def summarise_heating(
    volumes: Sequence[VibratingVolume],
    heated: tuple[Heating | None, str],
    highest: float,
    reference: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return outcome, reason, numbers at one temperature with errors and the answers, as plain data.

    :param heated: what was found; ``None`` with the reason, in one line, where nothing was.
    :param highest: temperature that was asked for, K.
    :param reference: see :data:`REFERENCE`.
    :param settings: see :data:`aiida_crucible.analysis.quasi_harmonic.settings.QUASI_HARMONIC`.
    """
    heating, why = heated
    temperature = settings["temperature"]
    within = heating is not None and temperature <= heating.temperatures[-1]
    reached = _reached(volumes, heating, why, highest, settings)
    described = _described(heating if within else None, reached.reason, settings)
    outcome = COMPUTED if described.answer == YES else CANNOT_TELL
    if all(each.outcome == NON_FINITE for each in volumes):
        outcome = NON_FINITE
    told: dict[str, Any] = {
        "outcome": outcome,
        "temperature": temperature,
        "volumes": [each.told() for each in volumes],
    }
    if heating is None:
        told["reason"] = why
    else:
        numbers = {name: heating.at(name, temperature) for name in QUANTITIES} if within else {}
        told |= {
            "reason": _in_words(numbers, temperature) if described.answer == YES else described.reason,
            "highest_temperature": float(heating.temperatures[-1]),
            "values": {name: finite(value) for name, (value, _) in numbers.items()},
            "errors": {name: finite(error) for name, (_, error) in numbers.items()},
        }
    answers = {
        "stability": _stability(volumes),
        "range": reached,
        "curve": described,
        "agreement": _agreement(heating if described.answer == YES else None, described.reason, reference, settings),
    }
    return {**told, **{name: asdict(answer) for name, answer in answers.items()}}


def _in_words(numbers: Mapping[str, tuple[float, float]], temperature: float) -> str:
    parts = []
    for symbol, name, unit in TOLD:
        value, error = numbers[name]
        if np.isfinite(value):
            parts.append(f"{symbol} {value:.4g}" + (f" ± {error:.1g}" if np.isfinite(error) else "") + unit)
    return f"at {temperature:g} K {', '.join(parts)}"


def _stability(volumes: Sequence[VibratingVolume]) -> Answer:
    question = "Are the phonons real at every volume?"
    evidence = {"volumes": len(volumes), "counted": sum(each.thermal is not None for each in volumes)}
    unstable = [each for each in volumes if each.outcome == Verdict.IMAGINARY.value]
    hidden = [each for each in volumes if each.outcome != Verdict.STABLE.value and each not in unstable]
    for chosen, answer, words in ((unstable, NO, "are imaginary at"), (hidden, CANNOT_TELL, "are not known at")):
        if chosen:
            named = ", ".join(f"{each.volume:.4g}" for each in chosen)
            reason = f"they {words} {len(chosen)} of {len(volumes)} volumes ({named} Å³ a formula unit)"
            left_out = [each for each in chosen if each.thermal is None]
            suffix = f", {len(left_out)} of which are left out" if left_out else ""
            return Answer(question, answer, f"{reason}{suffix}; the first: {chosen[0].reason}", evidence)
    return Answer(question, YES, f"they are at all {len(volumes)} volumes", evidence)


def _reached(
    volumes: Sequence[VibratingVolume], heating: Heating | None, why: str, highest: float, settings: Mapping[str, Any]
) -> Answer:
    question = f"Is the lowest free energy among the volumes at all temperatures up to {highest:g} K?"
    if heating is None:
        return Answer(question, CANNOT_TELL, why)
    last = float(heating.temperatures[-1])
    evidence = {"highest_temperature": last, "largest_volume": float(heating.volumes[-1])}
    if heating.is_whole:
        return Answer(
            question, YES, f"it is, at {heating.values['volume'][-1]:.4g} Å³ a formula unit at last", evidence
        )
    lost = [each for each in volumes if each.thermal is None and each.volume > heating.volumes[-1]]
    if lost:
        remedy = f"there are larger ones, but they do not count ({lost[0].reason})"
    else:
        wanted = _strain_for(volumes, heating, highest)
        remedy = f"give a largest_strain of {wanted:.2g}, now {settings['largest_strain']:g}"
        if wanted > LARGEST_STRAIN:
            remedy = "it leaves so fast that no larger strain would do"
    reason = f"it is up to {last:g} K; beyond, it is at the largest volume, {heating.volumes[-1]:.4g} Å³: {remedy}"
    return Answer(question, CANNOT_TELL, reason, evidence)


def _described(heating: Heating | None, why: str, settings: Mapping[str, Any]) -> Answer:
    question = f"Does the curve describe the free energies at {settings['temperature']:g} K?"
    if heating is None:
        return Answer(question, CANNOT_TELL, why)
    share = heating.residual(settings["temperature"], settings["form"])
    evidence = {"residual": finite(share), "allowed": settings["largest_residual"]}
    off = f"they are off it by {100 * share:.2g} % of their range" if np.isfinite(share) else "there is none"
    if share <= settings["largest_residual"]:
        return Answer(question, YES, off, evidence)
    remedy = "the phonons of neighbouring volumes do not go together, take other strains or look at them"
    return Answer(question, CANNOT_TELL, f"{off}: {remedy}", evidence)


def _strain_for(volumes: Sequence[VibratingVolume], heating: Heating, highest: float) -> float:
    """Return the strain at which the volume of the highest temperature would be inside, by the last expansion."""
    last, expansion = heating.values["volume"][-1], heating.values["thermal_expansion"][-1]
    wanted = last * np.exp(max(float(expansion), 0.0) * (highest - heating.temperatures[-1]))
    per_length = (volumes[0].volume ** (1 / 3)) / (1 + volumes[0].strain)
    # The lowest of the free energies that were computed must have a neighbour on both sides.
    spacing = (volumes[-1].strain - volumes[0].strain) / (len(volumes) - 1)
    return float(MARGIN * max(wanted ** (1 / 3) / per_length - 1, volumes[-1].strain) + spacing)


def _agreement(heating: Heating | None, why: str, reference: Mapping[str, Any], settings: Mapping[str, Any]) -> Answer:
    question = f"Are the numbers at {settings['temperature']:g} K those of the reference?"
    names = [name for name in REFERENCE if name in reference]
    if heating is None:
        if not names:
            return answer_compared(question, [], reference)
        return Answer(question, CANNOT_TELL, why, {"source": reference.get("source")})
    compared = []
    for name in names:
        value, error = heating.at(name, settings["temperature"])
        allowed = settings[TOLERANCES[name]] * abs(reference[name])
        compared.append(Compared(name, value, error, float(reference[name]), allowed))
    return answer_compared(question, compared, reference)
