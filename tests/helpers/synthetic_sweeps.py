"""Temperature sweeps with a planted transition, or melting, or none: what a run at each temperature would have given.

They are told as a sweep's own records, under the names that production has: the order parameter is 1 in the given
structure, and c/a is the given structure's with a distortion.

Whether the order of a planted transition can be told at all is decided here, and not by the detector: the law of the
other order is fitted to the planted curves without noise, by brute force, and must miss them by a χ² of at least
DECIDABLE (an "Asimov" data set: Cowan et al., Eur. Phys. J. C 71, 1554 (2011), §3.2). Errors count as no less than
FLOOR of an observable's change there: a law of nature that is simpler than nature is not tested more sharply than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from aiida_crucible.analysis.dynamics.temperature_record import DONE, TemperatureRecord

DECIDABLE = 100.0
"""χ² by which the law of the other order misses the planted curve: ten standard deviations."""

FLOOR = 0.005
"""Least standard error that counts for that, as a share of the observable's change."""

LEAST_SIDE = 3
"""Temperatures on each side of a planted transition."""

GIVEN = {"c_over_a": 1.06, "b_over_a": 1.0, "alpha": 90.0, "beta": 90.0, "gamma": 90.0}
"""Lattice of the given structure."""

INDEPENDENT = 21.0
"""Values that the averages are worth: their errors are known to some 15 %."""

GROUPS = {99: "P4mm (99)", 221: "Pm-3m (221)", None: None}


@dataclass
class Sweep:
    """Runs, and what was planted: kind and temperature (None for none)."""

    records: list[TemperatureRecord]
    kind: str | None = None
    temperature: float | None = None
    groups: tuple[int | None, int | None] = (None, None)
    notes: dict = field(default_factory=dict)


@dataclass
class Curves:
    """Noise-free observables over temperature with their standard errors, and which of them are reported."""

    temperatures: np.ndarray
    values: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]


def random_temperatures(rng: np.random.Generator) -> np.ndarray:
    """6 to 20 temperatures, evenly spaced or not."""
    count = int(rng.integers(6, 21))
    start, span = rng.uniform(20, 400), rng.uniform(250, 1500)
    steps = np.ones(count - 1) if rng.random() < 0.4 else rng.uniform(0.5, 1.5, count - 1)
    return np.round(start + span * np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]), 1)


def critical_temperature(rng: np.random.Generator, temperatures: np.ndarray) -> float:
    """A temperature with at least LEAST_SIDE temperatures on each side, not on the grid."""
    gap = int(rng.integers(LEAST_SIDE - 1, len(temperatures) - LEAST_SIDE))
    return float(rng.uniform(*temperatures[[gap, gap + 1]]))


def power_law(rng, temperatures, critical, reversed_order):
    """η of a second-order transition, 1 deep in the ordered phase, with corrections to scaling; its exponent β."""
    beta, curvature = rng.uniform(0.1, 0.5), rng.uniform(1.0, 2.0)
    low, high = temperatures[0], temperatures[-1]
    if reversed_order:
        reach = (temperatures - critical) / (high - critical)
        return np.maximum(reach, 0) ** beta * (1 + rng.uniform(-0.1, 0.1) * np.maximum(reach, 0)), beta
    law = np.maximum(1 - (temperatures / critical) ** curvature, 0) ** beta
    return law / (1 - (low / critical) ** curvature) ** beta, beta


def jumping(rng, temperatures, critical, reversed_order):
    """η of a first-order transition: Landau's 2-4-6 polynomial below, or a line that ends at half height or more."""
    low, high = temperatures[0], temperatures[-1]
    distance = (
        (temperatures - critical) / (high - critical)
        if reversed_order
        else (critical - temperatures) / (critical - low)
    )
    inside = np.maximum(distance, 0.0)
    if rng.random() < 0.5:
        # η² = (2/3) η_c'² (1 + sqrt(1 - (3/4)(T - T0)/(Tc - T0))), see Devonshire; at T_c: η² of 1 in these units.
        stability = rng.uniform(0.2, 1.5)
        square = (2 / 3) * (1 + np.sqrt(1 - 0.75 * (1 - inside / stability)))
        shape = np.sqrt(square)
    else:
        shape = 1 + rng.uniform(0.0, 1.0) * inside
    return np.where(distance > 0, shape / shape.max(), 0.0)


