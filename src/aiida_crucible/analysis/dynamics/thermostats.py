"""How a thermostat slows the vibrations of a crystal: one that damps a soft mode too strongly freezes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

CERTAIN = 1 - 1e-12
"""Collision probability that is taken for 1, whose rate would be infinite."""

ANGULAR = 2 * math.pi * 1e-3
"""1/fs of 1 THz."""


def damping_rate(dynamics: Mapping[str, Any]) -> float:
    """Return the rate Γ at which a thermostat damps the velocity of every atom, exp(-Γ t), 1/fs.

    Langevin's friction is Γ. Collisions of probability p at each step (Andersen, J. Chem. Phys. 1980, 72, 2384) leave
    (1 - p) of the mean velocity: Γ = -ln(1 - p) / Δt. Thermostats that act on the kinetic energy of all atoms together
    damp no single mode: 0.

    :param dynamics: validated parameters of ``dynamics``.
    """
    if dynamics["ensemble"] == "nvt-langevin":
        return float(dynamics["friction"])
    if dynamics["ensemble"] == "nvt-andersen":
        return -math.log1p(-min(float(dynamics["collision_probability"]), CERTAIN)) / float(dynamics["time_step"])
    return 0.0


def is_overdamped(damping: float, frequency: float) -> bool:
    """Return whether a mode is overdamped and relaxes without oscillating: Γ > 2 |ω|.

    :param damping: Γ, 1/fs.
    :param frequency: of the mode, THz; an imaginary one negative.
    """
    return damping > 2 * ANGULAR * abs(frequency)


def relaxation_time(damping: float, frequency: float) -> float:
    """Return the time in which an overdamped mode forgets where it began, or leaves a maximum of the energy, fs.

    The slow root of x'' + Γ x' + ω² x = 0 (Uhlenbeck and Ornstein, Phys. Rev. 1930, 36, 823): about Γ / |ω|².

    :param damping: Γ, 1/fs.
    :param frequency: of the mode, THz; an imaginary one negative, whose ω² is.
    """
    square = math.copysign((ANGULAR * frequency) ** 2, frequency)
    return (damping / 2 + math.sqrt(damping**2 / 4 - square)) / abs(square) if square else math.inf
