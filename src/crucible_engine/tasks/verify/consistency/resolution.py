"""Whether numbers are coarser than the precision that was asked for: rounded to decimals, or to fewer bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, measured
from crucible_engine.tasks.verify.precision import EPSILON, Deviation

MOST_DECIMALS = 9
ROUNDING_MARGIN = 1.0
"""Rounding errors by which a decimal fraction may miss its binary representation."""
RESOLVED = 100.0
"""Rounding errors that a step must exceed to be told from them."""
BITS = {"float64": (8, 11, 24), "float32": (8, 11)}
"""Bits of the significands of bfloat16, float16 and float32 that are too few for a precision."""


def check_resolution(bases: Sequence[Evaluation], dtype: str) -> tuple[Check, Deviation]:
    """Check that energies, forces and stresses use the digits of their precision; return how coarse they are.

    :param bases: what the model says of structures without any symmetry.
    :param dtype: the precision that was asked for.
    """
    quantities = {
        "energy": np.array([base.energy for base in bases]),
        "forces": np.concatenate([base.forces.ravel() for base in bases]),
        "stress": np.concatenate([base.stress for base in bases]),
    }
    decimal = {name: decimal_step(values, dtype) for name, values in quantities.items()}
    binary = {name: binary_step(values, dtype) for name, values in quantities.items()}
    coarseness = Deviation(**decimal).at_least(Deviation(**binary))
    for steps, fault in ((decimal, "rounded-results"), (binary, "precision-below-dtype")):
        coarse = [f"{name} in steps of {step:.0e}" for name, step in steps.items() if step]
        if coarse:
            return measured("resolution", f"{', '.join(coarse)} where {dtype} was asked for").failed(fault), coarseness
    return measured("resolution", f"the numbers use the digits of {dtype}"), coarseness


def decimal_step(values: NDArray[np.float64], dtype: str) -> float:
    """Return the power of ten that all values are multiples of, 0 where there is none.

    :param values: shape [n]; zeros and NaN do not count.
    :param dtype: the precision that they should have.
    """
    values = _telling(values)
    if not len(values):
        return 0.0
    rounding = EPSILON[dtype] * np.abs(values)
    for decimals in range(MOST_DECIMALS + 1):
        step = 10.0**-decimals
        if step <= RESOLVED * rounding.max():
            break
        if (np.abs(values - np.round(values, decimals)) <= ROUNDING_MARGIN * rounding).all():
            return step
    return 0.0


def binary_step(values: NDArray[np.float64], dtype: str) -> float:
    """Return the rounding step of the largest value if all values have too few bits, 0 otherwise.

    :param values: shape [n]; zeros and NaN do not count.
    :param dtype: the precision that they should have.
    """
    values = _telling(values)
    if not len(values):
        return 0.0
    significands, _ = np.frexp(values)
    for bits in BITS[dtype]:
        scaled = np.ldexp(significands, bits)
        if np.array_equal(scaled, np.round(scaled)):
            return float(np.abs(values).max() * 2.0**-bits)
    return 0.0


def _telling(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values[np.isfinite(values) & (values != 0)])
