"""A crystal at constant pressure: at each temperature the volume of the lowest free energy, and what follows from it.

The free energy of a volume is its energy at rest and that of its phonons; phonopy fits a curve to it at each
temperature and takes differences (A. Togo, L. Chaput, I. Tanaka and G. Hug, Phys. Rev. B 81, 174301 (2010), section
II). Errors are told apart as those of equations of state are: by how numbers change where the smallest and the largest
volume are left out, and by how they change with another curve.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.elasticity.equation_of_state import fit_curve
from aiida_crucible.analysis.quasi_harmonic.settings import FEWEST, FEWEST_TEMPERATURES, FORMS
from aiida_crucible.analysis.quasi_harmonic.vibrating_volumes import VibratingVolume, counted
from aiida_crucible.compat.phonopy import QHA, get_physical_units

Array = NDArray[np.float64]

QUANTITIES = ("volume", "thermal_expansion", "bulk_modulus", "gibbs_energy", "heat_capacity", "gruneisen")
"""Å³ a formula unit, 1/K (of the volume), GPa, eV a formula unit, J/(K mol) of formula units, a number."""

OTHER_FORM = {"vinet": "birch-murnaghan", "birch-murnaghan": "vinet"}


@dataclass(frozen=True)
class Heating:
    """What is known at each temperature.

    :param temperatures: K, ascending, [n]: all at which the minimum of the free energy is among the volumes.
    :param values: by the names of :data:`QUANTITIES`, [n] each; NaN where there is none (Grüneisen at 0 K).
    :param errors: by the same names, [n] each; NaN where nobody knows.
    :param volumes: that count, Å³ a formula unit, ascending, [n_volumes].
    :param free_energies: of them, eV a formula unit, [n, n_volumes].
    :param asked: how many temperatures were asked for.
    """

    temperatures: Array
    values: dict[str, Array]
    errors: dict[str, Array]
    volumes: Array
    free_energies: Array
    asked: int

    @property
    def is_whole(self) -> bool:
        """Whether all temperatures that were asked for are there."""
        return len(self.temperatures) == self.asked

    def residual(self, temperature: float, form: str) -> float:
        """Return how far the free energies are off the curve at the nearest temperature, as a share of their range.

        :param form: of the curve.
        :return: root mean square; NaN where there is no curve.
        """
        free = self.free_energies[int(np.argmin(np.abs(self.temperatures - temperature)))]
        try:
            return float(fit_curve(self.volumes, free, form).residual / np.ptp(free))
        except ValueError:
            return float("nan")

    def at(self, name: str, temperature: float) -> tuple[float, float]:
        """Return a quantity and its error at a temperature, between the nearest two."""
        return (
            float(np.interp(temperature, self.temperatures, self.values[name])),
            float(np.interp(temperature, self.temperatures, self.errors[name])),
        )


def heat(volumes: Sequence[VibratingVolume], form: str) -> Heating:
    """Return what a crystal does when it is heated.

    :param volumes: of which those that count have thermal properties at the same temperatures, the last two of which
        derivatives need.
    :param form: a key of :data:`FORMS`.
    :raises ValueError: one line, if too few volumes count, or the minimum is outside at the lowest temperatures.
    """
    own = counted(volumes)
    if len(own) < FEWEST:
        raise ValueError(f"phonons count at {len(own)} of {len(volumes)} volumes, and {FEWEST} are the fewest")
    places = np.array([each.volume for each, _ in own])
    energies = np.array([each.energy for each, _ in own])
    temperatures = own[0][1].temperatures
    vibrational = np.array([[t.free_energy, t.entropy, t.heat_capacity] for _, t in own]).transpose(1, 2, 0)
    full = _fit(places, energies, temperatures, vibrational, form)
    asked = len(temperatures) - 2
    count = min(len(full["volume"]), asked)
    values = {name: full[name][:count] for name in QUANTITIES}
    errors = _errors(values, (places, energies, temperatures, vibrational), form)
    free = energies + vibrational[0][:count]
    return Heating(temperatures[:count], values, errors, places, free, asked)


Points = tuple[Array, Array, Array, Array]
"""Volumes [n_volumes], energies [n_volumes], temperatures [n], and free energy, entropy, heat capacity of phonons,
[3, n, n_volumes], eV and K."""


def _errors(values: dict[str, Array], points: Points, form: str) -> dict[str, Array]:
    places, energies, temperatures, vibrational = points
    count = len(values["volume"])
    unknown = {name: np.full(count, np.nan) for name in QUANTITIES}
    other = _changes(values, points, OTHER_FORM[form])
    inner = unknown
    if len(places) - 2 >= FEWEST:
        share = 1 - (np.ptp(places[1:-1]) / np.ptp(places)) ** 2
        fewer = (places[1:-1], energies[1:-1], temperatures, vibrational[:, :, 1:-1])
        inner = {name: change / share for name, change in _changes(values, fewer, form).items()}
    return {name: np.hypot(other[name], inner[name]) for name in QUANTITIES}


def _changes(values: dict[str, Array], points: Points, form: str) -> dict[str, Array]:
    """Return by how much quantities are others with other points or another curve; NaN where these tell nothing."""
    count = len(values["volume"])
    changes = {name: np.full(count, np.nan) for name in QUANTITIES}
    try:
        found = _fit(*points, form)
    except ValueError:
        return changes
    known = min(count, len(found["volume"]))
    for name in QUANTITIES:
        changes[name][:known] = np.abs(found[name][:known] - values[name][:known])
    return changes


def _fit(places: Array, energies: Array, temperatures: Array, vibrational: Array, form: str) -> dict[str, Array]:
    """Return the quantities from the lowest temperature to the last at which the minimum is among the volumes.

    :raises ValueError: one line, if these are too few.
    """
    lowest = np.argmin(energies + vibrational[0], axis=1)
    outside = (lowest == 0) | (lowest == len(places) - 1)
    known = int(np.argmax(outside)) if outside.any() else len(temperatures)
    if known < FEWEST_TEMPERATURES:
        end = "smallest" if lowest[known] == 0 else "largest"
        raise ValueError(
            f"at {temperatures[known]:g} K the lowest free energy is at the {end} volume, {places[lowest[known]]:.4g} "
            "Å³ a formula unit: the minimum is outside"
        )
    kilojoules = get_physical_units().EvTokJmol
    free, entropy, capacity = (values[:known] * kilojoules for values in vibrational)
    arguments = (places, energies, temperatures[:known], 1000 * capacity, 1000 * entropy, free)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.RankWarning)
            found = QHA(*arguments, eos=FORMS[form])
            found.run()
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"no {form} curve goes through the free energies: {error}") from error
    gruneisen = np.array(found.gruneisen_temperature)
    # Where the heat capacity vanishes there is none, and phonopy gives 0.
    gruneisen[(gruneisen == 0) | (temperatures[: len(gruneisen)] == 0)] = np.nan
    each = {
        "volume": found.volume_temperature,
        "thermal_expansion": found.thermal_expansion,
        "bulk_modulus": found.bulk_modulus_temperature,
        "gibbs_energy": found.gibbs_temperature,
        "heat_capacity": found.heat_capacity_P_polyfit,
        "gruneisen": gruneisen,
    }
    volumes = np.array(found.volume_temperature)
    outside = (volumes < places[0]) | (volumes > places[-1])
    if outside[:FEWEST_TEMPERATURES].any():
        raise ValueError(f"the {form} curve through the free energies has no minimum among the volumes")
    known = int(np.argmax(outside)) if outside.any() else len(volumes)
    return {name: np.array(values, dtype=float)[:known] for name, values in each.items()}
