"""How to heat a crystal in the quasi-harmonic approximation: one table of settings, with defaults, ranges and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.elasticity.settings import MODULUS_TOLERANCE
from aiida_crucible.analysis.elasticity.strains import deformed
from crucible_engine.wire.rules import Parameter, ParameterError, complete

FORMS = {"vinet": "vinet", "birch-murnaghan": "birch_murnaghan"}
"""Curves of the free energy against the volume, and what phonopy calls them."""

FEWEST = 6
"""Volumes from which free energies, and entropies that phonopy fits by a polynomial of degree 4, follow."""

FEWEST_TEMPERATURES = 4

QUASI_HARMONIC: dict[str, Parameter] = {
    "form": Parameter(str, "vinet", "of the free energy against the volume", choices=tuple(FORMS)),
    "smallest_strain": Parameter(float, -0.01, "of the cell's lengths at the smallest volume", -0.2, 0.0),
    "largest_strain": Parameter(
        float, 0.03, "of the cell's lengths at the largest volume, which limits the temperatures", 0.001, 0.2
    ),
    "n_points": Parameter(int, 9, "volumes, evenly spaced in the lengths", FEWEST, 1000),
    "largest_residual": Parameter(
        float,
        0.01,
        "distance from the curve, a share of the free energies' range, beyond which it describes them not",
        0,
        1,
    ),
    "temperature": Parameter(float, 300.0, "at which the summary tells and compares, K", 0.0, 100_000.0),
    "volume_tolerance": Parameter(
        float, 0.06, "relative deviation of the volume from the reference that is allowed", 0.0, 1.0
    ),
    "expansion_tolerance": Parameter(
        float, 0.2, "relative deviation of the thermal expansion from the reference that is allowed", 0.0, 10.0
    ),
    "heat_capacity_tolerance": Parameter(
        float, 0.05, "relative deviation of the heat capacity from the reference that is allowed", 0.0, 10.0
    ),
    "gruneisen_tolerance": Parameter(
        float, 0.2, "relative deviation of the Grüneisen parameter from the reference that is allowed", 0.0, 10.0
    ),
    "modulus_tolerance": MODULUS_TOLERANCE,
}


def validate_quasi_harmonic(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a quasi-harmonic calculation complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    return complete("a quasi-harmonic calculation", QUASI_HARMONIC, given)


def check_temperatures(settings: Mapping[str, Any], phonons: Mapping[str, Any]) -> None:
    """Refuse temperatures of the phonons from which nothing follows at the temperature that is told.

    :param settings: complete.
    :param phonons: complete, see :mod:`aiida_crucible.analysis.phonons.settings`.
    :raises ValueError: one line.
    """
    highest, step = phonons["max_temperature"], phonons["temperature_step"]
    if highest < (FEWEST_TEMPERATURES - 1) * step:
        raise ParameterError(
            f"parameter 'max_temperature' of phonons is {highest:g} K with steps of {step:g} K: derivatives take "
            f"{FEWEST_TEMPERATURES} temperatures at least"
        )
    if settings["temperature"] > highest:
        raise ParameterError(
            f"parameter 'temperature' of a quasi-harmonic calculation is {settings['temperature']:g} K, but phonons "
            f"end at {highest:g} K: raise their 'max_temperature'"
        )


def temperatures_of(phonons: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the temperatures, K, shape [n]: those of the phonons and two more, since derivatives are differences.

    :param phonons: complete, see :mod:`aiida_crucible.analysis.phonons.settings`.
    """
    step = phonons["temperature_step"]
    count = int(np.floor(phonons["max_temperature"] / step + 1e-9)) + 3
    return np.asarray(np.arange(count) * step, dtype=float)


def length_strains(settings: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the linear strains of the cells, ascending, shape [n_points]."""
    return np.linspace(settings["smallest_strain"], settings["largest_strain"], settings["n_points"])


def expanded_cells(atoms: Atoms, settings: Mapping[str, Any]) -> list[Atoms]:
    """Return the crystal at each volume, its atoms where they are in the cell, see :func:`length_strains`."""
    return [deformed(atoms, (1 + strain) * np.eye(3)) for strain in length_strains(settings)]
