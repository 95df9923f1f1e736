"""Whether forces and stress are the derivatives of the energy, and what they are where they are not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.derivatives import diagnosis
from crucible_engine.tasks.verify.derivatives.diagnosis import Explanation, Unit, explain_forces, explain_stress
from crucible_engine.tasks.verify.derivatives.differences import Derivatives

RELATIVE_TOLERANCE = 0.005
"""Relative difference from the numerical derivatives that is always allowed."""
ERROR_MARGIN = 4.0
"""How often the estimated error of the numerical derivatives is allowed."""
UNRESOLVED = 0.1
"""A tolerance beyond this says nothing any more."""
RELATED = 0.5
"""Misfit beyond which reported values have so little to do with the true ones that a factor means nothing."""
FORCES_NAMES = ("forces sign", "forces unit", "forces gradient")
STRESS_NAMES = ("stress sign", "stress unit", "stress order", "stress gradient")
RESOLVED_BY_WORK = 0.5
"""The same for derivatives from long ways, of which only signs and units are read."""
CURL = 0.01
"""Antisymmetric part of the forces' Jacobian beyond which no energy at all has them as its gradient."""


def check_forces(derivatives: Sequence[Derivatives], conservative: bool, scatter: float) -> list[Check]:
    """Compare forces with numerical ones: sign, unit, and whether they are the gradient at all.

    :param derivatives: forces along directions, for each probe.
    :param conservative: whether the model says that its forces are the gradient of its energy.
    :param scatter: how much the forces change when they are evaluated again, eV/Å.
    """
    tolerance = misfit_allowed(derivatives, scatter)
    if tolerance > UNRESOLVED:
        return _unresolved(FORCES_NAMES, tolerance)
    found = explain_forces(derivatives, tolerance)
    related = found.misfit < RELATED
    unit = diagnosis.recognise(found.factor, diagnosis.FORCE_UNITS)
    if not conservative and not _far_from_one(found):
        unit = Unit(diagnosis.PLAIN, 1.0)
    if conservative and found.misfit <= tolerance:
        gradient = _proportional("forces", found, unit, tolerance)
    else:
        gradient = _direct(derivatives, conservative, found.misfit, tolerance)
    if not related:
        unrelated = "the forces have nothing to do with the energy's gradient"
        return [not_applicable("forces sign", unrelated), not_applicable("forces unit", unrelated), gradient]
    return [_sign("forces", found), _unit("forces", "eV/Å", found, unit), gradient]


def check_by_work(derivatives: Sequence[Derivatives], quantity: str, scatter: float) -> list[Check]:
    """Compare values with the energy of long ways: their sign and unit, where the energy is too rough for more.

    :param quantity: ``forces`` or ``stress``.
    :param scatter: how much the values change when they are evaluated again, in their unit.
    """
    is_force = quantity == "forces"
    names, right = (FORCES_NAMES, "eV/Å") if is_force else (STRESS_NAMES, "eV/Å³")
    tolerance = misfit_allowed(derivatives, scatter)
    if not tolerance <= RESOLVED_BY_WORK:
        return _unresolved(names, tolerance)
    found = (explain_forces if is_force else explain_stress)(derivatives, tolerance)
    if found.misfit > RESOLVED_BY_WORK:
        return [not_applicable(name, f"the energy is rough, and the {quantity} do not follow it") for name in names]
    rough = f"the energy is too rough for it: signs and units alone are known, to {tolerance:.0%}"
    unit = Unit(diagnosis.PLAIN, 1.0)
    if _far_from_one(found):
        unit = diagnosis.recognise(found.factor, diagnosis.FORCE_UNITS if is_force else diagnosis.STRESS_UNITS)
    others = [not_applicable(name, rough) for name in names[2:]]
    return [_sign(quantity, found), _unit(quantity, right, found, unit), *others]


