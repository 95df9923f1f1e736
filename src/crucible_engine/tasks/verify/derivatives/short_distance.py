"""Whether forces are still the energy's gradient where atoms come close: large ones may be cut off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.derivatives.differences import integrals
from crucible_engine.tasks.verify.evaluator import Evaluator, is_finite
from crucible_engine.tasks.verify.precision import Deviation
from crucible_engine.tasks.verify.probes import Probe

NAME = "forces at short distance"
CLIPPED = "forces-clipped"
APPROACH = np.linspace(1.0, 0.6, 17)
"""Distances of a pair of neighbours, in units of the first one."""
LARGEST_FORCE = 40.0
"""eV/Å. Closer atoms say nothing of what molecular dynamics meets."""
RELATIVE, ABSOLUTE = 0.1, 0.02
"""How much of the energy of an interval, and how many eV, forces may miss: cutoffs make steps of some meV."""
CLOSE_LOOK = 17
"""Structures that tell a limit from other faults; only a model that has some fault is asked for them."""
SATURATED = 0.01
"""Relative difference up to which forces are one and the same limit."""
RISEN = 1.2
"""Factor by which the energy's own slope must grow meanwhile."""


def check_short_distance(evaluator: Evaluator, probe: Probe, scatter: Deviation) -> Check:
    """Check that an atom which is moved towards a neighbour has the forces that its energy says.

    The energy of each interval is compared with the integral of the force along the path.

    :param evaluator: a model whose forces are the gradient of its energy elsewhere.
    :param probe: a crystal of at least two atoms.
    """
    pair = _nearest_pair(probe.atoms)
    if pair is None:
        return not_applicable(NAME, "no two atoms of the probe are neighbours")
    atom, vector = pair
    length = float(np.linalg.norm(vector))
    evaluations = _approach(evaluator, probe.atoms, pair, APPROACH)
    step = length * float(APPROACH[0] - APPROACH[1])
    work, integral = _work(evaluations, atom, vector / length, step)
    count = _reasonable(evaluations, work / step)
    missed = np.abs(work[:count] - integral[:count]) - RELATIVE * np.abs(work[:count])
    # Each interval has two energies and two forces, and the scatter is that of few evaluations.
    noise = 2 * scatter.energy * len(probe.atoms) + 2 * step * scatter.forces
    allowed = ABSOLUTE + noise
    wrong = np.flatnonzero(missed > allowed)
    strongest = float(np.abs(work[:count] / step).max(initial=0.0))
    message = f"towards a neighbour, forces up to {strongest:.3g} eV/Å are the energy's derivative"
    if not len(wrong):
        return Check(NAME, message, max(0.0, float(missed.max(initial=0.0))), allowed, "eV")
    reported = evaluations[int(wrong[-1]) + 1].forces
    # Forces reach a limit before they miss so much of the energy.
    nearer = np.linspace(APPROACH[max(int(wrong[0]) - 1, 0)], APPROACH[int(wrong[-1]) + 1], CLOSE_LOOK)
    limit = _common_limit(_approach(evaluator, probe.atoms, pair, nearer), length * nearer)
    message = f"where the energy's slope is {strongest:.3g} eV/Å the largest force is {np.abs(reported).max():.3g} eV/Å"
    if limit is not None:
        message = f"no force exceeds {limit:.3g} eV/Å where the energy's slope is {strongest:.3g} eV/Å"
    check = Check(NAME, message, float(missed[wrong].max()), allowed, "eV")
    return check.failed("forces-inconsistent" if limit is None else CLIPPED)


def _nearest_pair(atoms: Atoms) -> tuple[int, NDArray[np.float64]] | None:
    """Return an atom and the vector to its nearest neighbour that is no image of its own."""
    first, second, distances, vectors = neighbor_list("ijdD", atoms, 5.0)
    others = np.flatnonzero(first != second)
    if not len(others):
        return None
    nearest = others[np.argmin(distances[others])]
    return int(first[nearest]), vectors[nearest]


def _approach(
    evaluator: Evaluator, atoms: Atoms, pair: tuple[int, NDArray[np.float64]], factors: NDArray[np.float64]
) -> list[Evaluation]:
    """Evaluate an atom and its neighbour at distances in units of the first one, shape [n]."""
    atom, vector = pair
    structures = [_moved(atoms, atom, (1 - factor) * vector) for factor in factors]
    return evaluator(structures, stress=False, extreme=True)


def _moved(atoms: Atoms, atom: int, shift: NDArray[np.float64]) -> Atoms:
    moved = atoms.copy()
    moved.positions[atom] += shift
    return moved


def _work(
    evaluations: Sequence[Evaluation], atom: int, direction: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the energy of each interval, and what the forces make of it, eV."""
    energies = np.array([item.energy for item in evaluations])
    slopes = -np.array([item.forces[atom] @ direction for item in evaluations])
    return np.diff(energies), integrals(slopes, step)


def _reasonable(evaluations: Sequence[Evaluation], slopes: NDArray[np.float64]) -> int:
    """Return how many intervals from the first on are of finite numbers and forces that dynamics may meet."""
    finite = np.array([is_finite(item) for item in evaluations])
    fine = finite[1:] & finite[:-1] & (np.abs(slopes) <= LARGEST_FORCE)
    return len(fine) if fine.all() else int(np.argmin(fine))


def _common_limit(evaluations: Sequence[Evaluation], distances: NDArray[np.float64]) -> float | None:
    """Return the limit at which forces stay while the energy's slope grows; ``None`` if there is none.

    :param distances: Å, shape [n].
    """
    slopes = np.abs(np.gradient(np.array([item.energy for item in evaluations]), distances))
    components = np.array([np.abs(item.forces).max() for item in evaluations])
    norms = np.array([np.linalg.norm(item.forces, axis=1).max() for item in evaluations])
    for sizes in (components, norms):
        standing = sizes >= (1 - SATURATED) * sizes.max()
        first = int(np.argmax(standing))
        if sizes[first] > 0 and standing[first:].all() and slopes[first:].max() >= RISEN * slopes[first:].min():
            return float(sizes.max())
    return None
