"""A chart is described once: plotly takes it, matplotlib draws it, and its table has every number."""

from __future__ import annotations

import csv
import io
import itertools
import json

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from aiida_crucible.report.charts.box_statistics import box_statistics
from aiida_crucible.report.charts.chart import (
    COLOURS,
    INK,
    Axis,
    Bars,
    Boxes,
    Cells,
    Chart,
    ColourScale,
    Level,
    Panel,
    Series,
    Span,
    pretty_formula,
)
from aiida_crucible.report.charts.data_table import to_csv
from aiida_crucible.report.charts.files import save
from aiida_crucible.report.charts.interactive import to_plotly
from aiida_crucible.report.charts.static import draw
from aiida_crucible.report.findings import told_apart

X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.1, np.nan, 1 / 3])
HOSTILE = "<b>$x_1$</b> & more"


def all_marks():
    """Return a chart with every kind of mark."""
    series = Series(
        HOSTILE, X, Y, y_error=np.array([0.01, np.nan, 0.02]), colour=COLOURS[1], line="dash",
        hollow=np.array([True, False, False]), labels=["one", "two", HOSTILE],
    )  # fmt: skip
    shaded = Series("", X, Y, shade=np.array([0.0, 0.5, np.nan]))
    boxes = Boxes("box", np.array([0.0, 1.0]), [np.array([1.0, 2.0, 9.0]), np.array([])], COLOURS[0], ["u", "v"], 0.4)
    cells = Cells(["r", "s"], ["t", "u"], np.array([[1.0, np.nan], [0.2, 0.8]]), [["1", "-"], ["2\n20 %", "8"]])
    bars = Bars("bar", np.array([0.0, 1.0]), np.array([3.9, 4.1]), [COLOURS[0], INK], ["p", "q"], ["3.9", "4.1"], 3.5)
    spans = [Span("span", "x", 1.2, 1.8), Span("lost", "x", 2.0, 3.0, is_hatched=True), Level("level", "y", 0.2)]
    return Chart(
        "all-marks",
        HOSTILE,
        "Every mark.",
        [
            Panel(Axis("x"), Axis("y"), [*spans, series], title=HOSTILE),
            Panel(Axis("x", (1.0, 10.0), is_logarithmic=True), Axis("y"), [shaded]),
            Panel(Axis("", (-0.5, 1.5), [(0.0, "u"), (1.0, "v")]), Axis("y"), [boxes]),
            Panel(Axis("by"), Axis("of"), [cells]),
            Panel(Axis("a (Å)"), Axis("", ticks=[(0.0, "p"), (1.0, "q")], is_reversed=True), [bars]),
        ],
        columns=2,
        colour_scale=ColourScale("σ", 0.0, 1.0),
    )


def test_plotly_takes_every_mark():
    from plotly.graph_objects import Figure

    made = to_plotly(all_marks())
    for layout in (made["layout"], made["narrow"]):
        colours = json.dumps({"data": made["data"], "layout": layout})
        for word in ("@ink", "@muted", "@paper"):
            colours = colours.replace(word, "#123456")
        # The package checks names and values of all properties, and raises where one is none.
        Figure(json.loads(colours))


def test_points_without_a_shade_are_outlines():
    shaded = Series("", X, X, shade=np.array([0.0, np.nan, 1.0]), labels=["one", "two", "three"])
    chart = Chart("shades", "", "", [Panel(Axis(), Axis(), [shaded])], colour_scale=ColourScale("σ", 0.0, 1.0))
    known, unknown = to_plotly(chart)["data"]
    assert (known["x"], known["marker"]["color"], known["text"]) == ([1.0, 3.0], [0.0, 1.0], ["one", "three"])
    assert (unknown["x"], unknown["marker"]["color"], unknown["text"]) == ([2.0], ["@paper"], ["two"])


def test_text_is_text_to_plotly():
    text = json.dumps(to_plotly(all_marks()), ensure_ascii=False)
    assert "<b>" not in text
    assert "&lt;b&gt;$x_1$&lt;/b&gt; &amp; more" in text


