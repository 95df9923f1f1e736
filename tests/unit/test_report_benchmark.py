"""Figures of a benchmark: what is in them, and that little or nothing to draw is no crash."""

from __future__ import annotations

import pytest
from synthetic_rows import GIVEN, OWN_CONSTANTS, compared, own_run, row, scored

from aiida_crucible.report.benchmark_figures import benchmark_figures, draw_errors, draw_sigma

NAMES = {"errors", "errors_by_group", "errors_against_sigma", "confusion", "sigma"}


def six(model="chgnet", **changes):
    return [
        row(f"M{k}", group=group, model=model, harmonic=compared(1.0 + k, 2.0 - 0.1 * k),
            scores=scored(0.2 * k + 0.1, {GIVEN: 0.2 * k + 0.15, own_run("own"): 0.3 * k + 0.05}), **changes)
        for k, group in enumerate(("F", "F", "Cl", "Br", "Br", "I"))
    ]  # fmt: skip


def text_of(figure):
    return "\n".join(text.get_text() for axes in figure.axes for text in [axes.title, *axes.texts])


@pytest.mark.slow
def test_six_materials_have_all_figures(tmp_path):
    figures = benchmark_figures(six())
    assert set(figures) == NAMES
    for name, figure in figures.items():
        figure.savefig(tmp_path / name, dpi=20, format="png")
    said = text_of(figures["confusion"])
    # The reference cannot tell the class of the third, 0.5 with an error bar of 0.02; all others agree.
    assert "chgnet\nreference frames, reference constants\nagree 100 % · over 0 % · under 0 %" in said
    assert len(figures["errors"].axes) == 2
    assert len(figures["sigma"].axes) == 2
    assert [text.get_text() for text in figures["sigma"].legends[0].get_texts()] == ["F", "Cl", "Br", "I"]


def test_shares_stand_in_the_title():
    rows = [row(f"M{k}", scores=scored(0.8, {GIVEN: sigma})) for k, sigma in enumerate((0.2, 0.2, 0.8, 1.3))]
    assert "agree 25 % · over 50 % · under 25 %" in text_of(benchmark_figures(rows)["confusion"])


def test_correlation_stands_in_the_legend():
    axes = benchmark_figures(six())["errors_against_sigma"].axes
    legends = [one.get_legend().get_texts()[0].get_text() for one in axes]
    assert legends[1] == "chgnet: $\\rho$ = 1.00, r = 1.00 (n = 6)"
    assert legends[2] == "chgnet: $\\rho$ = -1.00, r = -1.00 (n = 6)"


def test_each_model_has_a_panel_and_each_protocol_a_figure():
    assert len(draw_errors({"a": read(six()), "b": read(six("b"))}).axes) == 3
    figures = benchmark_figures([*six(), *six(protocol="fast")])
    assert set(figures) == {f"{name}_{end}" for name in NAMES for end in ("fast", "double-perovskites")}


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
    figures = benchmark_figures(rows)
    assert set(figures) == names
    for name, figure in figures.items():
        figure.savefig(tmp_path / name, dpi=20, format="png")


def test_an_outlier_makes_axes_logarithmic():
    rows = [*six(), row("hot", scores=scored(0.2, {GIVEN: 12.0}))]
    assert {axes.get_xscale() for axes in draw_sigma({"chgnet": read(rows)}).axes} == {"log"}
    assert {axes.get_xscale() for axes in draw_sigma({"chgnet": read(six())}).axes} == {"linear"}
