"""Force constants of a supercell as those of the crystal, and from there in any other supercell of it.

A force constant between two atoms of a supercell belongs to their shortest distance; where several periodic images are
equally near, each gets an equal share. In a larger supercell every pair finds its own, in a smaller one the images of
an atom add up. The supercell that they come from gives itself. Those that were stored come back as phonopy's object.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.crystal.mapping import CrystalMapping, map_crystal
from aiida_crucible.analysis.crystal.phonopy_cells import require_symmetric_masses, to_atoms, to_phonopy
from aiida_crucible.compat.phonopy import Primitive, compact_fc_to_full_fc, get_primitive, get_supercell
from crucible_engine.wire.rules import as_line

EQUAL_DISTANCE = 1e-3
"""Å within which periodic images are equally near."""

LARGEST_MATRIX = 8e9
"""Bytes of the force constants of an MD supercell."""

STORED_ARRAYS = ("force_constants", "supercell_matrix", "primitive_matrix")
"""What a node of force constants holds, see :func:`restore_phonons`."""


@dataclass(frozen=True)
class LatticeForceConstants:
    """The force constants of a crystal, pair by pair.

    :param primitive: the primitive cell, in whose orientation they are.
    :param first: primitive atom whose force it is, shape [n_pairs].
    :param second: primitive atom that is displaced, shape [n_pairs].
    :param translations: primitive vectors from the cell of the first to the cell of the second, shape [n_pairs, 3].
    :param values: eV/Å², shape [n_pairs, 3, 3].
    :param sum_residual: largest net force constant of an atom, |Σ_j Φ_ij|, which a uniform shift would feel, eV/Å².
    :param index_residual: largest difference of Φ_ij and the transpose of Φ_ji, eV/Å².
    :param translation_residual: largest difference of Φ_ij between equivalent atoms i, eV/Å²; 0 for compact ones.
    """

    primitive: Atoms
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    translations: NDArray[np.int64]
    values: NDArray[np.float64]
    sum_residual: float
    index_residual: float
    translation_residual: float

    @cached_property
    def largest(self) -> float:
        """The largest force constant, eV/Å², which residuals are to be seen against."""
        return float(np.abs(self.values).max(initial=0.0))

    def map(self, supercell: Atoms) -> CrystalMapping:
        """Return where the atoms of a supercell are in this crystal; see :func:`map_crystal`.

        :raises ValueError: one line, if the one is no supercell of the other.
        """
        return map_crystal(supercell, self.primitive)

    def in_supercell(self, mapping: CrystalMapping) -> NDArray[np.float64]:
        """Return the force constants of a supercell's atoms, in the orientation of the primitive cell.

        :return: eV/Å², shape [3 n_atoms, 3 n_atoms].
        :raises ValueError: one line, if they need an absurd amount of memory.
        """
        n_atoms = len(mapping.unit_atoms)
        if (size := 8.0 * (3 * n_atoms) ** 2) > LARGEST_MATRIX:
            raise ValueError(
                f"the force constants of a supercell of {n_atoms} atoms take {size / 1e9:.0f} GB, more than "
                f"{LARGEST_MATRIX / 1e9:.0f} GB: use a smaller supercell"
            )
        result = np.zeros((n_atoms, n_atoms, 3, 3))
        for atom, (kind, origin) in enumerate(zip(mapping.unit_atoms, mapping.translations, strict=True)):
            pairs = self.first == kind
            partners = mapping.find(self.second[pairs], self.translations[pairs] + origin)
            np.add.at(result[atom], partners, self.values[pairs])
        return result.transpose(0, 2, 1, 3).reshape(3 * n_atoms, 3 * n_atoms)


def lattice_force_constants(
    unit_cell: Atoms,
    supercell_matrix: NDArray[np.int64],
    primitive_matrix: NDArray[np.float64],
    values: NDArray[np.float64],
) -> LatticeForceConstants:
    """Return the force constants of a crystal from those of a supercell, in phonopy's conventions.

    :param unit_cell: what both matrices refer to.
    :param supercell_matrix: its columns are the supercell's vectors in the unit cell's, shape [3, 3].
    :param primitive_matrix: its columns are the primitive cell's vectors in the unit cell's, shape [3, 3].
    :param values: eV/Å², compact [n_primitive, n_supercell, 3, 3] or full [n_supercell, n_supercell, 3, 3], the
        supercell's atoms in phonopy's order. Of full ones equivalent atoms are averaged.
    :raises ValueError: one line, if shapes do not fit or a value is not finite.
    """
    primitive = _primitive(unit_cell, np.asarray(supercell_matrix), np.asarray(primitive_matrix, dtype=float))
    values = np.asarray(values, dtype=float)
    _check_values(values, primitive)
    compact, translation_residual = _compacted(values, primitive)
    full = compact_fc_to_full_fc(primitive, compact)
    first, second, translations, partners, counts = _pairs(primitive)
    atoms = to_atoms(primitive)
    return LatticeForceConstants(
        atoms,
        first,
        second,
        translations,
        compact[first, partners] / counts[:, None, None],
        float(np.abs(compact.sum(axis=1)).max()),
        float(np.abs(full - full.transpose(1, 0, 3, 2)).max()),
        translation_residual,
    )


def _primitive(
    unit_cell: Atoms, supercell_matrix: NDArray[np.int64], primitive_matrix: NDArray[np.float64]
) -> Primitive:
    """Return phonopy's primitive cell, which knows its supercell.

    :raises ValueError: one line, if the matrices do not fit.
    """
    if supercell_matrix.shape != (3, 3) or primitive_matrix.shape != (3, 3):
        raise ValueError(
            f"supercell_matrix and primitive_matrix of shapes {supercell_matrix.shape} and {primitive_matrix.shape}: "
            "give [3, 3]"
        )
    supercell = get_supercell(to_phonopy(unit_cell), np.rint(supercell_matrix).astype(int))
    try:
        return get_primitive(supercell, np.linalg.inv(supercell_matrix) @ primitive_matrix, symprec=EQUAL_DISTANCE)
    except Exception as error:
        # phonopy has several of its own for a cell that is no primitive one of the other.
        raise ValueError(f"primitive_matrix is not of this unit cell: {as_line(str(error))}") from error


def _check_values(values: NDArray[np.float64], primitive: Primitive) -> None:
    n_primitive, n_supercell = len(primitive), len(primitive.s2p_map)
    if values.ndim != 4 or values.shape[0] not in (n_primitive, n_supercell) or values.shape[1:] != (n_supercell, 3, 3):
        raise ValueError(
            f"force_constants of shape {values.shape}: give [{n_primitive}, {n_supercell}, 3, 3] or "
            f"[{n_supercell}, {n_supercell}, 3, 3] for this unit cell and supercell_matrix"
        )
    if not np.isfinite(values).all():
        atom = int(np.argmin(np.isfinite(values).all(axis=(1, 2, 3))))
        raise ValueError(f"force_constants of atom {atom} are no finite numbers")


def _compacted(values: NDArray[np.float64], primitive: Primitive) -> tuple[NDArray[np.float64], float]:
    """Return the force constants of the primitive cell's atoms, and how much equivalent atoms differ at most."""
    if values.shape[0] == len(primitive):
        return values, 0.0
    permutations = np.asarray(primitive.atomic_permutations)
    kept = np.array(primitive.p2s_map)
    # Each permutation is a pure translation: atom i goes where atom permutation[i] is.
    moved = np.array([values[np.ix_(p[kept], p)] for p in permutations])
    mean = moved.mean(axis=0)
    return mean, float(np.abs(moved - mean).max())


