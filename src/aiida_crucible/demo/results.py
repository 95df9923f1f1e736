"""The files that the demonstration leaves for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiida_crucible.report.figures import BandStructure, plot_band_structures
from aiida_crucible.report.tables import ComparisonTable
from aiida_crucible.report.temperature_figures import TemperatureCurves, plot_temperature_curves, save_figure


def save(
    folder: Path, table: ComparisonTable, bands: Sequence[BandStructure], curves: Sequence[TemperatureCurves]
) -> None:
    """Write the table as text, Markdown and CSV, and band structures and temperature curves as PNG and PDF.

    :param folder: where; made if it does not exist.
    :param table: the comparison.
    :param bands: none, if no model could be relaxed.
    :param curves: none, if no model could be heated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("txt", table.to_text() + "\n"), ("md", table.to_markdown() + "\n"), ("csv", table.to_csv())):
        (folder / f"table.{suffix}").write_text(text, encoding="utf-8")
    if bands:
        figure = plot_band_structures(bands, "Phonons of tetragonal PbTiO$_3$ (P4mm)")
        for suffix in ("png", "pdf"):
            figure.savefig(folder / f"bands.{suffix}")
    if curves:
        save_figure(plot_temperature_curves(curves), folder / "temperatures")
