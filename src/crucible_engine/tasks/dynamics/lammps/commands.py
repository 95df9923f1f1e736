"""The ensembles of :mod:`crucible_engine.tasks.dynamics.lammps.ensembles` as LAMMPS's commands."""

from __future__ import annotations

from crucible_engine.tasks.dynamics.lammps.units import FEMTOSECONDS, TEMPERATURE, to_bar
from crucible_engine.tasks.dynamics.settings import Settings


def fixes(settings: Settings, target: tuple[float, float], rests: bool, seed: int) -> list[str]:
    """Return the commands that integrate the motion.

    :param target: temperatures at step 0 and at the last step, K.
    :param rests: whether the centre of mass rests.
    :param seed: of the random numbers of a stochastic thermostat.
    """
    begin, end = (temperature * TEMPERATURE for temperature in target)
    if settings.ensemble == "nve":
        return ["fix md all nve"]
    if settings.ensemble == "nvt-langevin":
        damping = 1 / settings.friction / FEMTOSECONDS
        rest = ["fix rest all momentum 1 linear 1 1 1"] if rests else []
        return ["fix md all nve", f"fix heat all langevin {begin!r} {end!r} {damping!r} {seed}", *rest]
    chain = settings.chain_length
    command = f"temp {begin!r} {end!r} {settings.thermostat_time / FEMTOSECONDS!r} tchain {chain}"
    if settings.ensemble == "nvt-nose-hoover-chain":
        command = f"fix md all nvt {command}"
    else:
        pressure, strains = to_bar(settings.pressure), "iso" if settings.ensemble == "npt-mtk-isotropic" else "tri"
        barostat = f"{strains} {pressure!r} {pressure!r} {settings.barostat_time / FEMTOSECONDS!r} pchain {chain}"
        # The origin stays where ASE leaves it, and no lattice vector is exchanged for another.
        command = f"fix md all npt {command} {barostat} mtk yes fixedpoint 0 0 0 flip no"
    # LAMMPS's temperature counts 3 N - 3 degrees of freedom unless it is told.
    return [command, f"compute_modify md_temp extra/dof {3 if rests else 0}"]


def conserved_quantity(settings: Settings) -> str:
    """Return LAMMPS's words for the conserved quantity, eV, without spaces.

    ``econserve`` of the release of July 2025 counts three degrees of freedom of an isotropic barostat where its
    integrator has one, and drifts. The energies that ``fix npt`` gives one by one (second half of its vector, by the
    page on fix_nh) have the right ones.
    """
    if settings.ensemble != "npt-mtk-isotropic":
        return "econserve"
    n_variables = 2 * (2 * settings.chain_length + 1)
    return "+".join(["etotal", *(f"f_md[{index}]" for index in range(n_variables + 1, 2 * n_variables + 1))])
