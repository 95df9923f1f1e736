"""What a figure of each subject shows, from plain arrays or from nodes."""

from aiida_crucible.report.charts.files import save_figure
from aiida_crucible.report.figures.bands import (
    BandStructure,
    DensityOfStates,
    band_chart,
    band_structure,
    plot_band_structures,
)
from aiida_crucible.report.figures.temperature_curves import (
    KnownValues,
    TemperatureCurves,
    TransitionInterval,
    joined,
    temperature_curves,
)
from aiida_crucible.report.figures.temperatures import plot_temperature_curves, temperature_chart

__all__ = [
    "BandStructure",
    "DensityOfStates",
    "KnownValues",
    "TemperatureCurves",
    "TransitionInterval",
    "band_chart",
    "band_structure",
    "joined",
    "plot_band_structures",
    "plot_temperature_curves",
    "save_figure",
    "temperature_chart",
    "temperature_curves",
]
