"""What is said of a training: errors before and after, of how many frames, and what got worse."""

from __future__ import annotations

from aiida_crucible.analysis.datasets.training_summary import summarise


def errors(energy, force):
    return {
        "energy": {"mean_absolute_error": energy, "root_mean_square_error": energy},
        "force": {"mean_absolute_error": force, "root_mean_square_error": force},
    }


def said(after):
    sides = {side: errors(*after) for side in ("training", "validation", "test")}
    results = {"outcome": "finished", "summary": {"errors": sides, "frames": {"test": 12, "validation": 1}}}
    return summarise(results, {side: errors(0.008, 0.1) for side in sides}, {})


def test_errors_say_of_how_many_frames_they_are():
    found = said((0.002, 0.05))
    wanted = "mean absolute errors of the test (12 frames): energy 8 → 2 meV/atom, force 100 → 50 meV/Å"
    assert wanted in found["reason"]
    assert found["ratios"]["test"] == {"energy": 0.25, "force": 0.5} and not found["warnings"]


def test_what_got_worse_is_a_warning():
    (warning,) = said((0.016, 0.05))["warnings"]
    assert "the validation is worse than before in energy" in warning
