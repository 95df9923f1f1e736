"""Which frequencies are no more than rounding errors, and so zero.

A translation at Γ comes out of an eigensolver as the root of some rounding error: 1e-7 THz, real or imaginary, another
one on every processor. What is reported of it is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

RELATIVE_ROUNDING = 1e-12
"""Share of a crystal's largest ω² that rounding may make of nothing: some thousand terms of double precision."""


def rounding_floor(phonon: Phonopy) -> float:
    """Return the frequency below which ω is a rounding error, THz: that share of the stiffest atom's ω².

    :param phonon: the crystal with its force constants, full or compact.
    """
    primitive = phonon.primitive
    constants = phonon.force_constants
    own = primitive.p2s_map
    rows = own if constants.shape[0] == constants.shape[1] else np.arange(len(own))
    stiffness = np.linalg.norm(constants[rows, own], axis=(1, 2)) / primitive.masses
    return float(np.sqrt(RELATIVE_ROUNDING * stiffness.max()) * phonon.unit_conversion_factor)


def clear_rounding(values: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Return values with those of no more than ``floor`` in size set to zero; of any shape and unit."""
    return np.where(np.abs(values) <= floor, 0.0, values)
