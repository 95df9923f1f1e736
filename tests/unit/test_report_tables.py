"""The comparison table, as text, Markdown and CSV."""

import csv
import io

import pytest

from aiida_crucible.report.tables import PTO_QUANTITIES, Comparison, ComparisonTable

COMPUTED = {"a": 3.79951, "c": 5.0149, "c_over_a": 1.31988, "delta_e": 0.2362}
PUBLISHED = {"a": 3.80, "c": 5.01, "c_over_a": 1.32, "delta_e": 0.24}
EXPERIMENT = {"a": 3.90, "c": 4.15, "c_over_a": 1.06}


@pytest.fixture
def table():
    comparisons = [Comparison("CHGNet", COMPUTED, PUBLISHED), Comparison("my own", COMPUTED)]
    return ComparisonTable(comparisons, {"experiment": EXPERIMENT})


def test_text(table):
    assert table.to_text().splitlines() == [
        "                          a (Å)    c (Å)     c/a    ΔE (eV/f.u.)",
        "----------  ----------  -------  -------  ------  --------------",
        "CHGNet      computed       3.80     5.01    1.32            0.24",
        "            published      3.80     5.01    1.32            0.24",
        "            difference   -0.000   +0.005  -0.000          -0.004",
        "my own      computed       3.80     5.01    1.32            0.24",
        "experiment  published      3.90     4.15    1.06               -",
    ]


def test_markdown_has_one_line_a_row_and_aligned_numbers(table):
    lines = table.to_markdown().splitlines()
    assert len(lines) == 2 + len(table.rows)
    assert all(line.count("|") == 3 + len(PTO_QUANTITIES) for line in lines)
    assert lines[1].endswith("-:|")


def test_csv_keeps_every_digit(table):
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [row["origin"] for row in rows] == ["computed", "published", "difference", "computed", "published"]
    assert float(rows[0]["c"]) == COMPUTED["c"]
    assert float(rows[2]["delta_e"]) == COMPUTED["delta_e"] - PUBLISHED["delta_e"]
    assert rows[-1]["delta_e"] == ""
