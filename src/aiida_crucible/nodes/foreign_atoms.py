"""What ASE's ``Atoms`` from elsewhere say beyond whole atoms at places: refused, or said to be not represented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

WHOLE = 1e-3
"""By how much the occupancy of a site may miss 1: files round thirds to a few digits."""

ADVICE = "a potential needs whole atoms: build an ordered supercell"

UNREPRESENTED = {
    "initial_magmoms": "magnetic moments (up to {:.3g} μ_B)",
    "initial_charges": "charges (up to {:.3g} e)",
    "tags": "tags",
    "momenta": "velocities",
}
"""Arrays of ``Atoms`` that no structure of AiiDA's has a place for, and that no potential here is told of."""


def require_whole_atoms(atoms: Atoms) -> None:
    """Refuse atoms that stand for partially occupied sites.

    ASE keeps one atom a site, of its commonest element; what else may be there is in ``info`` (CIF) or in arrays (PDB,
    and the formats of electron microscopy).

    :raises ValueError: one line that names a site.
    """
    for name in ("occupancy", "occupancies"):
        if name in atoms.arrays:
            _require_whole_sites(atoms, atoms.arrays[name])
    if "occupancy" in atoms.info:
        _require_whole_kinds(atoms, atoms.info["occupancy"])
    elif "_atom_site_occupancy" in atoms.info:
        sites = [_occupancy(value) for value in np.atleast_1d(atoms.info["_atom_site_occupancy"])]
        if not all(_is_whole(value) for value in sites):
            raise ValueError(
                "the CIF's _atom_site_occupancy says that sites are partially occupied (alloyed or vacant); "
                f"{ADVICE}, and `del atoms.info['_atom_site_occupancy']` once it is"
            )


def unrepresented(atoms: Atoms) -> str:
    """Return one line on what the atoms carry that structures here have no place for; nothing where that is nothing."""
    found = [
        name.format(np.abs(atoms.arrays[array]).max())
        for array, name in UNREPRESENTED.items()
        if array in atoms.arrays and np.any(atoms.arrays[array])
    ]
    if atoms.constraints:
        found.append("constraints")
    if not found:
        return ""
    return f"{atoms.get_chemical_formula()} carries {', '.join(found)}: not represented, no model is told of them"


def _require_whole_sites(atoms: Atoms, occupancies: NDArray[Any]) -> None:
    for symbol, value in zip(atoms.get_chemical_symbols(), occupancies, strict=True):
        if not _is_whole(_occupancy(value)):
            raise ValueError(f"a site of {symbol} is occupied to {_occupancy(value):g}; {ADVICE}")


def _require_whole_kinds(atoms: Atoms, occupancy: Any) -> None:
    """Look into what ASE's CIF reader says: occupancies by element, of each kind of site.

    The kind of each atom is known where the atoms have not been put together anew; kinds that no atom is of are of no
    interest.
    """
    if not isinstance(occupancy, Mapping) or not all(isinstance(site, Mapping) for site in occupancy.values()):
        raise ValueError("atoms.info['occupancy'] is not as ASE writes it: delete it if all sites are whole atoms")
    kinds = atoms.arrays.get("spacegroup_kinds")
    wanted = set(map(str, occupancy)) if kinds is None else {str(kind) for kind in kinds}
    for kind, site in occupancy.items():
        shares = {symbol: _occupancy(value) for symbol, value in site.items()}
        present = {symbol: value for symbol, value in shares.items() if value > WHOLE}
        if str(kind) in wanted and not (len(present) == 1 and _is_whole(*present.values())):
            said = ", ".join(f"{symbol} {value:g}" for symbol, value in shares.items())
            raise ValueError(
                f"a site is partially occupied (alloyed or vacant): {said}; {ADVICE}, and "
                "`del atoms.info['occupancy']` once it is"
            )


def _occupancy(value: Any) -> float:
    """Return an occupancy; what a file leaves open (``?``, ``.``) is 1, as the CIF dictionary has it."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 1.0


def _is_whole(value: float) -> bool:
    return abs(value - 1) <= WHOLE