def _pairs(primitive: Primitive) -> tuple[NDArray[np.int64], ...]:
    """Return first and second atom and translation of every pair, one for each of its nearest images.

    Likewise the second atom's index in the supercell, and how many images share the pair's force constant.
    """
    vectors, multiplicities = primitive.get_smallest_vectors()
    counts = multiplicities[..., 0]
    partners, first = np.indices(counts.shape).reshape(2, -1)
    repeats = counts.reshape(-1)
    partners, first = np.repeat(partners, repeats), np.repeat(first, repeats)
    # Rows of `vectors` follow their addresses, which run over the supercell's atoms first.
    starts = multiplicities[..., 1].reshape(-1)
    within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    rows = np.repeat(starts, repeats) + within
    index_of = {int(atom): index for index, atom in enumerate(primitive.p2s_map)}
    second = np.array([index_of[int(atom)] for atom in primitive.s2p_map])[partners]
    places = primitive.scaled_positions
    translations = np.rint(vectors[rows] - places[second] + places[first]).astype(np.int64)
    return first, second, translations, partners, np.repeat(repeats, repeats)


def restore_phonons(
    atoms: Atoms,
    force_constants: NDArray[np.float64],
    supercell_matrix: NDArray[np.int64],
    primitive_matrix: NDArray[np.float64],
    tolerance: float = 1e-5,
) -> Phonopy:
    """Return the phonopy object that force constants belong to.

    :param force_constants: eV/Å², shape [n_primitive_atoms, n_supercell_atoms, 3, 3], atoms in phonopy's order.
    :param supercell_matrix: as phonopy has it, shape [3, 3].
    :param primitive_matrix: as phonopy has it, shape [3, 3].
    :param tolerance: distance tolerance of the symmetry search, Å.
    :raises ValueError: one line, if the force constants do not belong to these cells or are not finite, or if atoms
        that symmetry makes the same have different masses.
    """
    try:
        phonon = Phonopy(
            to_phonopy(atoms), supercell_matrix=supercell_matrix, primitive_matrix=primitive_matrix, symprec=tolerance
        )
    except Exception as error:
        raise ValueError(
            f"phonopy makes no cells of {atoms.get_chemical_formula()} with these matrices: {as_line(str(error))}"
        ) from error
    require_symmetric_masses(phonon)
    expected = (len(phonon.primitive), len(phonon.supercell), 3, 3)
    values = np.array(force_constants, dtype=float, order="C")
    if values.shape != expected:
        raise ValueError(
            f"force constants of shape {values.shape}, but {atoms.get_chemical_formula()} and its supercell need "
            f"{expected}: they belong to another structure"
        )
    if not np.isfinite(values).all():
        raise ValueError("the force constants hold numbers that are not finite")
    phonon.force_constants = values
    return phonon
