"""How anharmonic a crystal is, against temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.benchmark.stability_classes import BORDERS
from aiida_crucible.report.charts.chart import (
    COLOURS,
    MARKERS,
    MUTED,
    Axis,
    Chart,
    Level,
    Mark,
    Panel,
    Series,
    by_number,
)


@dataclass(frozen=True)
class SigmaCurve:
    """Scores of one model with one choice of frames and force constants.

    :param name: of both.
    :param temperatures: K, [n].
    :param sigma: [n].
    :param errors: standard errors, not a number where there is none, [n].
    :param short: which are of too few independent values for the error to be believed, [n].
    """

    name: str
    temperatures: NDArray[np.float64]
    sigma: NDArray[np.float64]
    errors: NDArray[np.float64]
    short: NDArray[np.bool_]


def sigma_temperature_chart(curves: Sequence[SigmaCurve], title: str = "") -> Chart | None:
    """Return σ against temperature; ``None`` where there is none.

    σ is the ratio of what the harmonic forces miss to the forces (Knoop, Purcell, Scheffler and Carbogno, Phys. Rev.
    Materials 4, 083809, 2020, eq. 7).
    """
    drawn = [curve for curve in curves if np.isfinite(curve.sigma).any()]
    if not drawn:
        return None
    marks: list[Mark] = [Level("", "y", border, MUTED, "dash", 0.8) for border in BORDERS]
    for number, curve in enumerate(drawn):
        order = np.argsort(curve.temperatures)
        temperatures, sigma = curve.temperatures[order], curve.sigma[order]
        marks.append(
            Series(
                curve.name, temperatures, sigma, y_error=curve.errors[order], colour=by_number(COLOURS, number),
                marker=by_number(MARKERS, number), line="solid" if len(sigma) > 1 else None,
                hollow=curve.short[order],
                labels=[f"{curve.name}, {temperature:g} K" for temperature in temperatures],
            )
        )  # fmt: skip
    everything = np.concatenate([curve.sigma + np.nan_to_num(curve.errors) for curve in drawn])
    top = 1.1 * max(float(np.nanmax(everything)), BORDERS[0])
    caption = (
        "Anharmonicity: the share of the forces that force constants do not tell, over the runs. Dashed: the borders "
        f"of the classes at {' and '.join(f'{border:g}' for border in BORDERS)}; below the first, models "
        "are reproducible."
    )
    if any(curve.short.any() for curve in drawn):
        caption += " Outlined marks: too few independent values for the error to be believed."
    panel = Panel(Axis("temperature (K)"), Axis("σ", (0.0, top)), marks)
    return Chart("anharmonicity", title, caption, [panel], size=(5.8, 3.2))
