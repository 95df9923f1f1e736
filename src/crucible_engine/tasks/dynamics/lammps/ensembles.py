"""The ensembles of dynamics that LAMMPS has, as its commands.

=========================  ============================================================================================
``nve``                    ``fix nve``: velocity Verlet, as ASE's.
``nvt-langevin``           ``fix langevin`` with ``fix nve``: the same ensemble, with other random numbers and another
                           discretisation than ASE's.
``nvt-nose-hoover-chain``  ``fix nvt``: the same equations of motion, thermostat masses and conserved quantity as ASE's.
``npt-mtk-isotropic``      ``fix npt iso``: the same equations of motion and barostat mass.
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


def fixes(values: Any, begin: float, end: float, rests: bool, seed: int, to_bar: Any) -> list[str]:
    """Return the commands that integrate the motion.

    :param values: the parameters of dynamics, by attribute.
    :param begin: target temperature at step 0, K of LAMMPS.
    :param end: that at the last step.
    :param rests: whether the centre of mass rests.
    :param seed: of the random numbers of a stochastic thermostat.
    :param to_bar: turns a pressure in GPa into LAMMPS's.
    """
    if values.ensemble == "nve":
        return ["fix md all nve"]
    if values.ensemble == "nvt-langevin":
        damping = 1 / values.friction / 1000
        rest = ["fix rest all momentum 1 linear 1 1 1"] if rests else []
        return ["fix md all nve", f"fix heat all langevin {begin!r} {end!r} {damping!r} {seed}", *rest]
    chain = values.chain_length
    command = f"temp {begin!r} {end!r} {values.thermostat_time / 1000!r} tchain {chain}"
    if values.ensemble == "nvt-nose-hoover-chain":
        command = f"fix md all nvt {command}"
    else:
        pressure, strains = to_bar(values.pressure), "iso" if values.ensemble == "npt-mtk-isotropic" else "tri"
        barostat = f"{strains} {pressure!r} {pressure!r} {values.barostat_time / 1000!r} pchain {chain}"
        # The origin stays where ASE leaves it, and no lattice vector is exchanged for another.
        command = f"fix md all npt {command} {barostat} mtk yes fixedpoint 0 0 0 flip no"
    # LAMMPS's temperature counts 3 N - 3 degrees of freedom unless it is told.
    return [command, f"compute_modify md_temp extra/dof {3 if rests else 0}"]


def has_conserved_quantity(ensemble: str) -> bool:
    """Tell whether LAMMPS keeps account of what leaves through thermostat and barostat, as ASE's integrators do."""
    return ensemble != "nvt-langevin"
