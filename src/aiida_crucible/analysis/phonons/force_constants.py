"""Finite displacements: which supercells to evaluate, and the force constants that follow from their forces."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.crystal.phonopy_cells import changed_cell, require_symmetric_masses, to_atoms, to_phonopy
from aiida_crucible.compat.phonopy import (
    PhonopyAtoms,
    compact_fc_to_full_fc,
    get_drift_force_constants,
    guess_primitive_matrix,
)

BROKEN_RULE = 1e-3
"""Of the largest force constant: by how much they may break a rule without a warning; converged codes stay below."""

SYMMETRISATION_ROUNDS = 10
"""Alternating projections on the sum rule and on index symmetry; phonopy's single one leaves a residual at Γ."""


@dataclass(frozen=True)
class Displacement:
    """One displaced atom.

    :param atom: its index in the supercell.
    :param vector: Cartesian, Å, shape [3].
    """

    atom: int
    vector: NDArray[np.float64]


@dataclass(frozen=True)
class DisplacementPlan:
    """The supercells that one calculation evaluates: the ideal one, the displaced ones, and a mirrored one.

    :param supercell: without displacements.
    :param amplitudes: Å; the first is the one that the force constants come from.
    :param sets: for each amplitude the same displacements, scaled.
    :param mirrored: the opposite of a displacement of the first set that symmetry makes superfluous. Its forces are
        known beforehand, so that what they differ by is noise; ``None`` where symmetry spares no displacement.
    """

    supercell: Atoms
    amplitudes: tuple[float, ...]
    sets: tuple[tuple[Displacement, ...], ...]
    mirrored: Displacement | None

    def displacements(self) -> list[Displacement | None]:
        """Return the displacement of every supercell in the order of :meth:`structures`; ``None`` is the ideal one."""
        listed: list[Displacement | None] = [None]
        for displaced in self.sets:
            listed.extend(displaced)
        if self.mirrored is not None:
            listed.append(self.mirrored)
        return listed

    def structures(self) -> list[Atoms]:
        """Return the supercells to evaluate, the ideal one first."""
        structures = []
        for displacement in self.displacements():
            structure = self.supercell.copy()
            if displacement is not None:
                structure.positions[displacement.atom] += displacement.vector
            structures.append(structure)
        return structures

    def split(self, forces: NDArray[np.float64]) -> DisplacementForces:
        """Return the forces of all supercells by their role.

        :param forces: eV/Å, shape [n_supercells, n_atoms, 3], in the order of :meth:`structures`.
        :raises ValueError: if there is not one set of forces for each supercell.
        """
        expected = (len(self.displacements()), len(self.supercell), 3)
        if forces.shape != expected:
            raise ValueError(f"forces of shape {forces.shape} for displaced supercells of shape {expected}")
        count = len(self.sets[0])
        sets = tuple(forces[1 + index * count : 1 + (index + 1) * count] for index in range(len(self.sets)))
        return DisplacementForces(forces[0], sets, None if self.mirrored is None else forces[-1])


@dataclass(frozen=True)
class DisplacementForces:
    """The forces of a :class:`DisplacementPlan`'s supercells, eV/Å.

    :param ideal: shape [n_atoms, 3].
    :param sets: one array for each amplitude, shape [n_displacements, n_atoms, 3].
    :param mirrored: shape [n_atoms, 3], or ``None``.
    """

    ideal: NDArray[np.float64]
    sets: tuple[NDArray[np.float64], ...]
    mirrored: NDArray[np.float64] | None


@dataclass(frozen=True)
class ForceConstants:
    """Harmonic force constants of a supercell.

    :param values: eV/Å², shape [n_primitive_atoms, n_supercell_atoms, 3, 3], symmetrised.
    :param acoustic_sum_residual: largest net force constant of an atom, |sum_j Φ_ij|, before symmetrisation, eV/Å².
    :param index_symmetry_residual: largest difference of Φ_ij and the transpose of Φ_ji, before symmetrisation,
        eV/Å².
    """

    values: NDArray[np.float64]
    acoustic_sum_residual: float
    index_symmetry_residual: float


def build_phonopy(
    atoms: Atoms,
    supercell_matrix: NDArray[np.int64],
    tolerance: float = 1e-5,
    primitive: bool | NDArray[np.float64] = True,
) -> Phonopy:
    """Return the phonopy object of a crystal, in the setting that it comes in.

    A cell that is primitive already keeps its own axes, so that wave vectors mean what they mean for the user. A
    left-handed one, which files may hold, stays so: its supercell counts atoms along its own vectors.

    :param supercell_matrix: shape [3, 3].
    :param tolerance: distance tolerance of the symmetry search, Å.
    :param primitive: find the primitive cell of a larger one; otherwise the unit cell is taken for it; or the matrix of
        one, as phonopy has it, shape [3, 3].
    :raises ValueError: one line, if atoms that symmetry makes the same have different masses.
    """
    cell = to_phonopy(atoms)
    if isinstance(primitive, bool):
        matrix = _primitive_matrix(cell, tolerance) if primitive else np.eye(3)
    else:
        matrix = primitive
    if np.isclose(np.linalg.det(matrix), 1):
        matrix = np.eye(3)
    phonon = Phonopy(cell, supercell_matrix=supercell_matrix, primitive_matrix=matrix, symprec=tolerance)
    require_symmetric_masses(phonon)
    return phonon


