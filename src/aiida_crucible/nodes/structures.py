"""The only place that turns AiiDA's structures and trajectories into ASE's and back.

Å and u on both sides. Sites keep their order; names of kinds, which no potential sees, survive where a geometry is put
back into the structure that it came from (:func:`with_geometry`). Cells come out right-handed (:func:`right_handed`):
nobody behind this has to think of the others.

Masses: AiiDA gives each kind one. That of AiiDA's own table says nothing, and is ASE's standard mass over there; any
other (an isotope's) is the atom's own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from aiida.orm import CifData, StructureData, TrajectoryData
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.finite import FOR_OTHERS, KINDS
from aiida_crucible.compat.aiida_orm import elements
from aiida_crucible.nodes.foreign_atoms import require_whole_atoms, unrepresented

NO_ATOMS = "the structure has no atoms: give one that has, see `verdi data core.structure show PK`"

SHORTEST_PERIOD = 1e-6
"""Å; lattice vectors that span less in some direction are none of a crystal."""


def to_atoms(structure: StructureData) -> Atoms:
    """Return the structure as ASE's ``Atoms``, its cell right-handed.

    :param structure: a structure whose every site holds one whole atom.
    :raises ValueError: one line, if a site is partially occupied, vacant, or of no chemical element.
    """
    symbols = {kind.name: _symbol_of(kind) for kind in structure.kinds}
    if not structure.sites:
        raise ValueError(NO_ATOMS)
    masses = {kind.name: _own_mass(kind) for kind in structure.kinds}
    own = [masses[site.kind_name] for site in structure.sites]
    return Atoms(
        [symbols[site.kind_name] for site in structure.sites],
        positions=[site.position for site in structure.sites],
        cell=right_handed(np.array(structure.cell)),
        pbc=structure.pbc,
        # ``None`` is for ASE the element's own.
        masses=own if any(mass is not None for mass in own) else None,
    )


def from_atoms(atoms: Atoms) -> StructureData:
    """Return ASE's ``Atoms`` as a new, unstored structure.

    Masses are kept where they are not the elements' own. Of magnetic moments, charges, tags, velocities and constraints
    a warning says that they are not represented; calculators are passed over.

    :raises ValueError: one line, if the atoms stand for partially occupied sites (a CIF's ``occupancy``).
    """
    require_whole_atoms(atoms)
    if said := unrepresented(atoms):
        warnings.warn(said, stacklevel=2)
    structure = StructureData(cell=atoms.cell.array.tolist() if atoms.cell.any() else None, pbc=atoms.pbc.tolist())
    masses = atoms.get_masses()
    own = masses != atomic_masses[atoms.numbers]
    for index, symbol in enumerate(atoms.get_chemical_symbols()):
        mass = {"mass": float(masses[index])} if own[index] else {}
        structure.append_atom(symbols=symbol, position=atoms.positions[index].tolist(), **mass)
    return structure


def with_geometry(
    structure: StructureData, cell: NDArray[np.float64], positions: NDArray[np.float64]
) -> StructureData | None:
    """Return a new, unstored structure with the sites and kinds of another and a geometry of its own.

    :param structure: gives sites, kinds, periodicity.
    :param cell: lattice vectors in rows, Å, shape [3, 3].
    :param positions: Å, shape [n_atoms, 3].
    :returns: ``None`` where a model has left no geometry: NaN, or a cell that has collapsed.
    """
    if not (np.isfinite(cell).all() and np.isfinite(positions).all()) or _is_collapsed(cell[list(structure.pbc)]):
        return None
    moved = structure.clone()
    if any(structure.pbc):
        moved.set_cell(np.asarray(cell, dtype=float).tolist())
    moved.reset_sites_positions(np.asarray(positions, dtype=float).tolist())
    return moved


def _is_collapsed(periods: NDArray[np.float64]) -> bool:
    return bool(len(periods) and np.linalg.svd(periods, compute_uv=False).min() < SHORTEST_PERIOD)


def right_handed(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return lattice vectors with a positive triple product: those of a left-handed cell all turned round.

    It is the same lattice in the same place, with the same lengths and angles in the same order, and its supercells
    are the same crystals; what is told in Cartesian axes (positions, forces, Born charges) stays as it is.

    :param cells: lattice vectors in rows, Å, shape [..., 3, 3].
    """
    is_left = np.linalg.det(cells) < 0
    return np.where(is_left[..., None, None], -cells, cells)


def cells_of(trajectory: TrajectoryData) -> NDArray[np.float64] | None:
    """Return the cells of the frames, right-handed, Å, shape [n_frames, 3, 3]; ``None`` where there are none."""
    cells = trajectory.get_cells()
    return None if cells is None else right_handed(cells)


def trajectory_to_atoms(trajectory: TrajectoryData) -> Iterator[Atoms]:
    """Yield the frames of a trajectory, their cells right-handed.

    :raises ValueError: one line, if a symbol is no chemical element.
    """
    unknown = sorted(set(trajectory.symbols) - set(atomic_numbers))
    if unknown:
        raise ValueError(f"the trajectory's symbol {unknown[0]!r} is no chemical element")
    cells = cells_of(trajectory)
    for index, positions in enumerate(trajectory.get_positions()):
        yield Atoms(
            trajectory.symbols,
            positions=positions,
            cell=None if cells is None else cells[index],
            pbc=trajectory.pbc,
        )


def atoms_to_trajectory(frames: Sequence[Atoms], steps: Sequence[int] | None = None) -> TrajectoryData:
    """Return frames as a new, unstored trajectory.

    :param frames: one or more, all with the same atoms in the same order and the same periodicity.
    :param steps: the number of each frame; by default 0, 1, 2 …
    :raises ValueError: one line, if there is no frame or they differ in their atoms or periodicity.
    """
    if not frames:
        raise ValueError("a trajectory needs at least one frame")
    first = frames[0]
    for index, frame in enumerate(frames):
        if not np.array_equal(frame.numbers, first.numbers) or not np.array_equal(frame.pbc, first.pbc):
            raise ValueError(f"frame {index} has other atoms or another periodicity than frame 0: keep their order")
    return new_trajectory(
        first.get_chemical_symbols(),
        positions=np.array([frame.positions for frame in frames]),
        cells=np.array([frame.cell.array for frame in frames]) if first.cell.any() else None,
        stepids=None if steps is None else np.asarray(steps, dtype=int),
        pbc=tuple(first.pbc.tolist()),
    )


def new_trajectory(
    of: StructureData | Sequence[str], arrays: Mapping[str, NDArray[Any]] | None = None, **frames: Any
) -> TrajectoryData:
    """Return an unstored trajectory.

    :param of: what moves; or its chemical symbols.
    :param arrays: further ones, by name.
    :param frames: see :meth:`aiida.orm.TrajectoryData.set_trajectory`.
    """
    trajectory = TrajectoryData()
    if isinstance(of, StructureData):
        symbols = {kind.name: kind.symbol for kind in of.kinds}
        trajectory.set_trajectory([symbols[site.kind_name] for site in of.sites], pbc=of.pbc, **frames)
    else:
        trajectory.set_trajectory(of, **frames)
    for name, array in (arrays or {}).items():
        trajectory.set_array(name, array)
    return trajectory


def require_whole_source(structure: StructureData) -> None:
    """Refuse a structure that AiiDA made from a CIF with partially occupied sites, which forgets them.

    :raises ValueError: one line.
    """
    if structure.creator is None:
        return
    for link in structure.creator.base.links.get_incoming(node_class=CifData).all():
        try:
            atoms = link.node.get_ase()
        except Exception:  # what ASE cannot read was read by another converter, which knows occupancies
            continue
        try:
            require_whole_atoms(atoms)
        except ValueError as error:
            raise ValueError(f"it was made from CifData<{link.node.pk}>: {error}") from None


def require_crystal(structure: StructureData, purpose: str) -> None:
    """Refuse a molecule, wire or slab where a crystal is needed.

    :param purpose: what needs the crystal, as the message should call it (``a phonon calculation``).
    :raises ValueError: one line.
    """
    if not structure.sites:
        raise ValueError(NO_ATOMS)
    if not all(structure.pbc):
        kind = f"a {KINDS[3 - sum(structure.pbc)]}"
        raise ValueError(
            f"{structure.get_formula()} is {kind} (pbc = {tuple(structure.pbc)}), but {purpose} needs a crystal, "
            f"periodic in three directions: give its cell and pbc, if it is one; {FOR_OTHERS}"
        )


def _own_mass(kind: object) -> float | None:
    """Return the mass of a kind, u; ``None`` where AiiDA filled in that of its table."""
    mass: float = kind.mass  # type: ignore[attr-defined]
    filled_in = elements[atomic_numbers[_symbol_of(kind)]]["mass"]
    return None if math.isclose(mass, filled_in, rel_tol=1e-12) else mass


def _symbol_of(kind: object) -> str:
    symbols: tuple[str, ...] = kind.symbols  # type: ignore[attr-defined]
    name: str = kind.name  # type: ignore[attr-defined]
    if len(symbols) != 1 or kind.has_vacancies:  # type: ignore[attr-defined]
        raise ValueError(
            f"sites of kind {name!r} are partially occupied (alloyed or vacant); a potential needs whole atoms: "
            "build an ordered supercell"
        )
    if symbols[0] not in atomic_numbers or symbols[0] == "X":
        raise ValueError(f"kind {name!r} is {symbols[0]!r}, which is no chemical element")
    return symbols[0]
