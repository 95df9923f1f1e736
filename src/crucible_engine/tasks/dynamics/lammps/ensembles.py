"""The ensembles of dynamics that LAMMPS has.

=========================  ============================================================================================
``nve``                    ``fix nve``: velocity Verlet, as ASE's.
``nvt-langevin``           ``fix langevin`` with ``fix nve``: the same ensemble, with other random numbers and another
                           discretisation than ASE's.
``nvt-nose-hoover-chain``  ``fix nvt``: the same equations of motion, thermostat masses and conserved quantity as ASE's.
``npt-mtk-isotropic``      ``fix npt iso``: the same equations of motion, masses and conserved quantity.
``npt-mtk``                ``fix npt tri``: six strains; ASE lets nine components move and so the crystal turn.
=========================  ============================================================================================

The others have no equal there: ``nvt-andersen``, ``nvt-bussi``, ``npt-melchionna``, ``npt-berendsen``, and a mask of
strains. Only the standard library is imported, since both sides of the wire refuse them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUPPORTED = ("nve", "nvt-langevin", "nvt-nose-hoover-chain", "npt-mtk-isotropic", "npt-mtk")


def complaint_about(values: Mapping[str, Any]) -> str | None:
    """Return one line about parameters of dynamics, complete, that LAMMPS cannot follow; ``None`` if it can."""
    if values["backend"] != "lammps":
        return None
    if values["ensemble"] not in SUPPORTED:
        return (
            f"parameter 'ensemble' of dynamics is {values['ensemble']!r}, which LAMMPS has no equal of: choose one of "
            f"{', '.join(SUPPORTED)}, or backend 'ase'"
        )
    if values["mask"] is not None:
        return "parameter 'mask' of dynamics means nothing to LAMMPS: leave it out, or choose backend 'ase'"
    return None


def has_conserved_quantity(ensemble: str) -> bool:
    """Tell whether LAMMPS keeps account of what leaves through thermostat and barostat, as ASE's integrators do."""
    return ensemble != "nvt-langevin"
