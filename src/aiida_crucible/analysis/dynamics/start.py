"""Whether runs began in a crystal that the model holds in place: what acted on atoms and cell at step 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_crucible.analysis.dynamics.sweep_settings import INDEPENDENT, ordered_temperatures, temperature_label
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

LARGEST_FORCE = 0.1
"""eV/Å, of one atom: twice what the coarsest protocol of a relaxation leaves, a tenth of a thermal force."""

LARGEST_STRESS = 1.0
"""GPa off the pressure that is asked for: a strain of about a percent in a crystal with a bulk modulus of 100 GPa."""

QUESTION = "Did the runs begin in a crystal at rest, with small forces and stress?"
REMEDY = "relax it first (input `relax`, in a protocol overrides={'relax': {}})"


def judge_start(start: Mapping[str, Any] | None, dynamics: Mapping[str, Any]) -> Answer:
    """Return whether a run began in a crystal at rest.

    A run from a crystal that is not the model's own begins with a shock: it heats the crystal, lets a cell that is free
    ring for picoseconds, and may break it.

    :param start: ``largest_force`` (eV/Å), ``pressure`` and ``stress`` (GPa, Voigt) at step 0, as
        :mod:`crucible_engine.tasks.dynamics.run` has it; ``None`` where it is not known.
    :param dynamics: its validated parameters; a cell that is fixed may be under any stress.
    """
    if start is None:
        return Answer(QUESTION, CANNOT_TELL, "what acted on the crystal at the start is not known")
    force, stress = float(start["largest_force"]), _stress_off(start, dynamics)
    evidence = {**start, "largest_stress": stress, "limits": {"force": LARGEST_FORCE, "stress": LARGEST_STRESS}}
    said = f"the largest force was {force:.2g} eV/Å"
    if stress is not None:
        said += f" and the stress {stress:.2g} GPa off the pressure asked for"
    if force <= LARGEST_FORCE and (stress is None or stress <= LARGEST_STRESS):
        return Answer(QUESTION, YES, said, evidence)
    limits = f"{LARGEST_FORCE:g} eV/Å" if stress is None else f"{LARGEST_FORCE:g} eV/Å and {LARGEST_STRESS:g} GPa"
    reason = f"{said}, where {limits} is small: not this model's own crystal, so that the runs begin with a shock"
    return Answer(QUESTION, NO, f"{reason}; {REMEDY}", evidence)


def begins_in_given_crystal(settings: Mapping[str, Any], label: str) -> bool:
    """Return whether a temperature's run began in the crystal that was given, not in one that another had heated."""
    return settings["mode"] == INDEPENDENT or label == temperature_label(ordered_temperatures(settings)[0])


def first_start(settings: Mapping[str, Any], analyses: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what acted on the crystal where the first temperature began; later ones of a chain begin in a hot crystal.

    :param analyses: by label; those of a temperature that did not run have no ``start``.
    """
    labels = [temperature_label(temperature) for temperature in ordered_temperatures(settings)]
    return next((analyses[label]["start"] for label in labels if analyses[label].get("start")), None)


def _stress_off(start: Mapping[str, Any], dynamics: Mapping[str, Any]) -> float | None:
    """Return the largest component of stress that a free cell would give way to, GPa; ``None`` without one."""
    ensemble, pressure = str(dynamics["ensemble"]), float(dynamics["pressure"] or 0.0)
    if start["stress"] is None or not ensemble.startswith("npt"):
        return None
    if ensemble.endswith("isotropic"):
        return abs(float(start["pressure"]) - pressure)
    hydrostatic = np.repeat([pressure, 0.0], 3)
    return float(np.abs(start["stress"] + hydrostatic).max())
