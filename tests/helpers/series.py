"""Correlated time series with a known mean, and the seeds that tests of chance take."""

from __future__ import annotations

import numpy as np
from seeds import chosen_seed


def seeds(count: int) -> list[int]:
    """Return so many seeds, from the one that is given from outside on."""
    first = chosen_seed(20)
    return [first + number for number in range(count)]


def correlated(n: int, time: float, rng: np.random.Generator) -> np.ndarray:
    """Return a steady series of variance 1 whose correlation falls as exp(-t / time)."""
    left = np.exp(-1 / time) if time else 0.0
    values = np.empty(n)
    values[0] = rng.normal()
    for step, kick in enumerate(rng.normal(0, np.sqrt(1 - left**2), n - 1), start=1):
        values[step] = left * values[step - 1] + kick
    return values


def swinging(n: int, period: float, time: float, rng: np.random.Generator) -> np.ndarray:
    """Return the steady energy of a vibration that swings with a period and forgets its phase within a time."""
    phase = np.cumsum(rng.normal(0, np.sqrt(2 / time), n)) + 2 * np.pi * np.arange(n) / period
    return np.exp(0.3 * correlated(n, time, rng)) * np.cos(phase) ** 2
