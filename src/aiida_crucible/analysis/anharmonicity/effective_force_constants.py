"""Harmonic force constants that fit best at a temperature: how much of the anharmonicity they take, and what is left.

Fitted to displacements and forces of a run, within the crystal's symmetry, by symfc (Seko and Togo, Phys. Rev. B 2024,
110, 214302). What they take of the score is renormalisation: the crystal is as harmonic as that, with other springs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.compat.phonopy import Symfc, SymfcAtoms

LEAST_EQUATIONS = 3
"""Force components for each parameter of a fit, at least."""


@dataclass(frozen=True)
class EffectiveFit:
    """A fit of force constants to forces at a temperature.

    :param values: eV/Å², shape [3 n_atoms, 3 n_atoms], in the order of the supercell's atoms.
    :param n_parameters: free force constants that symmetry leaves.
    :param fitted: σ of the frames that were fitted.
    :param left: σ of frames that were not: each half of them with the force constants of the other half.
    """

    values: NDArray[np.float64]
    n_parameters: int
    fitted: float
    left: float

    def as_dict(self, score: float) -> dict[str, Any]:
        """Return what the fit says of a score.

        :param score: pooled, of the same frames with the given force constants.
        :return: ``n_parameters``, ``fitted``, ``left``, and ``renormalised``: the part of σ² that they take.
        """
        renormalised = 1 - (self.left / score) ** 2 if score > 0 else 0.0
        said = {name: getattr(self, name) for name in ("n_parameters", "fitted", "left")}
        return {**said, "renormalised": renormalised}


class NotEnoughForcesError(ValueError):
    """There are too few frames for a fit; the message is one line."""


def fit_effective_force_constants(
    supercell: Atoms, displacements: NDArray[np.float64], forces: NDArray[np.float64], symmetry_tolerance: float
) -> EffectiveFit:
    """Return the force constants that fit best to forces at a temperature.

    :param supercell: ideal, periodic.
    :param displacements: Å, shape [n_frames, n_atoms, 3].
    :param forces: eV/Å, the same shape.
    :param symmetry_tolerance: distance, Å.
    :raises NotEnoughForcesError: one line, if the frames cannot determine them.
    """
    n_frames, n_atoms, _ = displacements.shape
    cell = SymfcAtoms(
        cell=supercell.cell.array, scaled_positions=supercell.get_scaled_positions(), numbers=supercell.numbers
    )
    solver = Symfc(cell, symprec=symmetry_tolerance)
    solver.compute_basis_set(2)
    n_parameters = int(solver.basis_set[2].basis_set.shape[1])
    halves = np.arange(n_frames) < n_frames // 2
    if (n_frames // 2) * 3 * n_atoms < LEAST_EQUATIONS * n_parameters:
        raise NotEnoughForcesError(
            f"{n_frames} frames of {n_atoms} atoms are too few to fit {n_parameters} effective force constants and "
            "to test them"
        )
    everything = np.ones(n_frames, dtype=bool)
    values = _solve(solver, displacements, forces, everything)
    residuals = [
        _squared_residual(_solve(solver, displacements, forces, halves), displacements, forces, ~halves),
        _squared_residual(_solve(solver, displacements, forces, ~halves), displacements, forces, halves),
    ]
    total = float((forces**2).sum())
    fitted = _squared_residual(values, displacements, forces, everything)
    return EffectiveFit(values, n_parameters, _root(fitted, total), _root(sum(residuals), total))


def evenly_chosen(n_frames: int, most: int | None) -> NDArray[np.int64]:
    """Return the indices of at most so many frames, evenly spaced, the first among them."""
    if most is None or n_frames <= most:
        return np.arange(n_frames)
    return np.unique(np.linspace(0, n_frames - 1, most).round().astype(np.int64))


def _solve(
    solver: Symfc, displacements: NDArray[np.float64], forces: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    solver.displacements = np.ascontiguousarray(displacements[chosen])
    solver.forces = np.ascontiguousarray(forces[chosen])
    solver.solve(max_order=2, is_compact_fc=False)
    full = np.asarray(solver.force_constants[2])
    return full.transpose(0, 2, 1, 3).reshape(3 * len(full), -1)


def _squared_residual(
    values: NDArray[np.float64],
    displacements: NDArray[np.float64],
    forces: NDArray[np.float64],
    chosen: NDArray[np.bool_],
) -> float:
    flat = displacements[chosen].reshape(-1, len(values))
    return float(((forces[chosen].reshape(flat.shape) + flat @ values.T) ** 2).sum())


def _root(residual: float, total: float) -> float:
    return float(np.sqrt(residual / total)) if total > 0 else float("nan")
