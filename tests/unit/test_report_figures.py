"""Band-structure figures: what is drawn, and where."""

import numpy as np
import pytest

from aiida_crucible.report.charts.chart import Series, Span
from aiida_crucible.report.figures.bands import (
    WAVENUMBERS_PER_TERAHERTZ,
    BandStructure,
    DensityOfStates,
    band_chart,
    band_structure,
    plot_band_structures,
    pretty_label,
)

TICKS = [(0, "GAMMA"), (10, "X"), (11, "U"), (20, "GAMMA")]


def make_structure(name="model", scale=1.0, **others):
    """Return bands along Γ-X|U-Γ, with one branch that dips below zero in the middle of the first stretch."""
    distances = scale * np.concatenate([np.linspace(0, 1, 11), np.linspace(1, 1.5, 10)])
    frequencies = np.stack([np.sin(2 * np.pi * distances / scale), np.full(21, 5.0)], axis=1)
    return BandStructure(name, distances, frequencies, TICKS, **others)


class Bands:
    """What :func:`band_structure` needs of a ``BandsData``."""

    labels = TICKS

    def get_arraynames(self):
        return ["bands", "resolvable"]

    def get_array(self, name):
        assert name == "resolvable"
        return np.full((21, 3), (0.1, 0.2, 0.3))

    def get_kpoints(self, cartesian):
        assert cartesian
        first = np.stack([np.linspace(0, 1, 11), np.zeros(11), np.zeros(11)], axis=1)
        second = np.stack([np.zeros(10), np.linspace(3, 2.5, 10), np.zeros(10)], axis=1)
        return np.concatenate([first, second])

    def get_bands(self):
        return np.zeros((21, 3))


def test_a_jump_of_the_path_has_no_length():
    structure = band_structure("model", Bands())
    assert structure.distances[[0, 10, 11, 20]] == pytest.approx([0.0, 1.0, 1.0, 1.5])
    assert structure.breaks() == [11]
    assert structure.noise_floor == pytest.approx(np.full(21, 0.1))
    assert structure.corners() == [(0.0, "Γ"), (pytest.approx(1.0), "X|U"), (pytest.approx(1.5), "Γ")]


def test_a_special_point_that_stands_twice_is_one_corner():
    distances = np.array([0.0, 0.5, 1.0, 1.0, 1.5, 2.0])
    structure = BandStructure("model", distances, np.zeros((6, 3)), [(0, "GAMMA"), (2, "X"), (3, "X"), (5, "M")])
    assert [label for _, label in structure.corners()] == ["Γ", "X", "M"]


@pytest.mark.parametrize(("label", "pretty"), [("GAMMA", "Γ"), ("S_0", "S₀"), ("X", "X")])
def test_labels(label, pretty):
    assert pretty_label(label) == pretty


def lines(chart, panel=0):
    return [mark for mark in chart.panels[panel].marks if isinstance(mark, Series)]


def test_lines_are_not_drawn_across_a_jump_or_from_band_to_band():
    (bands,) = lines(band_chart([make_structure()]))
    stretches = "".join("x" if known else " " for known in np.isfinite(bands.y)).split()
    assert [len(stretch) for stretch in stretches] == [11, 10, 11, 10]


def test_a_model_of_another_cell_is_stretched_onto_the_first():
    one, two = lines(band_chart([make_structure("one"), make_structure("two", scale=1.3)]))
    assert np.nanmax(one.x) == pytest.approx(1.5)
    assert np.nanmax(two.x) == pytest.approx(1.5)
    assert one.colour != two.colour


def test_the_imaginary_region_and_the_noise_floor_are_inside_the_figure():
    chart = band_chart([make_structure(noise_floor=np.linspace(0.0, 2.0, 21))])
    bottom, top = chart.panels[0].y.limits
    assert bottom < -2.0
    assert top > 5.0
    floor = next(line for line in lines(chart) if line.line == "dot")
    assert np.nanmin(floor.y) == -2.0
    (shaded,) = [mark for mark in chart.panels[0].marks if isinstance(mark, Span)]
    assert (shaded.low, shaded.high) == (bottom, 0.0)
    assert "noise" in chart.caption
    assert "noise" not in band_chart([make_structure()]).caption


def test_densities_of_states_get_a_panel_and_wavenumbers_an_axis(tmp_path):
    dos = DensityOfStates(np.linspace(0, 5, 6), np.ones(6))
    figure = plot_band_structures([make_structure(dos=dos), make_structure("other")])
    figure.savefig(tmp_path / "bands.png")
    assert len(figure.axes) == 2
    wavenumbers = figure.axes[1].child_axes[0]
    assert np.array(wavenumbers.get_ylim()) == pytest.approx(
        np.array(figure.axes[0].get_ylim()) * WAVENUMBERS_PER_TERAHERTZ
    )


def test_bands_without_special_points_are_drawn_too():
    structure = BandStructure("model", np.linspace(0, 1, 5), np.ones((5, 3)), [])
    assert "distance along the path" in plot_band_structures([structure]).axes[0].get_xlabel()


def test_different_paths_are_refused():
    other = BandStructure("other", np.arange(2.0), np.zeros((2, 3)), [(0, "GAMMA"), (1, "M")])
    with pytest.raises(ValueError, match="other and model follow different paths"):
        band_chart([make_structure(), other])


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no band structure"):
        band_chart([])
