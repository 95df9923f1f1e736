"""Figures of anharmonicity show what they are given, and refuse to show nothing."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.orm import ArrayData, Dict

from aiida_crucible.report.anharmonicity_figures import AnharmonicityScores, anharmonicity_scores, plot_anharmonicity
from aiida_crucible.report.temperature_figures import save_figure


def scores(name="model", n_temperatures=3):
    rng = np.random.default_rng(0)
    return AnharmonicityScores(
        name,
        0.4 + 0.05 * rng.normal(size=40),
        np.repeat([0, 1], 20),
        {"Cs": (0.5, 0.01), "Cl": (0.3, float("nan"))},
        100.0 * np.arange(n_temperatures),
        np.linspace(0.2, 1.2, n_temperatures),
        np.full(n_temperatures, 0.02),
    )


def test_all_three_panels_hold_the_numbers():
    figure = plot_anharmonicity([scores(), scores("reference", 2)], "Cs2NaInCl6")
    frames, species, curve = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["frame, run after run", "element", "temperature (K)"]
    drawn = [line.get_ydata() for line in frames.lines if len(line.get_ydata()) == 20]
    assert len(drawn) == 4
    np.testing.assert_array_equal(drawn[1], scores().frames[20:])
    assert [bar.get_height() for bar in species.patches] == [0.5, 0.3, 0.5, 0.3]
    np.testing.assert_array_equal(curve.containers[0].lines[0].get_ydata(), scores().curve)
    assert frames.get_ylim()[1] > 1.2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["model", "reference"]


def test_one_temperature_makes_no_curve(tmp_path):
    figure = plot_anharmonicity([scores(n_temperatures=1)])
    assert len(figure.axes) == 2
    assert [file.suffix for file in save_figure(figure, tmp_path / "scores") if file.stat().st_size > 1000] == [
        ".png",
        ".pdf",
    ]


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="no anharmonicity scores"):
        plot_anharmonicity([AnharmonicityScores("nobody")])


def test_nodes_become_scores(aiida_profile):
    entry = {"value": 0.3, "standard_error": None}
    score = Dict({"constants": "own", "by": {"species": {"Cu": entry}}})
    details = ArrayData({"scores": np.array([0.3]), "runs": np.array([0])})
    curves = ArrayData({"temperatures": np.array([300.0]), "own_constants": np.array([0.3]),
                        "own_constants_error": np.array([0.1])})  # fmt: skip
    found = anharmonicity_scores("copper", score, details, curves)
    assert found.species["Cu"][0] == 0.3
    assert np.isnan(found.species["Cu"][1])
    assert found.errors.tolist() == [0.1]
    plot_anharmonicity([found])
    assert len(anharmonicity_scores("copper", score, details).curve) == 0
