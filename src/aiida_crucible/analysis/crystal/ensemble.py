"""What the members of an ensemble make of a relaxed crystal: their lattices and energies, and how far they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from aiida_crucible.analysis.crystal.cells import formula_units, member_lattices
from aiida_crucible.analysis.statistics.members import half_interval


def describe_ensemble(atoms: Atoms, members: Sequence[Mapping[str, Any]], tolerance: float) -> dict[str, Any]:
    """Return what the members say of a crystal that their mean has relaxed.

    :param atoms: the mean's minimum.
    :param members: for each ``outcome``, ``energy`` (eV) and ``cell`` (Å, rows), see ``crucible_engine.tasks.relax``.
    :param tolerance: Å, of the space group that the conventional cell follows from.
    :return: ``n_members``; ``n_converged``, those that came to a minimum, of which alone the rest is;
        ``energies_per_formula_unit`` (eV, by member, ``None`` for the others); ``lattice`` and ``intervals``: for each
        lattice parameter its value by each of them, and by how much another member would differ from their mean at
        most, at the sureness of two standard deviations (Å, degrees, Å³; ``None`` for fewer than two).
    """
    count = formula_units(atoms)
    converged = [member for member in members if member["outcome"] == "converged"]
    energies = [member["energy"] / count if member["outcome"] == "converged" else None for member in members]
    lattice: dict[str, list[float]] = {}
    if converged and atoms.pbc.all():
        cells = np.array([member["cell"] for member in converged], dtype=float)
        lattice = {name: values.tolist() for name, values in member_lattices(atoms, cells, tolerance).items()}
    return {
        "n_members": len(members),
        "n_converged": len(converged),
        "energies_per_formula_unit": energies,
        "lattice": lattice,
        "intervals": {name: half_interval(values) for name, values in lattice.items()},
    }


def difference_interval(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Return by how much another member's difference of two crystals' energies would differ at most, eV.

    Members that are wrong alike of both are right about the difference, so that it is theirs that is compared.

    :param one: of a crystal, see :func:`describe_ensemble`.
    :param other: of the other one, by the same members.
    :return: ``None`` for fewer than two members that relaxed both.
    """
    pairs = zip(one["energies_per_formula_unit"], other["energies_per_formula_unit"], strict=True)
    return half_interval([first - second for first, second in pairs if first is not None and second is not None])
