"""The parameters of the task ``dynamics``, what each ensemble understands of them, and what cannot be right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crucible_engine.tasks.dynamics.lammps.ensembles import complaint_about
from crucible_engine.tasks.dynamics.lammps.support import check_support
from crucible_engine.tasks.dynamics.multiple_steps import checks as multiple_steps
from crucible_engine.wire.rules import Parameter, ParameterError, shown
from crucible_engine.wire.schema import Condition, EngineError

if TYPE_CHECKING:
    from crucible_engine.job.preflight import Survey

THERMOSTAT = {"thermostat_time": 100.0}
BAROSTAT = {"thermostat_time": 100.0, "barostat_time": 1000.0, "pressure": 0.0}

ENSEMBLES: dict[str, dict[str, Any]] = {
    "nve": {},
    "nvt-langevin": {"friction": 0.01},
    "nvt-andersen": {"collision_probability": 0.01},
    "nvt-nose-hoover-chain": {**THERMOSTAT, "chain_length": 3},
    "nvt-bussi": THERMOSTAT,
    "npt-melchionna": {
        "thermostat_time": 25.0,
        "barostat_time": 75.0,
        "bulk_modulus": 100.0,
        "pfactor": None,
        "pressure": 0.0,
        "mask": None,
    },
    "npt-mtk-isotropic": {**BAROSTAT, "chain_length": 3},
    "npt-mtk": {**BAROSTAT, "chain_length": 3, "mask": None},
    "npt-berendsen": {**BAROSTAT, "thermostat_time": 500.0, "bulk_modulus": 100.0, "mask": None},
}
"""Each ensemble (ASE's integrator: VelocityVerlet, Langevin, Andersen, NoseHooverChainNVT, Bussi, MelchionnaNPT,
IsotropicMTKNPT, MTKNPT or with a mask MaskedMTKNPT, Inhomogeneous_NPTBerendsen) with the parameters that it understands
beyond the common ones, and their defaults (fs, 1/fs, GPa)."""

TIME = Parameter(float, None, "time constant, fs", 0.0, 1e6, exclusive=True)

DYNAMICS: dict[str, Parameter] = {
    "backend": Parameter(
        str, "ase", "whose integrators, and by which way the model is asked", choices=("ase", "lammps")
    ),
    "ensemble": Parameter(str, "nvt-langevin", "what is kept constant, and how", choices=tuple(ENSEMBLES)),
    "temperatures": Parameter(list, [300.0], "one replica for each, K"),
    "final_temperature": Parameter(
        float, None, "the target ends there after a linear ramp; null keeps it constant, K", 0.0, 1e5, exclusive=True
    ),
    **multiple_steps.PARAMETERS,
    "steps": Parameter(int, 10000, "time steps of each replica", minimum=1, maximum=1_000_000_000),
    "time_step": Parameter(float, 1.0, "fs", 0.001, 100.0),
    "seed": Parameter(int, 0, "of every random number: velocities and stochastic thermostats", 0, 2**63),
    "start": Parameter(
        str,
        "independent",
        "each replica from the given structure (its own of several), or from the last geometry of the one before; "
        "velocities are new",
        choices=("independent", "sequential"),
    ),
    "first_replica": Parameter(
        int, 0, "number of the first replica, where several jobs share one seed: each replica draws its own", minimum=0
    ),
    "streams": Parameter(
        list,
        None,
        "the number of each replica's random numbers, which are so the same whatever else is in the job; by default "
        "counted from first_replica on",
    ),
    "initial_temperature": Parameter(
        float, None, "of the Maxwell-Boltzmann velocities at the start; null is the replica's own, K", 0.0, 1e5
    ),
    "friction": Parameter(float, None, "nvt-langevin: 1/fs (0.01)", 0.0, 10.0, exclusive=True),
    "collision_probability": Parameter(float, None, "nvt-andersen: of each component at each step (0.01)", 0.0, 1.0),
    "thermostat_time": TIME,
    "barostat_time": TIME,
    "chain_length": Parameter(int, None, "thermostats in a Nosé-Hoover chain, also the barostat's (3)", 1, 100),
    "bulk_modulus": Parameter(
        float, None, "scale of the barostat of npt-melchionna and npt-berendsen, GPa (100)", 0.0, 1e5, exclusive=True
    ),
    "pfactor": Parameter(
        float,
        None,
        "npt-melchionna: ASE's barostat constant in its units, taken literally for barostat_time² · bulk_modulus",
        0.0,
        exclusive=True,
    ),
    "pressure": Parameter(float, None, "external hydrostatic pressure of the NPT ensembles, GPa (0)", -1000.0, 10000.0),
    "mask": Parameter(
        list,
        None,
        "which strains may change: three 0 or 1, of lattice vectors for npt-mtk, else of Cartesian axes, or, for "
        "npt-melchionna, a symmetric 3x3 matrix of them; null is all",
    ),
    "remove_drift": Parameter(bool, True, "let the centre of mass rest"),
    "series_interval": Parameter(int, 10, "steps between two rows of the time series", minimum=1),
    "frame_interval": Parameter(int, 10, "steps between two frames kept on the computer; 0 keeps none", minimum=0),
    "retrieved_frames": Parameter(int, 500, "at most so many frames of each replica come back", minimum=0),
    "frame_forces": Parameter(bool, False, "frames hold forces as well"),
    "frame_velocities": Parameter(bool, False, "frames hold velocities as well"),
    "checkpoint_interval": Parameter(int, 1000, "steps between two checkpoints", minimum=1),
    "checkpoint_seconds": Parameter(float, 300.0, "longest time between two checkpoints, s", 0.0, exclusive=True),
    "average_from": Parameter(float, 0.5, "fraction of the steps that is left out of the averages", 0.0, 0.999),
    "on_failure": Parameter(
        str, "stop", "what a replica does once its crystal is lost (NaN always ends it)", choices=("stop", "continue")
    ),
    "watch_interval": Parameter(int, 20, "steps between two looks at the physics", minimum=1),
    "lindemann_limit": Parameter(
        float,
        0.35,
        "root-mean-square displacement over the nearest-neighbour distance of what left its sites",
        0.0,
        10.0,
    ),
    "temperature_limit": Parameter(float, 5.0, "instantaneous over target temperature of an explosion", 1.0, 1e6),
    "length_limit": Parameter(
        float, 1.5, "change of a cell length (its cube: of the volume) that is a runaway", 1.0, 10.0
    ),
}

DETAILS_OF_OUTPUT = ("checkpoint_interval", "checkpoint_seconds", "retrieved_frames")
"""Parameters that change no number of a run: a checkpoint is continued whatever they are."""

STIFFEST_BOND = 30.0
"""eV/Å²: about the force constant of an O-H or C-C bond, the stiffest that is common."""
STEPS_A_PERIOD = 10.0
"""Fewer steps than this in the period of an oscillation do not follow it."""


def check_dynamics(values: dict[str, Any]) -> None:
    """Complete the parameters of the ensemble in place, and refuse what cannot be right together.

    :raises ParameterError: one line that names the parameter, what is wrong and what is allowed.
    """
    _check_temperatures(values)
    _check_streams(values)
    _complete_ensemble(values)
    if values["ensemble"] == "nve" and values["final_temperature"] is not None:
        raise ParameterError(
            "parameter 'final_temperature' of dynamics asks for a ramp, but nve has no thermostat: leave it out, or "
            "choose an nvt or npt ensemble"
        )
    if values["ensemble"] == "nvt-bussi" and values["initial_temperature"] == 0:
        raise ParameterError(
            "parameter 'initial_temperature' of dynamics is 0, but nvt-bussi scales velocities, of which there are "
            "none then: choose more than 0 K or another ensemble"
        )
    if values["mask"] is not None:
        values["mask"] = _normalise_mask(values["mask"], values["ensemble"])
    for complaint in (complaint_about(values), multiple_steps.complaint_about(values)):
        if complaint is not None:
            raise ParameterError(complaint)


def needs_stress(values: Mapping[str, Any]) -> str | None:
    """Return what needs stresses, in words; ``None`` for an ensemble of constant volume."""
    return f"dynamics with ensemble {values['ensemble']!r}" if values["ensemble"].startswith("npt") else None


def check_structures(survey: Survey, parameters: dict[str, Any], family: str) -> None:
    """Refuse several structures that are not one for each replica, a barostat without volume, what LAMMPS cannot do.

    :raises EngineError: ``INVALID_JOB``, ``INVALID_STRUCTURE``, ``CAPABILITY_MISSING``.
    """
    if parameters["backend"] == "lammps":
        check_support(survey, family)
    multiple_steps.check_family(parameters, family)
    if survey.n_structures != 1:
        try:
            check_own_structures(survey.n_structures, parameters)
        except ParameterError as error:
            raise EngineError(Condition.INVALID_JOB, str(error)) from error
    if parameters["ensemble"].startswith("npt") and survey.not_periodic is not None:
        raise EngineError(
            Condition.INVALID_STRUCTURE,
            f"structure {survey.not_periodic!r} is not periodic in three directions and so has no pressure: choose an "
            "nvt ensemble or nve",
        )
    if parameters["ensemble"] == "npt-melchionna" and survey.single_atom is not None:
        raise EngineError(
            Condition.INVALID_STRUCTURE,
            "npt-melchionna lets the centre of mass rest, and one atom is its own: take a supercell or another "
            "ensemble",
        )


def check_own_structures(n_structures: int, values: Mapping[str, Any]) -> None:
    """Refuse replicas that are to have a structure of their own each where that cannot be.

    :raises ParameterError: one line.
    """
    n_replicas = len(values["temperatures"])
    if n_structures != n_replicas:
        raise ParameterError(
            f"the number of structures of dynamics is {n_structures}, but that of 'temperatures' is {n_replicas}: give "
            "one structure for all temperatures, or one for each, which may repeat each other"
        )
    if values["start"] != "independent":
        raise ParameterError(
            f"parameter 'start' of dynamics is {shown(values['start'])}, but each of {n_structures} structures begins "
            "by itself: choose 'independent'"
        )


def time_step_warning(time_step: float, lightest_mass: float) -> str | None:
    """Return one line where a time step is too long for the lightest atom, ``None`` where it is not.

    :param time_step: fs.
    :param lightest_mass: u.
    """
    # 10.18 fs is ASE's unit of time, √(u Å²/eV).
    period = 2 * math.pi * math.sqrt(lightest_mass / STIFFEST_BOND) * 10.180505710774743
    if time_step <= period / STEPS_A_PERIOD:
        return None
    return (
        f"a time step of {time_step:g} fs is long for an atom of mass {lightest_mass:.4g}: its stiffest vibrations "
        f"take {period:.3g} fs: {period / STEPS_A_PERIOD:.2g} fs or less follows them"
    )


def _check_temperatures(values: dict[str, Any]) -> None:
    where = "parameter 'temperatures' of dynamics"
    if not values["temperatures"]:
        raise ParameterError(f"{where} is empty: give one or more temperatures in K")
    for temperature in values["temperatures"]:
        is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
        if not is_number or not math.isfinite(temperature) or not 0 < temperature <= 1e5:
            raise ParameterError(f"{where} holds {shown(temperature)}: a temperature is more than 0 and at most 1e5 K")
    values["temperatures"] = [float(temperature) for temperature in values["temperatures"]]


def _check_streams(values: dict[str, Any]) -> None:
    streams = values["streams"]
    if streams is None:
        return
    if len(streams) != len(values["temperatures"]) or any(
        isinstance(number, bool) or not isinstance(number, int) or number < 0 for number in streams
    ):
        raise ParameterError(
            f"parameter 'streams' of dynamics is {shown(streams)}: give a whole number from 0 for each of the "
            f"{len(values['temperatures'])} temperatures, or leave it out"
        )


def _complete_ensemble(values: dict[str, Any]) -> None:
    ensemble = values["ensemble"]
    understood = ENSEMBLES[ensemble]
    for name in {name for known in ENSEMBLES.values() for name in known}:
        if values[name] is not None and name not in understood:
            owners = [owner for owner, known in ENSEMBLES.items() if name in known]
            raise ParameterError(
                f"parameter {name!r} of dynamics means nothing to {ensemble}: leave it out, or choose "
                f"{' or '.join(owners)}"
            )
    if values["pfactor"] is not None:
        if values["barostat_time"] is not None or values["bulk_modulus"] is not None:
            raise ParameterError(
                "parameter 'pfactor' of dynamics stands for barostat_time and bulk_modulus: give it or them, not both"
            )
        understood = {
            name: value for name, value in understood.items() if name not in ("barostat_time", "bulk_modulus")
        }
    for name, default in understood.items():
        values[name] = default if values[name] is None else values[name]


def _normalise_mask(mask: list[Any], ensemble: str) -> list[Any]:
    where = f"parameter 'mask' of dynamics is {shown(mask)}"
    rows = mask if len(mask) == 3 and all(isinstance(row, list) for row in mask) else None
    entries = [entry for row in rows for entry in row] if rows else mask
    if (
        (rows and any(len(row) != 3 for row in rows))
        or len(entries) not in (3, 9)
        or any(entry not in (0, 1) for entry in entries)
    ):
        raise ParameterError(f"{where}: give three numbers, 0 or 1, or three rows of three")
    if not any(entries):
        raise ParameterError(f"{where}, which fixes everything: choose an nvt ensemble instead")
    if rows is None:
        return [int(entry) for entry in mask]
    if ensemble != "npt-melchionna":
        raise ParameterError(f"{where}: {ensemble} takes three numbers, one for each axis")
    if any(rows[i][j] != rows[j][i] for i in range(3) for j in range(i)):
        raise ParameterError(f"{where}: it must be symmetric")
    return [[int(entry) for entry in row] for row in rows]
