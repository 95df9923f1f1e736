"""What a model says of two atoms alone: repulsive at short range, and no minimum that is not there.

Distances are logarithmically spaced between multiples of the mean covalent radius of the pair (Mazitov et al., PET-MAD,
Nat. Commun. 2025: ten distances from 0.9 to 5 covalent radii).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray
from scipy.signal import find_peaks

from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

QUESTION = "Are isolated pairs of atoms repulsive at short range, with one minimum at the most?"

CLOSE = 0.6
"""Of the sum of covalent radii; no bond is so short (Cr2, the shortest for its atoms: 0.60), and atoms repel there."""

NEAREST = 0.305
"""Å; atoms nearer than 0.3 Å are refused by the engine, which two of hydrogen would be."""

SHOWN = 3
"""Faults that are told in the reason; all of them are in the evidence."""


@dataclass(frozen=True)
class Curve:
    """What a model says of a pair.

    :param distances: Å, ascending, shape [n].
    :param energies: eV, relative to the largest distance (as they came where that is no finite number), shape [n].
    :param forces: eV/Å along the axis, positive where the atoms repel each other, shape [n].
    :param faults: what is wrong, a line each.
    """

    distances: NDArray[np.float64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    faults: list[str]


def pairs_of(symbols: Sequence[str], is_all: bool = False) -> list[tuple[str, str]]:
    """Return pairs of elements in the order of the periodic table.

    :param is_all: whether each element is taken with itself only, which of many leaves a number that can be run.
    """
    ordered = sorted(set(symbols), key=lambda symbol: int(atomic_numbers[symbol]))
    return [(symbol, symbol) for symbol in ordered] if is_all else list(combinations_with_replacement(ordered, 2))


def distances_of(pair: tuple[str, str], settings: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the distances of a pair, Å, ascending, shape [n].

    :param settings: complete, see :data:`aiida_crucible.analysis.model_tests.settings.SETTINGS`.
    """
    radius = bond_length(pair) / 2
    first = max(settings["shortest_distance"] * radius, NEAREST)
    return np.geomspace(first, settings["longest_distance"] * radius, settings["dimer_distances"])


def bond_length(pair: tuple[str, str]) -> float:
    """Return the sum of two covalent radii, Å (Cordero et al., Dalton Trans. 2008, 2832, as ASE has them)."""
    return float(sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair))


def dimers(pair: tuple[str, str], settings: Mapping[str, Any]) -> list[Atoms]:
    """Return an isolated pair at each distance; nothing is periodic."""
    return [Atoms(list(pair), [[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]) for distance in distances_of(pair, settings)]


def dimer_curve(
    pair: tuple[str, str], energies: NDArray[np.float64], forces: NDArray[np.float64], settings: Mapping[str, Any]
) -> Curve:
    """Return the curve of a pair, with what is wrong about it.

    :param energies: eV, shape [n_distances].
    :param forces: eV/Å, shape [n_distances, 2, 3].
    :param settings: complete.
    """
    distances = distances_of(pair, settings)
    along = (forces[:, 1, 0] - forces[:, 0, 0]) / 2
    relative = energies - energies[-1] if np.isfinite(energies[-1]) else np.asarray(energies, dtype=float)
    finite = np.isfinite(relative) & np.isfinite(along)
    if not finite.all():
        lost = ", ".join(f"{distance:.2f}" for distance in distances[~finite][:5])
        return Curve(distances, relative, along, [f"no finite number at {lost} Å"])
    faults = [*_holes(distances, relative, along, CLOSE * bond_length(pair)), *_minima(distances, relative, settings)]
    return Curve(distances, relative, along, faults)


def _holes(
    distances: NDArray[np.float64], energies: NDArray[np.float64], forces: NDArray[np.float64], close: float
) -> list[str]:
    """Return where atoms that are closer than any bond do not repel each other."""
    n_close = int((distances < close).sum())
    falling = np.flatnonzero(np.diff(energies[: n_close + 1]) >= 0)
    if len(falling):
        place = int(falling[-1])
        return [f"the energy falls where the atoms come closer than {distances[place + 1]:.2f} Å"]
    attractive = np.flatnonzero(forces[:n_close] <= 0)
    if len(attractive):
        return [f"the energy rises at {distances[attractive[-1]]:.2f} Å, but the force does not repel"]
    return []


def _minima(distances: NDArray[np.float64], energies: NDArray[np.float64], settings: Mapping[str, Any]) -> list[str]:
    """Return that there are several minima, where there are."""
    places, _ = find_peaks(-energies, prominence=settings["spurious_depth"])
    if len(places) < 2:
        return []
    return [f"the energy has minima at {' and '.join(f'{distances[place]:.2f}' for place in places)} Å"]


def judge_dimers(curves: Mapping[str, Curve], settings: Mapping[str, Any], left_out: Mapping[str, str]) -> Answer:
    """Return whether all pairs are as pairs of atoms are.

    :param curves: by the pairs' labels.
    :param settings: complete.
    :param left_out: pairs that could not be tested, with the reason.
    """
    faulty = {label: curve.faults for label, curve in curves.items() if curve.faults}
    evidence: dict[str, Any] = {"n_pairs": len(curves), "faults": faulty, "left_out": dict(left_out)}
    if not curves:
        why = next(iter(left_out.values()), "there is no pair of elements")
        return Answer(QUESTION, CANNOT_TELL, f"{why}: it would take elements that the model knows", evidence)
    if faulty:
        told = [f"{label}: {'; '.join(faults)}" for label, faults in faulty.items()]
        more = f"; and {len(told) - SHOWN} more pairs" if len(told) > SHOWN else ""
        return Answer(QUESTION, NO, "; ".join(told[:SHOWN]) + more, evidence)
    pair = "pair" if len(curves) == 1 else "pairs"
    said = f"all of it at {settings['dimer_distances']} distances of {len(curves)} {pair}"
    if left_out:
        label, why = next(iter(left_out.items()))
        said += f"; {len(left_out)} could not be tested, e.g. {label}: {why}"
    return Answer(QUESTION, YES, said, evidence)