def dress(rng, temperatures, eta, critical, *, volume_jump=0.0) -> Curves:
    """Give η a scale, a finite-size tail and companions: distortion and volume on a thermal expansion background."""
    width = rng.uniform(0.02, 0.1) * np.ptp(temperatures)
    tail = rng.uniform(0.0, 0.12)
    variance = tail**2 * (temperatures / temperatures[-1])
    if critical is not None:
        variance = variance / (1 + np.abs(temperatures - critical) / width)
    strain, volume = rng.uniform(0.005, 0.1), rng.uniform(20, 120)
    expansion = rng.uniform(1e-5, 6e-5)
    reduced = temperatures - temperatures[0]
    values = {
        "order_parameter": np.sqrt(eta**2 + variance),
        "c_over_a": 1 + strain * eta**2,
        "volume": volume
        * (1 + expansion * reduced + 0.2 * expansion * reduced**2 / np.ptp(temperatures))
        * (1 + rng.choice([-1, 1]) * rng.uniform(0.002, 0.02) * eta**2 + volume_jump * (eta == 0)),
    }
    noise = 10 ** rng.uniform(-2.7, -1.3)
    sizes = {
        "order_parameter": noise,
        "c_over_a": strain * noise * rng.uniform(0.5, 2),
        "volume": volume * rng.uniform(2e-4, 2e-3),
    }
    growth = (
        np.ones_like(temperatures)
        if critical is None
        else 1 + rng.uniform(0, 1) / (1 + np.abs(temperatures - critical) / width)
    )
    errors = {name: size * growth * np.sqrt(temperatures / temperatures.mean()) for name, size in sizes.items()}
    for name in ("c_over_a", "volume"):
        if rng.random() < 0.35:
            del values[name], errors[name]
    return Curves(temperatures, values, errors)


def measured(rng, curves: Curves, outcomes, groups=None) -> list[TemperatureRecord]:
    """Runs with noise; the stated standard errors are themselves known to some 15 % only, as from 20 blocks."""
    count = len(curves.temperatures)
    noisy = {name: values + curves.errors[name] * rng.standard_normal(count) for name, values in curves.values.items()}
    if "order_parameter" in noisy:
        noisy["order_parameter"] = np.abs(noisy["order_parameter"])
    stated = {name: errors * np.sqrt(rng.chisquare(20, count) / 20) for name, errors in curves.errors.items()}
    return [
        record(
            float(curves.temperatures[i]),
            {name: (float(noisy[name][i]), float(stated[name][i])) for name in noisy},
            outcomes[i],
            *(groups[i] if groups else (None, False)),
        )
        for i in range(count)
    ]


def record(temperature, averages, outcome="stable", group=None, robust=False, **values) -> TemperatureRecord:
    """What a run at a temperature gave: means and standard errors by name, and the number of its space group."""
    means = {
        name: {
            "mean": mean,
            "standard_error": error,
            "standard_deviation": error * INDEPENDENT**0.5,
            "n_effective": INDEPENDENT,
            "warning": "",
        }
        for name, (mean, error) in averages.items()
    }
    found = {"space_group": GROUPS.get(group, f"X ({group})"), "robust": robust}
    known = {"averages": means, "mean_structure": found, "given_lattice": GIVEN, "steps": 50_000, "time_step": 1.0}
    return TemperatureRecord(f"T{temperature:g}", temperature, DONE, "", outcome, {**known, **values})


def phase_groups(rng, temperatures, critical, below, above, share=0.5):
    """Space groups that half of all sweeps know; near the transition they are not robust."""
    if rng.random() > share:
        return None
    near = (
        np.abs(temperatures - critical) < 0.05 * np.ptp(temperatures)
        if critical is not None
        else np.zeros(len(temperatures), bool)
    )
    beyond = temperatures > critical if critical is not None else np.zeros(len(temperatures), bool)
    return [(above if high else below, not close) for high, close in zip(beyond, near, strict=True)]


def floored(curves: Curves) -> dict[str, np.ndarray]:
    """Standard errors that count for whether the order can be told."""
    return {name: np.hypot(errors, FLOOR * np.ptp(curves.values[name])) for name, errors in curves.errors.items()}


def misfit_of_jump(curves: Curves) -> float:
    """Least χ² of two cubics, or parabolas on sides of less than six, to the noise-free curves, over all places."""
    t = (curves.temperatures - curves.temperatures.mean()) / np.ptp(curves.temperatures)
    best, errors = np.inf, floored(curves)
    for split in range(1, len(t)):
        total = 0.0
        for name, values in curves.values.items():
            for side in (slice(None, split), slice(split, None)):
                degree = 3 if len(t[side]) > 5 else min(2, len(t[side]) - 1)
                total += _least_squares(np.vander(t[side], degree + 1), values[side], errors[name][side])
        best = min(best, total)
    return best


def misfit_of_power_law(curves: Curves) -> float:
    """Least χ² of a common critical power law, with correction and background, over all T_c, β and both directions."""
    t = curves.temperatures
    critical, exponent, sign = np.meshgrid(np.linspace(t[0], t[-1], 5 * len(t)), np.linspace(0.2, 1, 5), [1, -1])
    reach = np.maximum(sign.reshape(-1, 1) * (critical.reshape(-1, 1) - t), 0) / np.ptp(t)
    law = np.where(reach > 0, reach ** exponent.reshape(-1, 1), 0.0)
    total = np.zeros(len(law))
    for name, values in curves.values.items():
        square = name == "order_parameter"
        error = floored(curves)[name]
        columns = [np.ones_like(law), law, law * reach] + ([np.broadcast_to(t / t[-1], law.shape)] * (name == "volume"))
        total += _least_squares(
            np.stack(columns, axis=-1),
            values**2 if square else values,
            2 * values * error + error**2 if square else error,
        )
    return float(total.min())


