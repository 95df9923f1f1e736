"""What energies against volumes say: the curve, whether it can be believed, and whether it is the reference's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.elasticity.comparison import Compared, answer_compared, check_values, finite
from aiida_crucible.analysis.elasticity.equation_of_state import NAMES, EquationOfState, fit_curve
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, NOT_ASKED, YES, Answer
from crucible_engine.wire.rules import Parameter

Array = NDArray[np.float64]

FITTED, NON_FINITE = "fitted", "non-finite"

REFERENCE: dict[str, Parameter] = {
    "volume": Parameter(float, 1.0, "Å³ a formula unit", 1.0, 1e5),
    "bulk_modulus": Parameter(float, 1.0, "GPa", 0.0, 1e4, exclusive=True),
    "bulk_modulus_derivative": Parameter(float, 4.0, "a number", 0.0, 100.0, exclusive=True),
}
"""What may be known of a crystal."""


@dataclass(frozen=True)
class Volumes:
    """Cells of several volumes.

    :param volumes: Å³ a cell, ascending, [n].
    :param energies: eV a cell, [n]; NaN where the model gave none.
    :param pressures: by the model's stress, GPa, [n]; NaN where it gives none.
    :param outcomes: of the relaxation of each, [n].
    """

    volumes: Array
    energies: Array
    pressures: Array
    outcomes: Sequence[str]

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which of them count: those that converged."""
        return np.array([outcome == "converged" for outcome in self.outcomes]) & np.isfinite(self.energies)


def check_volume_reference(reference: Mapping[str, Any]) -> None:
    """Refuse a reference of an equation of state that is none, see :data:`REFERENCE`.

    :raises ValueError: one line.
    """
    check_values(reference, REFERENCE)


def fit_volumes(found: Volumes, settings: Mapping[str, Any]) -> tuple[EquationOfState | None, str]:
    """Return the curve through those that count; ``None`` with the reason, in one line, where there is none.

    :param settings: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    """
    try:
        return fit_curve(found.volumes[found.used], found.energies[found.used], settings["form"]), ""
    except ValueError as error:
        return None, f"{error}{_left_out(found)}"


def summarise_volumes(
    found: Volumes,
    fitted: tuple[EquationOfState | None, str],
    units: int,
    reference: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return outcome, reason, parameters with errors and the answers, as plain data.

    :param fitted: see :func:`fit_volumes`.
    :param units: formula units of a cell.
    :param reference: see :data:`REFERENCE`.
    """
    curve, why = fitted
    minimum = _minimum(found, curve, why, settings)
    outcome = FITTED if minimum.answer == YES else CANNOT_TELL
    if not np.isfinite(found.energies).any():
        outcome = NON_FINITE
    believed = curve if minimum.answer == YES else None
    answers = {
        "minimum": minimum,
        "pressure": _pressure(found, believed, minimum.reason, settings),
        "agreement": _agreement(believed, minimum.reason, units, reference, settings),
    }
    told: dict[str, Any] = {"outcome": outcome, "reason": minimum.reason, "formula_units": units}
    if curve is not None:
        told |= {
            "form": curve.form,
            "equilibrium": {name: curve.values[name] for name in NAMES}
            | {"volume_per_formula_unit": curve.values["volume"] / units},
            "errors": {name: finite(value) for name, value in curve.errors.items()},
            "fit_errors": {name: finite(value) for name, value in curve.fit_errors.items()},
            "range_errors": {name: finite(value) for name, value in curve.range_errors.items()},
            "residual": curve.residual,
        }
    return {**told, **{name: asdict(answer) for name, answer in answers.items()}}


def _left_out(found: Volumes) -> str:
    lost = [outcome for outcome, is_used in zip(found.outcomes, found.used, strict=True) if not is_used]
    return f" ({len(lost)} of {len(found.outcomes)} cells do not count: {', '.join(sorted(set(lost)))})" if lost else ""


def _minimum(found: Volumes, curve: EquationOfState | None, why: str, settings: Mapping[str, Any]) -> Answer:
    question = "Do the energies have a minimum among the volumes, and does the curve describe them?"
    evidence: dict[str, Any] = {"cells": len(found.volumes), "used": int(found.used.sum())}
    if curve is None:
        return Answer(question, CANNOT_TELL, why, evidence)
    depth = float(np.ptp(found.energies[found.used]))
    share = curve.residual / depth
    evidence |= {"residual": curve.residual, "range_of_energies": depth}
    if share > settings["largest_residual"]:
        reason = f"the energies are {curve.residual:.2g} eV off the curve, {100 * share:.2g} % of their range"
        return Answer(question, CANNOT_TELL, f"{reason}: take smaller strains", evidence)
    errors = curve.errors
    told = ", ".join(
        f"{name} {curve.values[key]:.5g}" + (f" ± {errors[key]:.1g}" if np.isfinite(errors[key]) else "") + unit
        for name, key, unit in (("V₀", "volume", " Å³"), ("B₀", "bulk_modulus", " GPa"), ("B₀'", "derivative", ""))
    )
    return Answer(question, YES, f"{told}{_left_out(found)}", evidence)


def _pressure(found: Volumes, curve: EquationOfState | None, why: str, settings: Mapping[str, Any]) -> Answer:
    question = "Are the pressures by the model's stress those of its energies?"
    has = found.used & np.isfinite(found.pressures)
    if not has.any():
        return Answer(question, NOT_ASKED, "the model gives no stress")
    if curve is None:
        return Answer(question, CANNOT_TELL, why)
    differences = found.pressures[has] - curve.pressures(found.volumes[has])
    worst = int(np.argmax(np.abs(differences)))
    largest, modulus = abs(float(differences[worst])), curve.values["bulk_modulus"]
    evidence = {"largest_difference": largest, "bulk_modulus": modulus}
    volume = float(found.volumes[has][worst])
    reason = f"they differ by {largest:.2g} GPa at most, at {volume:.4g} Å³ ({100 * largest / modulus:.2g} % of B₀)"
    return Answer(question, YES if largest <= settings["pressure_tolerance"] * modulus else NO, reason, evidence)


def _agreement(
    curve: EquationOfState | None, why: str, units: int, reference: Mapping[str, Any], settings: Mapping[str, Any]
) -> Answer:
    question = "Is the equation of state that of the reference?"
    names = [name for name in REFERENCE if name in reference]
    if curve is None:
        if not names:
            return answer_compared(question, [], reference)
        return Answer(question, CANNOT_TELL, why, {"source": reference.get("source")})
    keys = {"volume": "volume", "bulk_modulus": "bulk_modulus", "bulk_modulus_derivative": "derivative"}
    tolerances = {"volume": "volume_tolerance", "bulk_modulus": "modulus_tolerance"}
    compared = []
    for name in names:
        share = 1 / units if name == "volume" else 1.0
        allowed = settings[tolerances.get(name, "derivative_tolerance")] * abs(reference[name])
        value, error = curve.values[keys[name]] * share, curve.errors[keys[name]] * share
        compared.append(Compared(name, value, error, float(reference[name]), allowed))
    return answer_compared(question, compared, reference)