def is_resolved(derivatives: Sequence[Derivatives], scatter: float) -> bool:
    """Tell whether finite differences say anything, of reported values and of the energy itself.

    Parameters as in :func:`misfit_allowed`. Reported values that are far too large must not hide a rough energy.
    """
    own = _rms([item.numerical for item in derivatives])
    error = ERROR_MARGIN * _rms([item.error for item in derivatives])
    return misfit_allowed(derivatives, scatter) <= UNRESOLVED and error <= UNRESOLVED * own


def are_better(derivatives: Sequence[Derivatives]) -> bool:
    """Tell whether derivatives from long ways are large beside their errors."""
    error = ERROR_MARGIN * _rms([item.error for item in derivatives])
    return error <= RESOLVED_BY_WORK * _rms([item.numerical for item in derivatives])


def check_stress(derivatives: Sequence[Derivatives], conservative: bool, scatter: float) -> list[Check]:
    """Compare stresses with numerical ones: sign, unit, order of components, and the rest.

    :param derivatives: stresses of crystals.
    """
    if not has_stress(derivatives):
        return [not_applicable(name, "the model gives no stress") for name in STRESS_NAMES]
    tolerance = misfit_allowed(derivatives, scatter)
    if tolerance > UNRESOLVED:
        return _unresolved(STRESS_NAMES, tolerance)
    true, reported = diagnosis.stacked(derivatives)
    found = explain_stress(derivatives, tolerance)
    if not conservative and (found.misfit >= RELATED or not _far_from_one(found)):
        message = f"predicted directly; {diagnosis.misfit([true], [reported]):.0%} off the energy's derivative"
        return [not_applicable(name, message) for name in STRESS_NAMES]
    if found.misfit >= RELATED:
        unrelated = [not_applicable(name, "the stress has nothing to do with the energy") for name in STRESS_NAMES[:3]]
        return [*unrelated, _inconsistent(found.misfit, tolerance, true, reported)]
    unit = diagnosis.recognise(found.factor, diagnosis.STRESS_UNITS)
    return [
        _sign("stress", found),
        _unit("stress", "eV/Å³", found, unit),
        _order(found),
        _inconsistent(found.misfit, tolerance, true, reported)
        if found.misfit > tolerance
        else _proportional("stress", found, unit, tolerance),
    ]


def has_stress(derivatives: Sequence[Derivatives]) -> bool:
    """Tell whether a model gave the stress of every crystal."""
    return bool(derivatives) and not any(np.isnan(item.reported).all() for item in derivatives)


def trusted(checks: Sequence[Check], quantity: str) -> bool:
    """Tell whether no check of a quantity failed.

    :param quantity: ``forces`` or ``stress``.
    """
    return not any(check.fault for check in checks if check.name.startswith(quantity))


def _direct(derivatives: Sequence[Derivatives], conservative: bool, misfit: float, tolerance: float) -> Check:
    differences = np.concatenate([item.numerical - item.reported for item in derivatives])
    curl = max(item.curl for item in derivatives)
    kind = "no energy's gradient" if curl > CURL else "the gradient of another energy than the one given"
    said = "" if conservative else ", as the model says of itself"
    difference = float(np.sqrt(np.mean(differences**2)))
    message = f"the forces are {kind}{said}: rms difference {difference:.2g} eV/Å, curl {curl:.1%}"
    return Check("forces gradient", message, misfit, tolerance).failed("direct-forces")


def _proportional(quantity: str, found: Explanation, unit: Unit, tolerance: float) -> Check:
    """Judge what is the energy's derivative but for factors, which may be those of units."""
    name = f"{quantity} gradient"
    if unit.name is not None and not _is_one(unit.remainder, tolerance):
        beside = "" if unit.name == diagnosis.PLAIN else ", beside its unit,"
        message = f"it is{beside} {unit.remainder:.4g} times the energy's derivative, a factor of no known unit"
        return Check(name, message, abs(unit.remainder - 1), tolerance).failed(f"{quantity}-inconsistent")
    if not _is_one(found.shear, tolerance):
        message = f"yz, xz, xy are {found.shear:.4g} times what xx, yy, zz would have them"
        return Check(name, message, abs(found.shear - 1), tolerance).failed("stress-shear-factor")
    return Check(name, "it is the energy's derivative", found.misfit, tolerance)


