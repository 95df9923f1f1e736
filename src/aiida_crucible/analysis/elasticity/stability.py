"""What an elastic tensor says: whether the crystal is stable, how well that is known, whether it is the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.elasticity.comparison import Compared, answer_compared, check_values, finite
from aiida_crucible.analysis.elasticity.elastic_tensor import ElasticTensor
from aiida_crucible.analysis.elasticity.strains import LAGRANGIAN
from aiida_crucible.analysis.elasticity.tensors import COMPONENTS, kelvin, moduli, moduli_errors, softest, under_stress
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer
from crucible_engine.wire.rules import Parameter, ParameterError, normalise, shown, suggestion

Array = NDArray[np.float64]

STABLE, UNSTABLE = "stable", "unstable"

MODULUS = Parameter(float, 1.0, "GPa", 0.0, 1e4, exclusive=True)
REFERENCE: dict[str, Parameter] = {
    "bulk_modulus": MODULUS,
    "shear_modulus": MODULUS,
    "young_modulus": MODULUS,
    "poisson_ratio": Parameter(float, 0.3, "a number", -1.0, 0.5),
}
"""Numbers that may be known of a crystal, beside ``components``."""
COMPONENT = Parameter(float, 1.0, "GPa", -1e4, 1e4)
SMALL = 0.1
"""Share of the largest component given, below which a component is measured by that share and not by itself."""
STRAINS = ("xx", "yy", "zz", "yz", "xz", "xy")


def check_elastic_reference(reference: Mapping[str, Any]) -> None:
    """Refuse a reference of an elastic tensor that is none.

    :param reference: any of :data:`REFERENCE`, ``components`` (GPa, by the names C11, C12 … C66, in the axes of the
        crystal that is given) and ``source``.
    :raises ValueError: one line.
    """
    check_values(reference, REFERENCE, ("components",))
    components = reference.get("components", {})
    if not isinstance(components, Mapping):
        raise ParameterError(f"the reference's components are {shown(components)}: give a dict, e.g. {{C11: 170}}")
    for name, value in components.items():
        if name not in COMPONENTS:
            raise ParameterError(f"the reference has no component {name!r}: {suggestion(name, COMPONENTS)}")
        normalise(f"the reference's component {name}", COMPONENT, value)


def summarise_elastic(
    found: ElasticTensor, reference: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return outcome, reason, tensor, moduli with errors and the answers, as plain data; GPa.

    :param reference: see :func:`check_elastic_reference`.
    :param settings: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    """
    # Slopes of Cauchy's stress hold the stress of the crystal itself already.
    is_lagrangian = settings["measure"] == LAGRANGIAN
    effective = under_stress(found.stiffness, found.stress) if is_lagrangian else found.stiffness
    eigenvalues, _ = softest(effective)
    stability = _stability(effective, found)
    is_definite = bool(eigenvalues[0] > 0)
    values = moduli(effective) if is_definite else {}
    errors = moduli_errors(effective, found.errors) if is_definite else {}
    answers = {
        "stability": stability,
        "precision": _precision(found, settings),
        "agreement": _agreement(found, values, errors, reference, settings, is_unstable=stability.answer == NO),
    }
    outcome = {YES: STABLE, NO: UNSTABLE}.get(stability.answer, CANNOT_TELL)
    return {
        "outcome": outcome,
        "reason": stability.reason,
        "elastic_tensor": found.stiffness.tolist(),
        "elastic_tensor_errors": found.errors.tolist(),
        "eigenvalues": eigenvalues.tolist(),
        "moduli": values,
        "moduli_errors": errors,
        "stress": found.stress.tolist(),
        "fit_error": found.fit_error,
        "symmetry_error": found.symmetry_error,
        "order_error": finite(found.order_error),
        "nonlinearity": found.nonlinearity,
        **{name: asdict(answer) for name, answer in answers.items()},
    }


def no_tensor(reason: str, outcome: str = CANNOT_TELL) -> dict[str, Any]:
    """Return the summary of cells of which no tensor follows.

    :param reason: one line.
    """
    answer = Answer("Is the crystal mechanically stable?", CANNOT_TELL, reason)
    return {"outcome": outcome, "reason": reason, "stability": asdict(answer)}


def _stability(effective: Array, found: ElasticTensor) -> Answer:
    question = "Is the crystal mechanically stable?"
    eigenvalues, strain = softest(effective)
    lowest = float(eigenvalues[0])
    # No eigenvalue moves by more than the norm of what is added (H. Weyl).
    error = float(np.linalg.norm(kelvin(found.errors), ord=2))
    evidence = {
        "lowest_eigenvalue": lowest,
        "error": error,
        "softest_strain": strain.tolist(),
        "pressure": float(-found.stress[:3].mean()),
    }
    told = f"the lowest eigenvalue of the elastic tensor is {lowest:.4g} ± {error:.2g} GPa"
    along = ", ".join(f"{name} {value:+.2f}" for name, value in zip(STRAINS, strain, strict=True) if abs(value) > 0.005)
    if lowest > error:
        return Answer(question, YES, told, evidence)
    if lowest < -error:
        return Answer(question, NO, f"{told}: it gives way to the strain {along}", evidence)
    return Answer(question, CANNOT_TELL, f"{told}, along {along}: within its error", evidence)


def _precision(found: ElasticTensor, settings: Mapping[str, Any]) -> Answer:
    allowed = settings["largest_error"]
    question = f"Is the elastic tensor known within {100 * allowed:g} % of its largest component?"
    largest, error = float(np.abs(found.stiffness).max()), float(found.errors.max())
    share = error / largest
    evidence = {
        "largest_component": largest,
        "largest_error": error,
        "fit_error": found.fit_error,
        "symmetry_error": found.symmetry_error,
        "order_error": finite(found.order_error),
        "nonlinearity": found.nonlinearity,
    }
    reason = f"the largest error is {error:.2g} GPa ({100 * share:.2g} %)"
    return Answer(question, YES if share <= allowed else NO, reason, evidence)


def _agreement(
    found: ElasticTensor,
    values: Mapping[str, float],
    errors: Mapping[str, float],
    reference: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    is_unstable: bool,
) -> Answer:
    question = "Is the elastic tensor that of the reference?"
    components = reference.get("components") or {}
    compared = []
    scale = SMALL * max((abs(value) for value in components.values()), default=0.0)
    for name, wanted in components.items():
        place = int(name[1]) - 1, int(name[2]) - 1
        allowed = settings["modulus_tolerance"] * max(abs(wanted), scale)
        error = float(found.errors[place])
        compared.append(Compared(name, float(found.stiffness[place]), error, float(wanted), allowed))
    names = [name for name in REFERENCE if name in reference]
    if names and not values:
        word = NO if is_unstable else CANNOT_TELL
        reason = "the reference has moduli, and what is not stable has none"
        return Answer(question, word, reason, {"source": reference.get("source")})
    for name in names:
        wanted = float(reference[name])
        is_ratio = name == "poisson_ratio"
        allowed = settings["ratio_tolerance"] if is_ratio else settings["modulus_tolerance"] * abs(wanted)
        compared.append(Compared(name, values[name], errors[name], wanted, allowed))
    return answer_compared(question, compared, reference)
