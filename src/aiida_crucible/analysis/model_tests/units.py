"""Whether labels are in another unit, or of another sign, than they are said to be: their slope against a model tells.

No model is wrong by a factor of 23 and right in every direction, so that where labels and model are nearly
proportional, and the factor is one between units, the labels are in the other unit.
"""

from __future__ import annotations

import numpy as np
from ase import units
from numpy.typing import NDArray

FEWEST = 6
"""Numbers from which a slope is believed."""

CORRELATION = 0.8
"""Of labels and model, from which they are proportional."""

TOLERANCE = 1.12
"""Factor by which a slope may miss that of a unit: the force constants of models are softer than those of their labels,
by some 10 % in the middle; Hartree/Å and Ry/bohr, which differ by 6 %, are not told apart."""

ENERGY_UNITS = {
    "kcal/mol": units.mol / units.kcal,
    "kJ/mol": units.mol / units.kJ,
    "Hartree": 1 / units.Hartree,
    "Ry": 1 / units.Rydberg,
    "meV": 1000.0,
}
FORCE_UNITS = {
    **{f"{name}/Å": factor for name, factor in ENERGY_UNITS.items()},
    "Hartree/bohr": units.Bohr / units.Hartree,
    "Ry/bohr": units.Bohr / units.Rydberg,
    "gradients (forces of the other sign)": -1.0,
}
STRESS_UNITS = {
    "the other sign": -1.0,
    "GPa": 1 / units.GPa,
    "kbar": 10 / units.GPa,
    "GPa of the other sign": -1 / units.GPa,
    "kbar of the other sign": -10 / units.GPa,
}
"""What one eV, eV/Å or eV/Å³ is in each."""


def suspected_unit(
    labels: NDArray[np.float64], predicted: NDArray[np.float64], factors: dict[str, float]
) -> str | None:
    """Return the unit or sign that labels seem to have; ``None`` where nothing speaks against what is said of them.

    :param labels: what should be zero on average, such as energies beside their shift, shape [n].
    :param predicted: by a model, shape [n].
    :param factors: what one is in each unit.
    """
    norms = float(np.linalg.norm(labels)), float(np.linalg.norm(predicted))
    if len(labels) < FEWEST or not min(norms) > 0:
        return None
    correlation = float(labels @ predicted) / (norms[0] * norms[1])
    if abs(correlation) < CORRELATION:
        return None
    slope = np.copysign(norms[0] / norms[1], correlation)
    near = {name: abs(np.log(slope / factor)) for name, factor in factors.items() if slope * factor > 0}
    best = min(near, key=lambda name: near[name], default=None)
    return best if best is not None and near[best] < np.log(TOLERANCE) else None
