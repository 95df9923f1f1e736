"""How to sweep temperatures: one table of settings, with defaults, ranges and units, and the jobs that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix, parse_supercell_matrix
from crucible_engine.wire.rules import Parameter, ParameterError, complete, normalise_entries, shown

INDEPENDENT, HEATING, COOLING = "independent", "heating", "cooling"

TEMPERATURE = Parameter(float, 300.0, "K", 0.0, 1e5, exclusive=True)
LENGTH = Parameter(float, 1.0, "Å", 0.0, 1000.0, exclusive=True)

MOST_ATOMS = 100_000
"""Atoms of a supercell beyond which it is taken for a mistake."""

SETTINGS: dict[str, Parameter] = {
    "temperatures": Parameter(list, [], "K, each once; heating and cooling put them in their order"),
    "supercell_matrix": Parameter(list, None, "three whole numbers or three rows of three; goes before the length"),
    "supercell_min_length": Parameter(
        float, 10.0, "least distance between opposite faces of the supercell, Å", 0.0, 200.0, exclusive=True
    ),
    "cell_lengths": Parameter(
        list, None, "the structure is strained to these lengths of a, b and c first, Å, its angles and sites kept"
    ),
    "mode": Parameter(
        str,
        INDEPENDENT,
        "every temperature from the given structure, or from the last geometry of the one before, going up or down; "
        "velocities are always new",
        choices=(INDEPENDENT, HEATING, COOLING),
    ),
    "temperatures_per_job": Parameter(int, 1, "run one after the other by one job; changes no number", 1, 1000),
    "max_concurrent": Parameter(
        int, None, "jobs at once; by default as many as the computer does fastest together", minimum=1
    ),
    "equilibration": Parameter(
        str,
        "detected",
        "where averages of the time series begin: behind the cut that leaves the most independent values, or fixed, at "
        "the fraction average_from of the dynamics",
        choices=("detected", "fixed"),
    ),
    "stability_time": Parameter(
        float,
        10.0,
        "how long a crystal has to survive at each temperature to be called stable, ps: to fall apart takes it some "
        "swings of its slowest modes, a picosecond and more each",
        0.0,
        1e6,
        exclusive=True,
    ),
    "pair_distance": Parameter(
        float,
        None,
        "largest one of pair distributions, Å; by default half the supercell's width",
        0.0,
        50.0,
        exclusive=True,
    ),
    "local_centre": Parameter(str, None, "chemical symbol round which local polarizations are taken (Ti in PbTiO3)"),
    "pair_bins": Parameter(int, 200, "of pair distributions", minimum=10, maximum=100_000),
}


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep: some temperatures, one after the other.

    :param first: number of its first temperature in the whole sweep, which its random numbers follow.
    :param temperatures: K.
    """

    first: int
    temperatures: tuple[float, ...]

    @property
    def labels(self) -> list[str]:
        """The labels of its temperatures."""
        return [temperature_label(temperature) for temperature in self.temperatures]


def validate_sweep(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a sweep complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("sweep", SETTINGS, given)
    settings["temperatures"] = parse_temperatures(settings["temperatures"], "sweep")
    if settings["supercell_matrix"] is not None:
        settings["supercell_matrix"] = parse_supercell_matrix(settings["supercell_matrix"], MOST_ATOMS).tolist()
    if settings["cell_lengths"] is not None:
        settings["cell_lengths"] = _cell_lengths(settings["cell_lengths"])
    return settings


def ordered_temperatures(settings: Mapping[str, Any]) -> list[float]:
    """Return the temperatures in the order in which they are run, K.

    Independent ones keep the order given: one that is added at the end leaves the random numbers of the others alone.
    """
    temperatures: list[float] = settings["temperatures"]
    if settings["mode"] == INDEPENDENT:
        return list(temperatures)
    return sorted(temperatures, reverse=settings["mode"] == COOLING)


def plan_jobs(settings: Mapping[str, Any]) -> list[SweepJob]:
    """Return the jobs of a sweep in their order."""
    temperatures, size = ordered_temperatures(settings), settings["temperatures_per_job"]
    return [SweepJob(first, tuple(temperatures[first : first + size])) for first in range(0, len(temperatures), size)]


def temperature_label(temperature: float) -> str:
    """Return the name of a run: ``T300``, ``T312p5`` for 312.5 K."""
    return "T" + f"{temperature:.10g}".replace(".", "p").replace("e+", "e").replace("-", "m")


def strained_unit_cell(settings: Mapping[str, Any], unit_cell: Atoms) -> Atoms:
    """Return the unit cell that a sweep's supercell is made of."""
    if settings["cell_lengths"] is None:
        return unit_cell
    cell = unit_cell.cell.array
    factors = np.array(settings["cell_lengths"]) / np.linalg.norm(cell, axis=1)
    strained = unit_cell.copy()
    strained.set_cell(cell * factors[:, None], scale_atoms=True)
    return strained


def supercell_matrix(settings: Mapping[str, Any], unit_cell: Atoms) -> NDArray[np.int64]:
    """Return the matrix of a sweep's supercell, ``supercell = matrix @ unit_cell`` with vectors as rows, shape [3, 3].

    :raises ValueError: one line, if the supercell would be absurdly large.
    """
    return bounded_matrix("the sweep", settings, strained_unit_cell(settings, unit_cell))


def bounded_matrix(what: str, settings: Mapping[str, Any], unit_cell: Atoms) -> NDArray[np.int64]:
    """Return the supercell matrix that settings ask for, shape [3, 3].

    :raises ValueError: one line, if the supercell would be absurdly large.
    """
    matrix = chosen_supercell_matrix(settings, unit_cell.cell.array, MOST_ATOMS)
    n_atoms = round(float(np.linalg.det(matrix))) * len(unit_cell)
    if n_atoms > MOST_ATOMS:
        raise ParameterError(f"the supercell of {what} has {n_atoms} atoms: give one of at most {MOST_ATOMS}")
    return matrix


def sweep_supercell(settings: Mapping[str, Any], unit_cell: Atoms) -> Atoms:
    """Return the supercell that a sweep runs, its atoms unit cell by unit cell.

    :raises ValueError: one line, if it would be absurdly large.
    """
    matrix = supercell_matrix(settings, unit_cell)
    from ase.build import make_supercell  # takes half a second, which nobody wants to wait who only looks at settings

    return make_supercell(strained_unit_cell(settings, unit_cell), matrix, wrap=False)


def parse_temperatures(given: list[Any], what: str) -> list[float]:
    """Return temperatures as floats, K.

    :param what: whose parameter they are, as messages should call it.
    :raises ValueError: one line, if the list is empty, or an entry is no temperature or repeats another.
    """
    where = f"parameter 'temperatures' of {what}"
    if not given:
        raise ParameterError(f"{where} is empty: give one or more temperatures in K")
    temperatures: list[float] = normalise_entries(what, "temperatures", TEMPERATURE, given)
    labels = [temperature_label(temperature) for temperature in temperatures]
    twice = next((t for t, label in zip(temperatures, labels, strict=True) if labels.count(label) > 1), None)
    if twice is not None:
        raise ParameterError(f"{where} holds {twice:g} K more than once: give each once")
    return temperatures


def _cell_lengths(given: list[Any]) -> list[float]:
    lengths: list[float] = normalise_entries("sweep", "cell_lengths", LENGTH, given)
    if not lengths:
        raise ParameterError("parameter 'cell_lengths' of sweep is []: give lengths in Å, or leave it out")
    if len(lengths) != 3:
        raise ParameterError(f"parameter 'cell_lengths' of sweep is {shown(given)}: give a, b and c")
    return lengths