def _least_squares(design, values, errors):
    a, b = design / errors[:, None], (values - values.mean()) / errors
    left, singular, _ = np.linalg.svd(a, full_matrices=False)
    explained = np.where(singular > 1e-9 * singular[..., :1], np.swapaxes(left, -1, -2) @ b, 0.0)
    return np.maximum(b @ b - np.sum(explained**2, axis=-1), 0.0)


def decidable(curves: Curves, misfit, least: float) -> bool:
    """Whether the order can be told, with runs up to 64 times as long where those at first are too short."""
    at_first = curves.errors
    for shorter in (8, 1, 2, 4):
        curves.errors = {name: errors / shorter for name, errors in at_first.items()}
        enough = misfit(curves) >= least
        # If the longest runs do not tell, none do.
        if enough != (shorter == 8):
            return enough
    curves.errors = {name: errors / 8 for name, errors in at_first.items()}
    return True


def continuous_sweep(seed: int, least: float = DECIDABLE) -> Sweep:
    """A sweep through a continuous transition whose order can be told."""
    rng = np.random.default_rng([1, seed])
    while True:
        temperatures = random_temperatures(rng)
        critical = critical_temperature(rng, temperatures)
        reversed_order = bool(rng.random() < 0.2)
        eta, beta = power_law(rng, temperatures, critical, reversed_order)
        curves = dress(rng, temperatures, eta, critical)
        if decidable(curves, misfit_of_jump, least):
            break
    pair = (221, 99) if reversed_order else (99, 221)
    groups = phase_groups(rng, temperatures, critical, *pair)
    records = measured(rng, curves, ["stable"] * len(temperatures), groups)
    return Sweep(
        records,
        "continuous",
        critical,
        pair if groups else (None, None),
        {"beta": beta, "reversed": reversed_order},
    )


def first_order_sweep(seed: int, least: float = DECIDABLE) -> Sweep:
    """A sweep through a first-order transition whose order can be told."""
    rng = np.random.default_rng([2, seed])
    while True:
        temperatures = random_temperatures(rng)
        critical = critical_temperature(rng, temperatures)
        reversed_order = bool(rng.random() < 0.2)
        eta = jumping(rng, temperatures, critical, reversed_order)
        curves = dress(rng, temperatures, eta, None, volume_jump=rng.uniform(-0.02, 0.02))
        if decidable(curves, misfit_of_power_law, least):
            break
    pair = (221, 99) if reversed_order else (99, 221)
    groups = phase_groups(rng, temperatures, critical, *pair)
    records = measured(rng, curves, ["stable"] * len(temperatures), groups)
    return Sweep(records, "first-order", critical, pair if groups else (None, None), {"reversed": reversed_order})


def quiet_curves(rng, temperatures) -> Curves:
    """Curves without a transition: an ordered phase that weakens, one whose T_c is beyond, or a disordered one."""
    t = (temperatures - temperatures[0]) / np.ptp(temperatures)
    case = rng.integers(3)
    if case == 0:
        eta = 1 - rng.uniform(0, 0.5) * t ** rng.uniform(1, 2)
    elif case == 1:
        eta = (1 - t / rng.uniform(1.1, 3)) ** rng.uniform(0.2, 0.5)
    else:
        eta = np.zeros_like(t)
    return dress(rng, temperatures, eta, None)


def quiet_sweep(seed: int) -> Sweep:
    """A sweep without a transition."""
    rng = np.random.default_rng([3, seed])
    temperatures = random_temperatures(rng)
    curves = quiet_curves(rng, temperatures)
    # A disordered crystal's vanishing displacement tells nothing if its errors are as large: then its group must.
    share = 1.0 if curves.values["order_parameter"].max() < 5 * curves.errors["order_parameter"].max() else 0.5
    groups = phase_groups(rng, temperatures, None, 99, 221, share)
    return Sweep(measured(rng, curves, ["stable"] * len(temperatures), groups))


def melting_sweep(seed: int) -> Sweep:
    """A sweep that melts; runs next to the melting point may be called diffusive on either side."""
    rng = np.random.default_rng([4, seed])
    temperatures = random_temperatures(rng)
    melting = critical_temperature(rng, temperatures)
    curves = quiet_curves(rng, temperatures)
    molten = temperatures > melting
    for name, rest in (("order_parameter", 0.0), ("c_over_a", 1.0)):
        if name in curves.values:
            left = rest + 0.3 * rng.random() * curves.errors[name]
            curves.values[name] = np.where(molten, left, curves.values[name])
    if "volume" in curves.values:
        curves.values["volume"] = curves.values["volume"] * np.where(
            molten, 1 + rng.choice([-0.4, 1]) * rng.uniform(0.03, 0.12), 1
        )
    outcomes = np.where(molten, "melted", "stable").astype(object)
    first = int(np.argmax(molten))
    for index in (first, first - 1):
        if rng.random() < 0.25:
            outcomes[index] = "diffusive"
    groups = phase_groups(rng, temperatures, None, 99, 221)
    if groups:
        groups = [(None, False) if hot else group for group, hot in zip(groups, molten, strict=True)]
    return Sweep(measured(rng, curves, list(outcomes), groups), "melting", melting)
