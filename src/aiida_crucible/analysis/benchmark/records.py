"""The rows of a benchmark, made by :mod:`rows`, read and checked before they are evaluated together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination
from aiida_crucible.analysis.benchmark.rows import COMPLETE, FAILED, PARTIAL
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL, CLASSES, HARMONIC_CLASSES

STATES = (COMPLETE, PARTIAL, FAILED)
"""All was measured, some of it, nothing."""

COMPARED = "compared"
"""The outcome of a harmonic comparison that has errors."""

MATCHINGS = ("by_order", "by_overlap")
"""How modes are matched: as the publication does it, and by their eigenvectors."""

UNITS = {"printed": "THz", "squares": "THz²", "frequencies": "THz", "velocities": "Å THz"}
"""Of the errors of a spectrum, see :class:`aiida_crucible.analysis.comparison.modes.SpectrumErrors`."""

HALIDES = ("F", "Cl", "Br", "I")
"""Groups that have an order of their own; others follow by name."""

NAMES = ("material", "formula", "group", "model", "protocol")
PARTS = ("harmonic", "phonons", "scores", "runs", "missing")


@dataclass(frozen=True)
class BenchmarkRow:
    """One material by one model with one protocol.

    :param group: what it is counted with, such as its halide.
    :param state: one of :data:`STATES`.
    :param missing: by part (``harmonic`` or a combination's label) why it was not measured.
    :param harmonic: see :func:`aiida_crucible.analysis.comparison.harmonic.compare_phonons`, with ``outcome``; empty
        where there is none.
    :param phonons: ``outcome`` and ``reason`` of the model's phonons; empty where there are none.
    :param scores: by label, see :func:`aiida_crucible.analysis.anharmonicity.combinations.compare_combinations`.
    :param runs: by own run ``outcome`` and ``reason``.
    """

    material: str
    formula: str
    group: str
    model: str
    protocol: str
    state: str
    missing: Mapping[str, str]
    harmonic: Mapping[str, Any]
    phonons: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]
    runs: Mapping[str, Mapping[str, Any]]

    @property
    def is_compared(self) -> bool:
        """Return whether its phonons have errors."""
        return self.harmonic.get("outcome") == COMPARED

    @property
    def warnings(self) -> list[str]:
        """Return what its comparison and its scores warn of, each once; what is missing is no warning."""
        said = [*self.harmonic.get("warnings", [])]
        for score in self.scores.values():
            said += score["warnings"] if score["sigma"] is not None else []
        return list(dict.fromkeys(said))

    def error(self, matching: str, quantity: str) -> float | None:
        """Return an error of the phonons in its unit; ``None`` where there is none.

        :param matching: one of :data:`MATCHINGS`.
        :param quantity: one of :data:`UNITS`.
        """
        return self.harmonic["errors"][matching][quantity] if self.is_compared else None

    def sigma(self, label: str) -> float | None:
        """Return the score of a combination; ``None`` where there is none."""
        return self.scores.get(label, {}).get("sigma")

    def standard_error(self, label: str) -> float | None:
        """Return the standard error of a score; ``None`` where there is none."""
        return self.scores.get(label, {}).get("standard_error")

    def difference(self, label: str) -> float | None:
        """Return the score of a combination less the reference's; ``None`` where one of them is missing."""
        score, truth = self.sigma(label), self.sigma(REFERENCE)
        return None if score is None or truth is None else score - truth


@dataclass(frozen=True)
class Choice:
    """A choice of frames and force constants that the model is judged by.

    :param label: in the rows' scores.
    :param name: the label without its temperature where there is only one.
    """

    label: str
    name: str
    combination: Combination


def read_rows(rows: Iterable[Mapping[str, Any]]) -> list[BenchmarkRow]:
    """Return rows in the order of protocol, model, group and material.

    :param rows: plain values, the fields of :class:`BenchmarkRow`; ``harmonic`` and ``phonons`` may be ``None``.
    :raises ValueError: one line that names the material, if a row is not valid, or two of its rows have the same model
        and protocol.
    """
    read = [_read(row, index) for index, row in enumerate(rows)]
    seen = set()
    for row in read:
        key = (row.material, row.model, row.protocol)
        if key in seen:
            raise ValueError(
                f"row of {row.material!r}: it is there twice with model {row.model!r} and protocol {row.protocol!r}"
            )
        seen.add(key)
    return sorted(read, key=lambda row: (row.protocol, row.model, group_place(row.group), row.material))


def group_place(group: str) -> tuple[int, str]:
    """Return what groups are sorted by."""
    return (HALIDES.index(group) if group in HALIDES else len(HALIDES), group)


def groups_of(rows: Sequence[BenchmarkRow]) -> list[str]:
    """Return the groups of rows in order."""
    return sorted({row.group for row in rows}, key=group_place)


def by_model_and_protocol(rows: Sequence[BenchmarkRow]) -> dict[tuple[str, str], list[BenchmarkRow]]:
    """Return the rows of each model with each protocol, in the rows' order."""
    found: dict[tuple[str, str], list[BenchmarkRow]] = {}
    for row in rows:
        found.setdefault((row.model, row.protocol), []).append(row)
    return found


def choices_of(rows: Sequence[BenchmarkRow]) -> list[Choice]:
    """Return the combinations of rows, those of the reference's frames first.

    What is missing of every row, such as own runs that all melted, is one as well. Without its temperature a label
    stays clear only if all own runs had the same one.
    """
    labels = dict.fromkeys(label for row in rows for label in (*row.scores, *row.missing))
    found = {label: Combination.of_label(label) for label in labels}
    combinations = {label: one for label, one in found.items() if one is not None and label != REFERENCE}
    temperatures = {one.temperature for one in combinations.values() if one.frames == OWN}
    choices = []
    for label, one in combinations.items():
        bare = Combination(one.forces, one.frames, one.constants)
        choices.append(Choice(label, bare.label if len(temperatures) == 1 else label, one))
    return sorted(choices, key=lambda choice: _place(choice.combination))


def _place(one: Combination) -> tuple[bool, bool, float]:
    return one.frames == OWN, one.constants == OWN, -1.0 if one.temperature is None else one.temperature


def _read(row: Mapping[str, Any], index: int) -> BenchmarkRow:
    """Return a valid row.

    :raises ValueError: one line, if it is not.
    """
    material = row.get("material")
    whose = f"row of {material!r}" if isinstance(material, str) and material else f"row {index} (of no material)"
    for name in NAMES:
        if not isinstance(row.get(name), str) or not row[name]:
            raise ValueError(f"{whose}: {name} is {row.get(name)!r}, it must be a name")
    if row.get("state") not in STATES:
        raise ValueError(f"{whose}: state is {row.get('state')!r}, it must be one of {', '.join(STATES)}")
    parts = {name: {} if row.get(name) is None else row[name] for name in PARTS}
    for name, values in parts.items():
        if not isinstance(values, Mapping):
            raise ValueError(f"{whose}: {name} is {values!r}, it must be a mapping")
    if (row["state"] == COMPLETE) != (not parts["missing"]):
        raise ValueError(
            f"{whose}: state is {row['state']}, but missing names {len(parts['missing'])} parts: it must name what was "
            "not measured, and why, of all rows that are not complete"
        )
    read = BenchmarkRow(**{name: row[name] for name in NAMES}, state=row["state"], **parts)
    try:
        _check_harmonic(read.harmonic)
        for label, score in read.scores.items():
            _check_score(label, score)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{whose}: its harmonic part or its scores lack something: {error}") from error
    except ValueError as error:
        raise ValueError(f"{whose}: {error}") from error
    return read


def _check_harmonic(harmonic: Mapping[str, Any]) -> None:
    if harmonic and harmonic["outcome"] == COMPARED:
        for matching in MATCHINGS:
            for quantity in UNITS:
                _check_number(f"harmonic.errors.{matching}.{quantity}", harmonic["errors"][matching][quantity])
        for whose in ("reference", "model"):
            if harmonic["imaginary"][whose] not in HARMONIC_CLASSES:
                raise ValueError(
                    f"harmonic.imaginary.{whose} is {harmonic['imaginary'][whose]!r}, "
                    f"it must be one of {', '.join(HARMONIC_CLASSES)}"
                )


def _check_score(label: str, score: Mapping[str, Any]) -> None:
    combination = Combination(*(score[name] for name in ("forces", "frames", "constants", "temperature")))
    if combination.label != label:
        raise ValueError(f"the score {label!r} is of {combination.label!r}")
    for name in ("sigma", "standard_error"):
        if score.get(name) is not None:
            _check_number(f"scores.{label}.{name}", score[name])
    if score["class"] not in (*CLASSES, CANNOT_TELL):
        raise ValueError(f"scores.{label}.class is {score['class']!r}, it must be one of {', '.join(CLASSES)}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value!r}, it must be a finite number from zero")