@pytest.mark.slow
def test_matplotlib_draws_every_mark_and_takes_text_for_text(tmp_path):
    figure = draw(all_marks())
    assert len(figure.axes) == 6, "five panels and a bar of colours"
    assert figure.axes[0].get_title() == HOSTILE.replace("$", r"\$")
    files = save(all_marks(), tmp_path)
    assert [file.suffix for file in files] == [".png", ".svg", ".pdf", ".csv"]
    assert "&lt;b&gt;$x_1$&lt;/b&gt;" in files[1].read_text(encoding="utf-8")


def test_the_table_has_every_number_unrounded():
    rows = list(csv.DictReader(io.StringIO(to_csv(all_marks()))))
    points = [row for row in rows if row["series"] == HOSTILE]
    assert [(row["x"], row["y"], row["y_error"], row["hollow"]) for row in points] == [
        ("1.0", "0.1", "0.01", "1"), ("2.0", "", "", "0"), ("3.0", repr(1 / 3), "0.02", "0"),
    ]  # fmt: skip
    assert [row["y"] for row in rows if row["series"] == "box"] == ["1.0", "2.0", "9.0"]
    assert [(row["series"], row["label"], row["value"], row["hollow"]) for row in rows if row["panel"] == "of"] == [
        ("r", "t", "1.0", "1"), ("r", "u", "", "-"), ("s", "t", "0.2", "2 20 %"), ("s", "u", "0.8", "8"),
    ]  # fmt: skip
    assert [row["x"] for row in rows if row["series"] == "bar"] == ["3.9", "4.1"]
    assert [(row["label"], row["x"]) for row in rows if row["series"] == "lost"] == [("from", "2.0"), ("to", "3.0")]


def test_a_name_has_one_entry_of_the_legend():
    twice = Chart(
        "two", "", "", [Panel(Axis(), Axis(), [Series("a", X, Y)]), Panel(Axis(), Axis(), [Series("a", X, Y)])]
    )
    assert [trace["showlegend"] for trace in to_plotly(twice)["data"]] == [True, False]


def test_panels_beside_each_other_are_below_each_other_on_a_small_page():
    made = to_plotly(all_marks())
    assert made["narrow"]["height"] > 1.5 * made["layout"]["height"]
    assert made["narrow"]["xaxis2"]["domain"] == [0.0, 1.0]
    # Domains of one column do not touch.
    domains = sorted(made["narrow"][f"yaxis{number}"]["domain"] for number in ("", 2, 3, 4, 5))
    assert all(low[1] < high[0] for low, high in itertools.pairwise(domains))


def test_a_box_ends_at_the_last_value_within_reach():
    found = box_statistics(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    assert found == (3.0, 2.0, 4.0, 1.0, 4.0)


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        Chart("empty", "", "", [])


def test_formulas_have_their_counts_below_the_line():
    assert pretty_formula("PbTiO3") == "PbTiO₃"
    assert pretty_formula("Cs2AgBiBr12") == "Cs₂AgBiBr₁₂"


@pytest.mark.parametrize("length", [5, 60])
def test_title_and_legend_are_no_wider_than_the_figure(length):
    series = [Series(f"{'name ' * length}"[: length - 1] + str(number), X, X + number) for number in range(6)]
    figure = draw(Chart("many", "A title of words " * 20, "Caption.", [Panel(Axis("x"), Axis("y"), series)]))
    (legend,) = figure.legends
    drawn, whole = legend.get_window_extent(FigureCanvasAgg(figure).get_renderer()), figure.bbox
    assert whole.x0 <= drawn.x0
    assert drawn.x1 <= whole.x1
    assert drawn.y1 <= whole.y1


def test_models_of_the_same_name_are_told_apart_by_what_differs():
    names, labels = ["emt", "emt", "chgnet"], ["Cu · emt · fast", "Al · emt · fast", "Cu · chgnet · fast"]
    assert told_apart(names, labels) == ["emt · Cu", "emt · Al", "chgnet"]
    assert told_apart(["emt", "emt"], ["Cu · emt", "Cu · emt"]) == ["emt", "emt"]
