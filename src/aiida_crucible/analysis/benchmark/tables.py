"""The rows of a benchmark, and what they say together, as plain tables and as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_crucible.analysis.benchmark.records import MATCHINGS, NAMES, UNITS, BenchmarkRow, read_rows
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.analysis.benchmark.summary import aggregate
from aiida_crucible.analysis.dynamics.sweep_settings import temperature_label

ALL = "all groups"
OF_A_SCORE = ("sigma", "standard_error", "class", "difference", "same_class")
THERMAL = {"free_energy": "eV", "entropy": "eV/K", "heat_capacity": "eV/K"}


@dataclass(frozen=True)
class Table:
    """A plain table.

    :param rows: cells in the columns' order; ``None`` where there is none.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def to_csv(self) -> str:
        """Return comma-separated values, numbers with all their digits, what is missing empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return stream.getvalue()


def tables(rows: Iterable[Mapping[str, Any]]) -> dict[str, Table]:
    """Return the tables of a benchmark.

    :param rows: see :func:`aiida_crucible.analysis.benchmark.records.read_rows`.
    :return: ``materials`` (a line for each row), ``errors`` (a line for each distribution), ``confusion`` (a line for
        each cell of each matrix, with what is said of the whole matrix), ``correlations``.
    :raises ValueError: one line that names the material of a row that is not valid.
    """
    given = list(rows)
    summary = aggregate(given)
    return {
        "materials": _table([_material(row) for row in read_rows(given)]),
        "errors": _table(list(_errors(summary))),
        "confusion": _table(list(_confusion(summary))),
        "correlations": _table(list(_correlations(summary))),
    }


def _table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with all columns that a line has."""
    columns = tuple(dict.fromkeys(name for line in lines for name in line))
    return Table(columns, [tuple(line.get(name) for name in columns) for line in lines])


def _material(row: BenchmarkRow) -> dict[str, Any]:
    reasons = "; ".join(f"{part}: {reason}" for part, reason in row.missing.items())
    return {
        **{name: getattr(row, name) for name in NAMES},
        "state": row.state,
        "reason": reasons or None,
        **_phonons(row),
        **{f"{name}_{label}": score.get(name) for label, score in row.scores.items() for name in OF_A_SCORE},
        "runs": "; ".join(f"{name}: {run['outcome']}" for name, run in row.runs.items()) or None,
        "warnings": "; ".join(row.warnings) or None,
    }


def _phonons(row: BenchmarkRow) -> dict[str, Any]:
    """Return a row's cells of phonons; the same ones for all rows that have any."""
    found = {
        "phonons": row.phonons.get("outcome"),
        "harmonic": row.harmonic.get("outcome"),
        "harmonic_reason": row.harmonic.get("reason"),
    }
    imaginary = row.harmonic.get("imaginary", {})
    found |= {f"imaginary_{whose}": imaginary.get(whose) for whose in ("reference", "model")}
    for matching in MATCHINGS:
        found |= {f"{name}_{matching} [{unit}]": row.error(matching, name) for name, unit in UNITS.items()}
    found |= {name: row.harmonic.get(name) for name in ("smallest_overlap", "reordered", "volume_ratio")}
    for name, values in row.harmonic.get("frequencies", {}).items():
        found |= {f"{name}_frequency_{whose} [THz]": number for whose, number in values.items()}
    thermal = row.harmonic.get("thermal", {})
    for index, temperature in enumerate(thermal.get("temperatures", [])):
        for name, unit in THERMAL.items():
            found[f"{name}_error_{temperature_label(temperature)} [{unit}]"] = thermal[name]["error"][index]
    return found


def _whose(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("model", "protocol")}


def _errors(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in summary["entries"]:
        for matching, quantities in entry["errors"].items():
            for quantity, said in quantities.items():
                named = {**_whose(entry), "quantity": quantity, "of": matching, "unit": UNITS[quantity]}
                yield from _distributions(named, said)
        for choice, kinds in entry["sigma_differences"].items():
            for kind, said in kinds.items():
                named = {**_whose(entry), "quantity": f"{kind}_sigma_difference", "of": choice, "unit": None}
                yield from _distributions(named, said)


def _distributions(named: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group, values in ((ALL, said["all"]), *said["by_group"].items()):
        yield {**named, "group": group, **values}


def _confusion(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in summary["entries"]:
        for choice, matrix in entry["confusion"]["stability"].items():
            named = {"kind": "stability", "choice": choice, "temperature [K]": matrix["temperature"]}
            yield from _cells({**_whose(entry), **named}, matrix)
        named = {"kind": "harmonic", "choice": None, "temperature [K]": None}
        yield from _cells({**_whose(entry), **named}, entry["confusion"]["harmonic"])


def _cells(named: Mapping[str, Any], matrix: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    whole = {**{name: matrix[name] for name in ("undecided", "missing")}, **matrix["shares"]}
    names = [*matrix["classes"], CANNOT_TELL]
    for reference, counts in zip(names, matrix["all_counts"], strict=True):
        for model, count in zip(names, counts, strict=True):
            decided = sum(counts[:-1]) if CANNOT_TELL not in (reference, model) else 0
            classes = {"class_by_reference": reference, "class_by_model": model}
            yield {**named, **classes, "n": count, "share_of_row": count / decided if decided else None, **whole}


def _correlations(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in summary["entries"]:
        for found in entry["correlations"]:
            yield {**_whose(entry), **found, "reason": found["reason"] or None}