def _primitive_matrix(cell: PhonopyAtoms, tolerance: float) -> NDArray[np.float64]:
    # The standard cell that spglib compares with is right-handed; turned round, the primitive vectors are the same.
    turn = np.sign(np.linalg.det(cell.cell))
    return np.asarray(guess_primitive_matrix(changed_cell(cell, turn=turn), symprec=tolerance))


def duplicate(phonon: Phonopy) -> Phonopy:
    """Return a phonopy object of the same cells without displacements, forces, NAC or results."""
    # A copy, because phonopy would search the symmetry again, which takes seconds for a large supercell.
    other = copy.deepcopy(phonon)
    other.nac_params = None
    other.dataset = None
    return other


def plan_displacements(
    phonon: Phonopy, amplitudes: Sequence[float], plusminus: Literal["auto", "always"] = "auto"
) -> DisplacementPlan:
    """Return the displacements that symmetry asks for, at each amplitude, and those that measure the noise.

    :param phonon: the crystal; its own displacements are left alone.
    :param amplitudes: lengths of the displacements, Å, the principal one first.
    :param plusminus: ``auto`` leaves out a displacement that symmetry maps on its opposite, ``always`` leaves out none.
    """
    generator = duplicate(phonon)
    sets = []
    for amplitude in amplitudes:
        generator.generate_displacements(distance=amplitude, is_plusminus="auto" if plusminus == "auto" else True)
        sets.append(
            tuple(
                Displacement(int(entry["number"]), np.array(entry["displacement"], dtype=float))
                for entry in generator.dataset["first_atoms"]
            )
        )
    return DisplacementPlan(
        supercell=to_atoms(phonon.supercell),
        amplitudes=tuple(amplitudes),
        sets=tuple(sets),
        mirrored=_first_spared_opposite(sets[0]),
    )


def _first_spared_opposite(displacements: Sequence[Displacement]) -> Displacement | None:
    for one in displacements:
        opposite = [
            other for other in displacements if other.atom == one.atom and np.allclose(other.vector, -one.vector)
        ]
        if not opposite:
            return Displacement(one.atom, -one.vector)
    return None


def solve_force_constants(
    phonon: Phonopy, displacements: Sequence[Displacement], forces: NDArray[np.float64]
) -> ForceConstants:
    """Fit force constants to forces, put them into ``phonon`` symmetrised, and return them.

    :param phonon: receives the displacements, the forces and the force constants.
    :param forces: eV/Å, shape [n_displacements, n_atoms, 3].
    """
    fit_force_constants(phonon, displacements, forces)
    return symmetrised(phonon)


def symmetrised(phonon: Phonopy) -> ForceConstants:
    """Symmetrise the force constants in ``phonon`` and return them with what they missed the sum rules by.

    :param phonon: with force constants as they come, eV/Å², shape [n_primitive_atoms, n_supercell_atoms, 3, 3].
    """
    raw = phonon.force_constants
    acoustic = max(abs(float(drift)) for drift in get_drift_force_constants(raw, primitive=phonon.primitive)[:2])
    asymmetry = _index_asymmetry(raw, phonon)
    return ForceConstants(symmetrise_force_constants(phonon), acoustic, asymmetry)


def warnings_of_rule(subject: str, rule: str, size: float, largest: float) -> list[str]:
    """Return a warning where force constants break a rule by more than rounding and noise.

    :param size: by how much, eV/Å².
    :param largest: force constant, eV/Å².
    """
    if size <= BROKEN_RULE * largest:
        return []
    return [f"{subject} break {rule} by {size:.2g} eV/Å², {size / largest:.2g} of the largest one"]


def fit_force_constants(phonon: Phonopy, displacements: Sequence[Displacement], forces: NDArray[np.float64]) -> None:
    """Fit force constants to forces and put them into ``phonon`` as they come."""
    phonon.dataset = displacement_dataset(phonon, displacements, forces)
    phonon.produce_force_constants(calculate_full_force_constants=False, show_drift=False)


def symmetrise_force_constants(phonon: Phonopy) -> NDArray[np.float64]:
    """Make the force constants in ``phonon`` obey the sum rule and index symmetry; return a copy, eV/Å²."""
    phonon.symmetrize_force_constants(level=SYMMETRISATION_ROUNDS, show_drift=False)
    return np.array(phonon.force_constants)


def displacement_dataset(
    phonon: Phonopy, displacements: Sequence[Displacement], forces: NDArray[np.float64]
) -> dict[str, Any]:
    """Return displacements and forces in phonopy's form."""
    return {
        "natom": len(phonon.supercell),
        "first_atoms": [
            {
                "number": displacement.atom,
                "displacement": displacement.vector.copy(),
                "forces": np.array(force, dtype=float, order="C"),
            }
            for displacement, force in zip(displacements, forces, strict=True)
        ],
    }


def _index_asymmetry(compact: NDArray[np.float64], phonon: Phonopy) -> float:
    full = compact_fc_to_full_fc(phonon.primitive, compact)
    return float(np.abs(full - full.transpose(1, 0, 3, 2)).max())
