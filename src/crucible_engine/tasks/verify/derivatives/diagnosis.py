"""Finds what turns the true forces or stress into the reported ones: a factor, a law of size, an order of components.

Nothing here looks for one fault after the other. All factors, laws and orders are fitted at once and the simplest that
leaves no misfit is the explanation; only then is the factor compared with those of known units.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import units
from numpy.typing import NDArray

from crucible_engine.tasks.verify.derivatives.differences import Derivatives

Array = NDArray[np.float64]

PLAIN = ""
FORCE_UNITS: Mapping[str, float] = {
    PLAIN: 1.0,
    "eV/bohr": units.Bohr,
    "Hartree/bohr": units.Bohr / units.Hartree,
    "Rydberg/bohr": units.Bohr / units.Rydberg,
    "Hartree/Å": 1.0 / units.Hartree,
    "Rydberg/Å": 1.0 / units.Rydberg,
    "kcal/mol/Å": units.mol / units.kcal,
    "kJ/mol/Å": units.mol / units.kJ,
    "kJ/mol/nm": 10.0 * units.mol / units.kJ,
    "kcal/mol/bohr": units.Bohr * units.mol / units.kcal,
    "meV/Å": 1000.0,
    "eV/nm": 10.0,
    "nN": 1e9 / (units.kg * units.m / units.second**2),
    "eV/Å multiplied instead of divided by the length of a bohr": 1.0 / units.Bohr,
    "eV/Å converted from Hartree twice": units.Hartree,
    "eV/Å converted from Hartree/bohr twice": units.Hartree / units.Bohr,
}
"""What 1 eV/Å amounts to in units in use, and in the mistakes that their conversion invites."""
ENERGY_UNITS: Mapping[str, float] = {
    PLAIN: 1.0,
    "Hartree": 1.0 / units.Hartree,
    "Rydberg": 1.0 / units.Rydberg,
    "kcal/mol": units.mol / units.kcal,
    "kJ/mol": units.mol / units.kJ,
    "meV": 1000.0,
    "kelvin": 1.0 / units.kB,
}
"""The same for 1 eV."""
STRESS_UNITS: Mapping[str, float] = {
    PLAIN: 1.0,
    "GPa": 1.0 / units.GPa,
    "kbar": 10.0 / units.GPa,
    "MPa": 1e3 / units.GPa,
    "bar": 1e4 / units.GPa,
    "atm": 1.0 / (101325.0 * units.Pascal),
    "Pa": 1.0 / units.Pascal,
    "Hartree/bohr³": units.Bohr**3 / units.Hartree,
    "Rydberg/bohr³": units.Bohr**3 / units.Rydberg,
    "eV/bohr³": units.Bohr**3,
    "kcal/mol/Å³": units.mol / units.kcal,
    "kJ/mol/Å³": units.mol / units.kJ,
    "meV/Å³": 1000.0,
    "eV/Å³ converted from GPa twice": units.GPa,
    "eV/Å³ converted from kbar twice": units.GPa / 10.0,
}
"""The same for 1 eV/Å³."""
SIMILAR = 0.15
"""Relative difference up to which a factor is taken for a known one with something else wrong besides."""
ROUNDED = 0.01
"""Relative difference up to which a factor near one may be that of a unit (eV per bohr is 0.53)."""
PLAIN_RANGE = (0.5, 2.0)
"""Factors in between that belong to no unit have another cause than a unit."""

CONVINCING_MISFIT = 0.25
CONVINCING_GAIN = 0.3
"""An explanation that leaves a misfit is believed if it leaves little, and far less than the plain one."""

IDENTITY = (0, 1, 2, 3, 4, 5)
COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
ORDERS = sorted(
    itertools.permutations(IDENTITY), key=lambda order: sum(index != item for index, item in enumerate(order))
)
"""Every order of six components, those first that move the fewest."""


@dataclass(frozen=True)
class Explanation:
    """``reported[i] = factor · law · shear · true[order[i]]``, and what that leaves unexplained.

    :param factor: of all components; negative where the sign is wrong.
    :param law: what the factor is proportional to besides: a key of the laws that were tried, ``constant`` for none.
    :param misfit: size of what is left, relative to what was reported.
    :param order: which true component stands in each place.
    :param shear: additional factor of yz, xz, xy.
    """

    factor: float
    law: str
    misfit: float
    order: tuple[int, ...] = IDENTITY
    shear: float = 1.0


@dataclass(frozen=True)
class Unit:
    """What a factor means.

    :param name: a unit; :data:`PLAIN` for the right one, ``None`` for a factor of no known one.
    :param remainder: the factor relative to that unit, 1 where it is exactly the unit's.
    """

    name: str | None
    remainder: float


def recognise(factor: float, known: Mapping[str, float]) -> Unit:
    """Return the unit that a factor belongs to.

    :param factor: reported over true value; its sign does not count.
    """
    size = abs(factor)
    if size == 0:
        return Unit(None, 0.0)
    distances = {name: abs(math.log(size / value)) for name, value in known.items()}
    nearest = min(distances, key=lambda name: distances[name])
    plain = PLAIN_RANGE[0] < size < PLAIN_RANGE[1]
    if plain and distances[nearest] > ROUNDED:
        return Unit(PLAIN, size)
    if distances[nearest] <= SIMILAR:
        return Unit(nearest, size / known[nearest])
    return Unit(None, size)


def explain_forces(derivatives: Sequence[Derivatives], allowed: float) -> Explanation:
    """Return the simplest factor and law that turn the numerical forces into the reported ones.

    :param allowed: misfit up to which a simpler explanation is preferred.
    """
    true, reported = [item.numerical for item in derivatives], [item.reported for item in derivatives]
    sizes = np.array([len(item.probe.atoms) for item in derivatives], dtype=float)
    laws = {"constant": np.ones_like(sizes), "atoms": sizes, "1/atoms": 1 / sizes}
    return _simplest((_fit(true, reported, law, name) for name, law in laws.items()), allowed)


def explain_stress(derivatives: Sequence[Derivatives], allowed: float) -> Explanation:
    """Return the simplest factor, law, order of components and factor of the shear that explain a reported stress."""
    true, reported = stacked(derivatives)
    volumes = np.array([abs(item.probe.atoms.cell.volume) for item in derivatives])
    n_atoms = np.array([len(item.probe.atoms) for item in derivatives], dtype=float)
    laws = {
        "constant": np.ones_like(volumes),
        "volume": volumes,
        "1/volume": 1 / volumes,
        "volume/atoms": volumes / n_atoms,
        "atoms": n_atoms,
        "1/atoms": 1 / n_atoms,
    }
    in_some_order = (_fit_order(true, reported, law, order) for order in ORDERS for law in laws.items())
    with_other_shear = (_fit_shear(true, reported, law) for law in laws.items())
    return _simplest(itertools.chain(in_some_order, with_other_shear), allowed)


def stacked(derivatives: Sequence[Derivatives]) -> tuple[Array, Array]:
    """Return the numerical and the reported stresses, each of shape [n_probes, 6]."""
    return np.array([item.numerical for item in derivatives]), np.array([item.reported for item in derivatives])


def describe_order(order: Sequence[int]) -> str:
    """Return an order of components in words, ``xx yy zz xy xz yz``."""
    return " ".join(COMPONENTS[index] for index in order)


def misfit(true: Sequence[Array], reported: Sequence[Array]) -> float:
    """Return how far reported values are from true ones, relative to the larger of them, over all probes."""
    difference = math.sqrt(sum(float(np.sum((r - t) ** 2)) for t, r in zip(true, reported, strict=True)))
    sizes = [math.sqrt(sum(float(np.sum(part**2)) for part in parts)) for parts in (true, reported)]
    return difference / max(*sizes, np.finfo(float).tiny)


def stress_misfit(true: Array, reported: Array) -> float:
    """Return the larger misfit of the normal and the shear components, each relative to its own size.

    The diagonal is often ten times the rest, which would hide there.

    :param true: shape [n_probes, 6].
    :param reported: shape [n_probes, 6].
    """
    return max(misfit([true[:, part]], [reported[:, part]]) for part in (slice(0, 3), slice(3, 6)))


def _simplest(candidates: Iterable[Explanation], allowed: float) -> Explanation:
    """Return the first explanation that fits; else the best one if it is far better than the plain first one."""
    seen = []
    for candidate in candidates:
        if candidate.misfit <= allowed:
            return candidate
        seen.append(candidate)
    best = min(seen, key=lambda candidate: candidate.misfit)
    convincing = best.misfit < min(CONVINCING_MISFIT, CONVINCING_GAIN * seen[0].misfit)
    return best if convincing else seen[0]


def _fit_order(true: Array, reported: Array, law: tuple[str, Array], order: tuple[int, ...]) -> Explanation:
    name, scale = law
    factor = _factor(true[:, order], reported, scale)
    return Explanation(factor, name, stress_misfit(factor * scale[:, None] * true[:, order], reported), order)


def _fit_shear(true: Array, reported: Array, law: tuple[str, Array]) -> Explanation:
    name, scale = law
    factor = _factor(true[:, :3], reported[:, :3], scale)
    ratio = _factor(true[:, 3:], reported[:, 3:], scale) / factor if factor else 1.0
    scales = factor * np.array([1.0, 1.0, 1.0, ratio, ratio, ratio])
    return Explanation(factor, name, stress_misfit(scales * scale[:, None] * true, reported), shear=ratio)


def _fit(true: Sequence[Array], reported: Sequence[Array], law: Array, name: str) -> Explanation:
    factor = _factor(true, reported, law)
    scaled = [factor * scale * part for scale, part in zip(law, true, strict=True)]
    return Explanation(factor, name, misfit(scaled, reported))


def _factor(true: Sequence[Array] | Array, reported: Sequence[Array] | Array, law: Array) -> float:
    """Return the least-squares factor; each probe counts the same, however large its values are."""
    weights = [1.0 / max(float(np.sum(part**2)), np.finfo(float).tiny) for part in reported]
    parts = list(zip(weights, law, true, reported, strict=True))
    product = sum(weight * scale * float(t @ r) for weight, scale, t, r in parts)
    square = sum(weight * scale**2 * float(t @ t) for weight, scale, t, _ in parts)
    return product / square if square > 0 else 0.0
