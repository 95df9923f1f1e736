"""A cell as LAMMPS takes it, and vectors and tensors back.

LAMMPS knows right-handed cells with ``a`` along x and ``b`` in the plane of x and y (a lower triangular matrix with
positive diagonal). Any other cell is turned. A left-handed one is given by its opposite vectors, which span the same
lattice: nothing is mirrored, and a model that knows left from right gives what it gives ASE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A rotation and a sign, or none.

    :param rotation: [3, 3], proper; a row vector ``v`` of LAMMPS is ``v @ rotation`` in the given axes. ``None`` if
        nothing is turned, so that no number is touched.
    :param sign: -1 for a left-handed cell, whose vectors are those of LAMMPS's, turned back, with the other sign.
    """

    rotation: Array | None
    sign: float

    @classmethod
    def of(cls, cell: Array) -> Frame:
        """Return the frame of a cell.

        :param cell: Å, [3, 3], rows are vectors; it has a volume.
        """
        sign = 1.0 if np.linalg.det(cell) > 0 else -1.0
        right = sign * cell
        if not np.triu(right, 1).any() and (np.diag(right) > 0).all():
            return cls(None, sign)
        # cell = lower · rotation, from the factors of the transposed cell, with the diagonal made positive.
        orthogonal, upper = np.linalg.qr(right.T)
        return cls((orthogonal * np.sign(np.diag(upper))).T, sign)

    def turn(self, vectors: Array) -> Array:
        """Return row vectors [..., 3] (positions, velocities) as LAMMPS sees them."""
        return vectors if self.rotation is None else vectors @ self.rotation.T

    def back(self, vectors: Array) -> Array:
        """Return row vectors [..., 3] (positions, velocities, forces) in the given axes."""
        return vectors if self.rotation is None else vectors @ self.rotation

    def turn_cell(self, cell: Array) -> Array:
        """Return a cell [3, 3] as LAMMPS has it, with exact zeros above its diagonal."""
        return np.tril(self.turn(self.sign * cell))

    def cell_back(self, cell: Array) -> Array:
        """Return LAMMPS's cell [3, 3] in the given axes, with the given handedness."""
        return self.sign * self.back(cell)

    def stress_back(self, stress: Array) -> Array:
        """Return a stress [6] (Voigt xx yy zz yz xz xy) in the given axes."""
        if self.rotation is None:
            return stress
        full = self.rotation.T @ voigt_6_to_full_3x3_stress(stress) @ self.rotation
        return np.asarray(full_3x3_to_voigt_6_stress(full))
