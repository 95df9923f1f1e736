"""Whether a run without thermostat keeps its energy, and a thermostat gives all elements its temperature.

Forces that are no gradient of the energy heat or cool a run, and elements unequally (Mazitov et al., PET-MAD, Nat.
Commun. 2025: 0.5 fs from 500 K; by element under a stochastic velocity rescaling with a time constant of 10 fs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import units
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_crucible.analysis.statistics.averages import average
from aiida_crucible.analysis.statistics.trends import find_trend
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

CONSERVES = "Does a run without thermostat keep its energy?"
EQUIPARTITION = "Do all elements have the temperature of the thermostat?"

FEWEST = 20
"""Independent values of a temperature from which its error is believed."""

CONSERVATIVE, DIRECT, MULTIPLE = "conservative", "direct", "multiple"
KINDS_OF_RUNS = {
    CONSERVATIVE: "conservative forces",
    DIRECT: "direct forces",
    MULTIPLE: "multiple time stepping",
}
"""What moves the atoms, in words."""

LOST = ("exploded", "non-finite", "atoms-lost")
"""Outcomes of a run that is no crystal's."""


def judge_conservation(
    outcome: str, times: NDArray[np.float64], energies: NDArray[np.float64], n_atoms: int, limit: float
) -> Answer:
    """Return whether the total energy stays.

    :param outcome: of the run.
    :param times: ps, shape [n].
    :param energies: kinetic and potential, eV, shape [n].
    :param limit: eV/(atom ps).
    """
    duration = float(times[-1] - times[0]) if len(times) else 0.0
    evidence: dict[str, Any] = {"outcome": outcome, "duration": duration, "n_atoms": n_atoms}
    if outcome in LOST or not np.isfinite(energies).all():
        return Answer(CONSERVES, NO, f"the run ended as {outcome} after {duration:.3g} ps", evidence)
    if len(energies) > 1 and not np.ptp(energies):
        return Answer(CONSERVES, YES, f"over {duration:.3g} ps the total energy does not change", evidence)
    trend = find_trend(energies - energies[0]) if len(energies) > 1 else None
    if trend is None:
        return Answer(CONSERVES, CANNOT_TELL, f"{duration:.3g} ps are too short: it would take a longer run", evidence)
    drift, error = trend.change / duration / n_atoms, trend.standard_error / duration / n_atoms
    evidence |= {"drift": drift, "standard_error": error}
    text = (
        f"over {duration:.3g} ps of {n_atoms} atoms the total energy drifts by {drift * 1000:.3g} ± {error * 1000:.2g} "
        f"meV/(atom ps), {drift / (3 * units.kB):.2g} K/ps (limit {limit * 1000:g} meV/(atom ps))"
    )
    if abs(drift) + 2 * error <= limit:
        return Answer(CONSERVES, YES, text, evidence)
    if abs(drift) - 2 * error > limit:
        return Answer(CONSERVES, NO, text, evidence)
    return Answer(CONSERVES, CANNOT_TELL, f"{text}: it would take a longer run", evidence)


def judge_kinds(answers: Mapping[str, Answer], milliseconds: Mapping[str, float], default: str) -> Answer:
    """Return what runs with several kinds of forces say together: the model's own kind decides.

    :param answers: by a key of :data:`KINDS_OF_RUNS`, of :func:`judge_conservation`; ``default`` is among them.
    :param milliseconds: wall time of a step, by kind.
    :param default: the kind that the model's settings choose.
    """
    own = answers[default]
    told = [
        f"{KINDS_OF_RUNS[kind]} ({answers[kind].answer}): {answers[kind].reason}"
        for kind in KINDS_OF_RUNS
        if kind in answers
    ]
    evidence: dict[str, Any] = {
        kind: {"answer": answer.answer, **answer.evidence, "milliseconds_a_step": milliseconds.get(kind)}
        for kind, answer in answers.items()
    }
    cost = milliseconds.get(CONSERVATIVE)
    faster = {kind: cost / milliseconds[kind] for kind in (DIRECT, MULTIPLE) if cost and milliseconds.get(kind)}
    evidence["speedup"] = faster
    if faster:
        ratios = ", ".join(f"{value:.2g} times with {KINDS_OF_RUNS[kind]}" for kind, value in faster.items())
        told.append(f"a step takes {cost:.3g} ms with conservative forces and is so much faster: {ratios}")
    return Answer(CONSERVES, own.answer, "; ".join(told), {"kind": default, **evidence})


def temperatures_by_element(
    numbers: NDArray[np.int64], masses: NDArray[np.float64], velocities: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the kinetic temperature of each element and of ``all`` atoms, K, shape [n_frames].

    Three degrees of freedom an atom, of which each has lost the share 1 / n_atoms to the centre of mass at rest.

    :param numbers: shape [n_atoms].
    :param masses: u, shape [n_atoms].
    :param velocities: Å/fs, shape [n_frames, n_atoms, 3].
    """
    kinetic = 0.5 * masses * ((velocities / units.fs) ** 2).sum(axis=2)
    total = masses.sum()
    found = {"all": 2 * kinetic.sum(axis=1) / (3 * (len(numbers) - 1) * units.kB)}
    for number in sorted(set(numbers.tolist())):
        own = numbers == number
        # An atom of mass m has ½ kT (1 - m/M) in each direction where the centre of mass rests.
        freedom = 3 * float((1 - masses[own] / total).sum())
        found[chemical_symbols[number]] = 2 * kinetic[:, own].sum(axis=1) / (freedom * units.kB)
    return found


def judge_equipartition(
    outcome: str, temperatures: Mapping[str, NDArray[np.float64]], target: float, tolerance: float
) -> Answer:
    """Return whether the mean temperatures of all elements are that of the thermostat.

    :param outcome: of the run.
    :param temperatures: of :func:`temperatures_by_element`, equilibrated.
    :param target: K.
    :param tolerance: relative.
    """
    evidence: dict[str, Any] = {"outcome": outcome, "target": target}
    if outcome in LOST:
        return Answer(EQUIPARTITION, NO, f"the run ended as {outcome}", evidence)
    elements = [name for name in temperatures if name != "all"]
    if len(elements) < 2:
        reason = "there is one element, whose temperature is the thermostat's: it would take a structure of several"
        return Answer(EQUIPARTITION, CANNOT_TELL, reason, evidence)
    verdicts, told = [], []
    for name in elements:
        series = temperatures[name]
        mean = average(series, cut=0) if len(series) > 1 else None
        few = mean is None or mean.n_effective < FEWEST
        value = float(series.mean()) if len(series) else float("nan")
        error = float("nan") if mean is None else float(mean.standard_error)
        known = {"temperature": value, "standard_error": error}
        evidence[name] = {key: each if np.isfinite(each) else None for key, each in known.items()}
        told.append(f"{name} {value:.4g} ± {error:.2g} K")
        verdicts.append(CANNOT_TELL if few else _within(value, error, target, tolerance))
    text = f"{', '.join(told)} at {target:g} K (limit {tolerance:.0%})"
    return Answer(EQUIPARTITION, *_together(verdicts, text), evidence)


def _within(value: float, error: float, target: float, tolerance: float) -> str:
    deviation = abs(value - target)
    if deviation + 2 * error <= tolerance * target:
        return YES
    return NO if deviation - 2 * error > tolerance * target else CANNOT_TELL


def _together(verdicts: Sequence[str], text: str) -> tuple[str, str]:
    if NO in verdicts:
        return NO, text
    if CANNOT_TELL in verdicts:
        return CANNOT_TELL, f"{text}: it would take a longer run, or more atoms"
    return YES, text
