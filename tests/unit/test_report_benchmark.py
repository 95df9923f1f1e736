"""Figures of a benchmark: what is in them, and that little or nothing to draw is no crash."""

from __future__ import annotations

import pytest
from synthetic_rows import GIVEN, OWN_CONSTANTS, compared, own_run, row, scored

from aiida_crucible.report.charts.chart import Series
from aiida_crucible.report.charts.files import save
from aiida_crucible.report.charts.static import draw
from aiida_crucible.report.figures.benchmark import benchmark_charts, errors_chart
from aiida_crucible.report.figures.stability_classes import sigma_chart

NAMES = {"errors", "errors_by_group", "errors_against_sigma", "confusion", "sigma"}


def six(model="chgnet", **changes):
    return [
        row(f"M{k}", group=group, model=model, harmonic=compared(1.0 + k, 2.0 - 0.1 * k),
            scores=scored(0.2 * k + 0.1, {GIVEN: 0.2 * k + 0.15, own_run("own"): 0.3 * k + 0.05}), **changes)
        for k, group in enumerate(("F", "F", "Cl", "Br", "Br", "I"))
    ]  # fmt: skip


def text_of(chart):
    return "\n".join(panel.title for panel in chart.panels)


@pytest.mark.slow
def test_six_materials_have_all_figures(tmp_path):
    charts = benchmark_charts(six())
    assert set(charts) == NAMES
    for chart in charts.values():
        assert len(save(chart, tmp_path)) == 4
    # The reference cannot tell the class of the third, 0.5 with an error bar of 0.02; all others agree.
    said = text_of(charts["confusion"])
    assert "chgnet\nreference frames, reference constants\nagree 100 % · over 0 % · under 0 %" in said
    assert len(charts["errors"].panels) == 1
    assert len(charts["sigma"].panels) == 2
    drawn = [mark.name for mark in charts["sigma"].panels[0].marks if isinstance(mark, Series) and mark.name]
    assert drawn == ["F", "Cl", "Br", "I"]


def test_shares_stand_in_the_title():
    rows = [row(f"M{k}", scores=scored(0.8, {GIVEN: sigma})) for k, sigma in enumerate((0.2, 0.2, 0.8, 1.3))]
    assert "agree 25 % · over 50 % · under 25 %" in text_of(benchmark_charts(rows)["confusion"])


def test_correlation_stands_in_the_caption():
    caption = benchmark_charts(six())["errors_against_sigma"].caption
    assert "RMSE of ω² (THz²), chgnet: ρ = 1.00, r = 1.00 (n = 6)" in caption
    assert "RMSE of group velocity (Å THz), chgnet: ρ = -1.00, r = -1.00 (n = 6)" in caption


@pytest.mark.slow
def test_each_model_has_a_panel_and_each_protocol_a_figure():
    assert len(errors_chart({"a": read(six()), "b": read(six("b"))}).panels) == 2
    charts = benchmark_charts([*six(), *six(protocol="fast")])
    assert set(charts) == {f"{name}_{end}" for name in NAMES for end in ("fast", "double-perovskites")}


def read(rows):
    from aiida_crucible.analysis.benchmark.records import read_rows

    return read_rows(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([], set()),
        ([row("A", state="failed", missing={"harmonic": "no phonons"})], set()),
        ([row("A", harmonic=compared(0.0, 0.0))], {"errors", "errors_by_group"}),
        ([row("A", scores=scored(0.2, {OWN_CONSTANTS: None}))], {"confusion"}),
        ([row("A", scores=scored(None, {GIVEN: 0.2}))], {"confusion"}),
        ([row("A", harmonic=compared(1.0, 1.0), scores=scored(0.2, {}))], NAMES - {"confusion", "sigma"}),
        ([row("A", scores=scored(0.2, {GIVEN: 12.0}))], {"confusion", "sigma"}),
    ],
)
def test_only_what_there_is_is_drawn(rows, names, tmp_path):
    charts = benchmark_charts(rows)
    assert set(charts) == names
    for name, chart in charts.items():
        draw(chart).savefig(tmp_path / name, dpi=20, format="png")


def test_an_outlier_makes_axes_logarithmic():
    rows = [*six(), row("hot", scores=scored(0.2, {GIVEN: 12.0}))]
    assert {panel.x.is_logarithmic for panel in sigma_chart({"chgnet": read(rows)}).panels} == {True}
    assert {panel.x.is_logarithmic for panel in sigma_chart({"chgnet": read(six())}).panels} == {False}
