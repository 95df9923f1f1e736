"""Lebedev's grids of directions, which integrate polynomials on the sphere exactly.

V. I. Lebedev, *Quadratures on a sphere*, USSR Comput. Math. Math. Phys. 16, 10 (1976). SciPy has them since 1.15 only.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

ORDERS = (3, 5, 7, 9)
"""Degrees of polynomials up to which the grids are exact."""

_IN_PLANE = 0.4597008433809831
"""Of the 24 directions (p, q, 0) of order 9, with p² + q² = 1."""

_WEIGHTS: dict[int, dict[str, float]] = {
    3: {"axes": 1 / 6},
    5: {"axes": 1 / 15, "corners": 3 / 40},
    7: {"axes": 1 / 21, "edges": 4 / 105, "corners": 9 / 280},
    9: {"axes": 1 / 105, "corners": 9 / 280, "in-plane": 1 / 35},
}
"""Of each direction of an orbit of the cube's group; together they are 1."""


def lebedev_grid(order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return unit vectors, shape [n, 3], and their weights, which add up to 1, shape [n].

    :param order: one of :data:`ORDERS`.
    """
    weights = _WEIGHTS[order]
    directions = [_orbit(name) for name in weights]
    sizes = [len(orbit) for orbit in directions]
    return np.concatenate(directions), np.repeat(list(weights.values()), sizes)


def rotation_grid(order: int, turns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rotations that turn z into each direction of a grid, after some turns about z.

    :param order: one of :data:`ORDERS`.
    :param turns: evenly spaced angles; with ``order + 1`` of them the grid is exact for functions of rotations, too.
    :return: matrices that act on columns, shape [n, 3, 3], and their weights, which add up to 1, shape [n].
    """
    directions, weights = lebedev_grid(order)
    polar = np.arccos(np.clip(directions[:, 2], -1, 1))
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    tilts = np.array([_about_z(phi) @ _about_y(theta) for theta, phi in zip(polar, azimuth, strict=True)])
    spins = np.array([_about_z(2 * np.pi * turn / turns) for turn in range(turns)])
    matrices = np.einsum("aij,bjk->abik", tilts, spins).reshape(-1, 3, 3)
    return matrices, np.repeat(weights, turns) / turns


def _orbit(name: str) -> NDArray[np.float64]:
    first = {
        "axes": (1.0, 0.0, 0.0),
        "edges": (np.sqrt(0.5), np.sqrt(0.5), 0.0),
        "corners": (np.sqrt(1 / 3),) * 3,
        "in-plane": (_IN_PLANE, np.sqrt(1 - _IN_PLANE**2), 0.0),
    }[name]
    images = {
        tuple(sign * first[place] if first[place] else 0.0 for sign, place in zip(signs, places, strict=True))
        for places in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    }
    return np.array(sorted(images))


def _about_z(angle: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _about_y(angle: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