def _inconsistent(misfit: float, tolerance: float, true: diagnosis.Array, reported: diagnosis.Array) -> Check:
    component = diagnosis.COMPONENTS[int(np.argmax(np.sum((reported - true) ** 2, axis=0)))]
    message = f"no factor and no order of components makes it the energy's derivative; {component} is farthest off"
    return Check("stress gradient", message, misfit, tolerance).failed("stress-inconsistent")


def _sign(quantity: str, found: Explanation) -> Check:
    name = f"{quantity} sign"
    if found.factor < 0:
        return Check(name, "it is the opposite of the energy's derivative", -1.0).failed(f"{quantity}-wrong-sign")
    return Check(name, "that of the energy's derivative", 1.0)


def _unit(quantity: str, right: str, found: Explanation, unit: Unit) -> Check:
    name, factor = f"{quantity} unit", abs(found.factor)
    if found.law != "constant":
        also = "" if unit.name == diagnosis.PLAIN else f", and in {unit.name or 'an unknown unit'}"
        times_volume = found.law == "volume"
        message = f"proportional to {found.law}: {factor:.5g} · {found.law} times too large{also}"
        fault = f"{quantity}-times-volume" if times_volume else f"{quantity}-scales-with-size"
        return Check(name, message, factor, 1.0).failed(fault)
    if unit.name == diagnosis.PLAIN:
        return Check(name, right, factor, 1.0)
    fault = "stress-in-GPa" if (quantity, unit.name) == ("stress", "GPa") else f"{quantity}-wrong-unit"
    meaning = "no known unit" if unit.name is None else f"it is in {unit.name}, not {right}"
    return Check(name, f"{factor:.5g} times too large: {meaning}", factor, 1.0).failed(fault)


def _order(found: Explanation) -> Check:
    order = diagnosis.describe_order(found.order)
    right = diagnosis.describe_order(diagnosis.IDENTITY)
    if found.order != diagnosis.IDENTITY:
        return Check("stress order", f"it is {order}, not Voigt's {right}").failed("stress-voigt-order")
    return Check("stress order", f"Voigt's, {right}")


def misfit_allowed(derivatives: Sequence[Derivatives], scatter: float) -> float:
    """Return the relative misfit that the numerical derivatives' own errors can make.

    :param scatter: how much the reported values change when they are evaluated again, in their unit.
    """
    true, reported = _rms([item.numerical for item in derivatives]), _rms([item.reported for item in derivatives])
    typical = max(true, reported)
    if not typical:
        return math.inf
    error = ERROR_MARGIN * _rms([item.error for item in derivatives])
    # A factor between the two takes the error along. Where the energy is constant while forces are reported there is no
    # factor, and the forces are to be compared with it all the same.
    own = true if error <= UNRESOLVED * true else typical
    return RELATIVE_TOLERANCE + error / own + ERROR_MARGIN * scatter / typical


def _unresolved(names: Sequence[str], tolerance: float) -> list[Check]:
    message = f"the energy is too noisy or too flat: its numerical derivatives are uncertain by {tolerance:.0%}"
    return [not_applicable(name, message) for name in names]


def _far_from_one(found: Explanation) -> bool:
    """Tell whether even a model that predicts forces or stress directly cannot be that far off."""
    low, high = diagnosis.PLAIN_RANGE
    return found.misfit < RELATED and not low < found.factor < high


def _is_one(value: float, tolerance: float) -> bool:
    return abs(value - 1.0) <= tolerance


def _rms(parts: Sequence[diagnosis.Array]) -> float:
    return float(np.sqrt(np.mean(np.concatenate([part.ravel() for part in parts]) ** 2)))
