"""Figures of temperature sweeps: what is drawn, where it is marked, and what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aiida_crucible.report.charts.chart import COLOURS, Level, Series, Span
from aiida_crucible.report.charts.files import save_figure
from aiida_crucible.report.figures.temperature_curves import (
    KnownValues,
    TemperatureCurves,
    TransitionInterval,
    temperature_curves,
)
from aiida_crucible.report.figures.temperatures import OUTCOME_MARKERS, plot_temperature_curves, temperature_chart
from crucible_engine.wire.schema import OUTCOMES_OF_DYNAMICS

TEMPERATURES = np.array([300.0, 500.0, 700.0, 900.0])


def make_curves(name="model", transitions=(), lost=True, **others):
    values = {"a": np.array([3.9, 3.91, 3.93, np.nan]), "c": np.array([4.15, 4.1, 3.93, np.nan])}
    outcomes = ["stable", "diffusive", "stable", "melted" if lost else "stable"]
    errors = {key: np.full(4, 0.01) for key in values}
    return TemperatureCurves(name, TEMPERATURES, {**values, **others}, errors, outcomes, transitions)


def titles(chart):
    return [panel.y.title for panel in chart.panels[1:]]


def series(chart, panel):
    return [mark for mark in chart.panels[panel].marks if isinstance(mark, Series)]


def test_panels_are_those_that_have_numbers():
    assert titles(temperature_chart([make_curves()])) == ["lattice parameter (Å)"]
    full = make_curves("full", c_over_a=np.ones(4), polarization=np.full(4, 70.0), order_parameter=np.ones(4))
    quantities = ["c/a", "order parameter (Å)", "polarization (µC/cm²)"]
    assert titles(temperature_chart([full])) == ["lattice parameter (Å)", *quantities]
    assert titles(temperature_chart([make_curves(), full])) == ["a (Å)", "c (Å)", *quantities]


def test_each_axis_of_one_model_has_a_colour_and_each_model_beside_others():
    one = series(temperature_chart([make_curves()]), 1)
    assert [each.name for each in one] == ["a", "c"]
    assert one[0].colour != one[1].colour
    several = temperature_chart([make_curves("one"), make_curves("two")])
    assert [each.name for each in series(several, 1)] == ["one", "two"]
    assert [each.colour for each in series(several, 1)] == list(COLOURS[:2])


def test_every_outcome_has_a_mark_and_each_model_a_row():
    assert set(OUTCOMES_OF_DYNAMICS) <= set(OUTCOME_MARKERS)
    chart = temperature_chart([make_curves("one"), make_curves("two")])
    assert [name for _, name in chart.panels[0].y.ticks] == ["one", "two"]
    marked = {(t, row, mark.marker) for mark in series(chart, 0) for t, row in zip(mark.x, mark.y, strict=True)}
    assert (900.0, 0.0, OUTCOME_MARKERS["melted"]) in marked
    assert (300.0, 1.0, OUTCOME_MARKERS["stable"]) in marked
    assert len(marked) == 8
    assert "melted: no longer a crystal" in chart.caption


def test_curves_have_error_bars_and_leave_out_what_is_not_known():
    one = series(temperature_chart([make_curves()]), 1)
    assert [each.x.tolist() for each in one] == [[300.0, 500.0, 700.0]] * 2
    assert all(each.y_error.tolist() == [0.01] * 3 for each in one)


def test_marks_of_short_runs_and_lost_crystals_are_hollow():
    values = {"a": np.array([3.9, 3.91, 3.93, 4.4])}
    short = {"a": np.array([True, False, False, False])}
    curves = TemperatureCurves("model", TEMPERATURES, values, {}, ["stable", "stable", "stable", "melted"], (), short)
    chart = temperature_chart([curves])
    assert series(chart, 1)[0].hollow.tolist() == [True, False, False, True]
    assert "too few independent values" in series(chart, 1)[0].labels[0]
    assert "too few independent values" in chart.caption


def test_transitions_are_shaded_in_the_models_colour_and_lost_crystals_hatched():
    transitions = (
        TransitionInterval("continuous", 600.0, 560.0, 640.0),
        TransitionInterval("melting", 800.0, 700.0, None),
    )
    chart = temperature_chart([make_curves("one"), make_curves("two", transitions)])
    between, lost = [mark for mark in chart.panels[1].marks if isinstance(mark, Span)]
    assert (between.low, between.high, between.is_hatched, between.colour) == (560.0, 640.0, False, COLOURS[1])
    assert lost.is_hatched
    assert (lost.low, lost.high) == (700.0, chart.panels[1].x.limits[1])
    (dashed,) = [mark for mark in chart.panels[1].marks if isinstance(mark, Level)]
    assert (dashed.value, dashed.colour) == (600.0, COLOURS[1])


def test_a_transition_beside_a_short_run_is_told_and_not_shaded():
    transition = TransitionInterval("first-order", 600.0, 500.0, 700.0)
    values = {"a": np.array([3.9, 3.91, 3.99, 4.0])}
    short = {"a": np.array([False, True, False, False])}
    curves = TemperatureCurves("model", TEMPERATURES, values, {}, ["stable"] * 4, [transition], short)
    chart = temperature_chart([curves])
    assert not any(isinstance(mark, Span) for panel in chart.panels for mark in panel.marks)
    assert "Not shaded, since the runs beside it were too short" in chart.caption
    # A fit's interval ends between the temperatures that were run: the runs around it count.
    fitted = dataclasses.replace(curves, transitions=[TransitionInterval("continuous", 600.0, 560.0, 640.0)])
    assert fitted.believed_transitions() == []
    elsewhere = dataclasses.replace(curves, transitions=[TransitionInterval("continuous", 800.0, 760.0, 840.0)])
    assert elsewhere.believed_transitions() == elsewhere.transitions
    long_enough = dataclasses.replace(curves, short={"a": np.zeros(4, dtype=bool)})
    assert any(isinstance(mark, Span) for panel in temperature_chart([long_enough]).panels for mark in panel.marks)


def test_what_is_known_is_a_line_and_within_the_panel():
    known = [KnownValues("experiment", {"a": 4.5, "c": 3.0}, 1500.0)]
    chart = temperature_chart([make_curves()], known=known)
    levels = [mark for mark in chart.panels[1].marks if isinstance(mark, Level)]
    assert {(level.along, level.value) for level in levels} == {("y", 4.5), ("y", 3.0), ("x", 1500.0)}
    low, high = chart.panels[1].y.limits
    assert low < 3.0
    assert high > 4.5
    assert chart.panels[1].x.limits[1] > 1500.0


def test_a_figure_is_saved_in_three_formats_and_with_the_same_bytes_again(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        files = save_figure(plot_temperature_curves([make_curves()], title="PbTiO₃"), tmp_path / folder / "pto.test")
        assert [file.name for file in files] == ["pto.test.png", "pto.test.svg", "pto.test.pdf"]
    assert all(file.read_bytes() == (tmp_path / "one" / file.name).read_bytes() for file in files)


class Node:
    """What :func:`temperature_curves` needs of nodes."""

    def __init__(self, content):
        self.content = content

    def get_arraynames(self):
        return list(self.content)

    def get_array(self, name):
        return self.content[name]

    def get_dict(self):
        return self.content


def test_curves_come_from_the_outputs_of_a_sweep():
    arrays = {
        "temperatures": np.array([300.0, 400.0]),
        "a": np.array([3.9, np.nan]),
        "a_error": np.array([0.1, np.nan]),
    }
    analysis = {
        "T400": {"temperature": 400.0, "state": "failed", "reason": "no"},
        "T300": {
            "temperature": 300.0,
            "state": "done",
            "outcome": "stable",
            "step": 500,
            "time_step": 2.0,
            "averages": {"a": {"warning": "too short"}},
        },
    }
    transitions = {"transitions": [{"kind": "melting", "temperature": 350.0, "interval": [300.0, None]}]}
    found = temperature_curves("model", Node(arrays), Node(analysis), Node(transitions))
    assert found.outcomes == ["stable", "failed"]
    assert set(found.values) == set(found.errors) == {"a"}
    assert found.transitions == [TransitionInterval("melting", 350.0, 300.0, None)]
    assert found.short["a"].tolist() == [True, False]
    assert found.length == (1.0, 1.0)


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no temperature sweep"):
        temperature_chart([])
