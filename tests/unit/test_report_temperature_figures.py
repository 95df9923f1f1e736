"""Figures of temperature sweeps: what is drawn, where it is marked, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_crucible.report.figures import COLOURS
from aiida_crucible.report.temperature_figures import (
    OUTCOME_MARKERS,
    TemperatureCurves,
    TransitionInterval,
    plot_temperature_curves,
    save_figure,
    temperature_curves,
)
from crucible_engine.wire.schema import OUTCOMES_OF_DYNAMICS

TEMPERATURES = np.array([300.0, 500.0, 700.0, 900.0])


def make_curves(name="model", transitions=(), lost=True, **others):
    values = {"a": np.array([3.9, 3.91, 3.93, np.nan]), "c": np.array([4.15, 4.1, 3.93, np.nan])}
    outcomes = ["stable", "diffusive", "stable", "melted" if lost else "stable"]
    errors = {key: np.full(4, 0.01) for key in values}
    return TemperatureCurves(name, TEMPERATURES, {**values, **others}, errors, outcomes, transitions)


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_panels_are_those_that_have_numbers():
    figure = plot_temperature_curves([make_curves()])
    assert [axes.get_ylabel() for axes in figure.axes] == ["", "lattice parameter (Å)"]
    full = make_curves(c_over_a=np.ones(4), polarization=np.full(4, 70.0))
    figure = plot_temperature_curves([make_curves(), full])
    assert [axes.get_ylabel() for axes in figure.axes][1:] == ["lattice parameter (Å)", "c/a", "polarization (µC/cm²)"]
    assert labels(plot_temperature_curves([make_curves()])) == ["a", "c", "diffusive", "melted"]


def test_every_outcome_has_a_mark_and_each_model_a_row():
    assert set(OUTCOMES_OF_DYNAMICS) <= set(OUTCOME_MARKERS)
    strip = plot_temperature_curves([make_curves("one"), make_curves("two")]).axes[0]
    assert [label.get_text() for label in strip.get_yticklabels()] == ["one", "two"]
    marks = [(line.get_xdata()[0], line.get_ydata()[0], line.get_marker()) for line in strip.lines]
    assert (900.0, 0, OUTCOME_MARKERS["melted"]) in marks
    assert (300.0, 1, OUTCOME_MARKERS["stable"]) in marks
    assert len(marks) == 8


def test_curves_have_error_bars_and_holes():
    axes = plot_temperature_curves([make_curves()]).axes[1]
    drawn = [line.get_xdata().tolist() for line in axes.lines if line.get_linestyle() == "-"]
    assert drawn == [[300.0, 500.0, 700.0]] * 2
    assert len(axes.containers) == 2


def test_transitions_are_shaded_in_the_models_colour_and_lost_crystals_hatched():
    transitions = (
        TransitionInterval("continuous", 600.0, 560.0, 640.0),
        TransitionInterval("melting", 800.0, 700.0, None),
    )
    axes = plot_temperature_curves([make_curves("one"), make_curves("two", transitions)]).axes[1]
    between, lost = axes.patches
    assert (between.get_x(), between.get_width()) == (560.0, 80.0)
    assert between.get_hatch() is None
    assert lost.get_hatch()
    assert lost.get_x() + lost.get_width() == pytest.approx(axes.get_xlim()[1])
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in dashed] == [600.0]
    assert dashed[0].get_color() == COLOURS[1]


def test_a_figure_is_saved_twice(tmp_path):
    files = save_figure(plot_temperature_curves([make_curves()], title="PbTiO3"), tmp_path / "pto.test")
    assert [file.name for file in files] == ["pto.test.png", "pto.test.pdf"]
    assert all(file.stat().st_size > 1000 for file in files)


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
        "T300": {"temperature": 300.0, "state": "done", "outcome": "stable"},
    }
    transitions = {"transitions": [{"kind": "melting", "temperature": 350.0, "interval": [300.0, None]}]}
    found = temperature_curves("model", Node(arrays), Node(analysis), Node(transitions))
    assert found.outcomes == ["stable", "failed"]
    assert set(found.values) == set(found.errors) == {"a"}
    assert found.transitions == [TransitionInterval("melting", 350.0, 300.0, None)]


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no temperature sweep"):
        plot_temperature_curves([])
