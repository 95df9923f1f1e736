"""Whose forces, at whose geometries, with whose force constants: the combinations that scores are measured for.

Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459: the reference's own score, which is the truth, and four of the
model: its forces at the frames of the reference or of its own runs, with the reference's force constants or its own.
Own runs have a score where none of their temperature has lost its crystal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.settings import temperature_of
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.analysis.dynamics.sweep_settings import temperature_label
from crucible_engine.wire.schema import LOST_OUTCOMES

REFERENCE, OWN = "reference", "own"


@dataclass(frozen=True)
class Combination:
    """What a score is of.

    :param forces: whose, ``reference`` or ``own`` (the model's); likewise ``frames`` and ``constants``.
    :param temperature: of own runs, K; ``None`` for the reference's frames, or where it is not known.
    """

    forces: str
    frames: str
    constants: str
    temperature: float | None = None

    @property
    def label(self) -> str:
        """``reference``, or such as ``own_frames_reference_constants_T300``."""
        if self.forces == REFERENCE:
            return REFERENCE
        end = "" if self.temperature is None else f"_{temperature_label(self.temperature)}"
        return f"{self.frames}_frames_{self.constants}_constants{end}"

    @classmethod
    def of_label(cls, label: str) -> Combination | None:
        """Return the combination that a label is of; ``None`` if it is of none."""
        if label == REFERENCE:
            return cls(REFERENCE, REFERENCE, REFERENCE)
        match = re.fullmatch(rf"({REFERENCE}|{OWN})_frames_({REFERENCE}|{OWN})_constants(?:_(T.+))?", label)
        return None if match is None else cls(OWN, match[1], match[2], temperature_of(match[3] or ""))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def compare_combinations(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the score of each combination in brief, beside the reference's where there is one.

    :param scores: by label: the combination, and the values of
        :func:`aiida_crucible.analysis.anharmonicity.run.analyse_anharmonicity`, or ``reason`` why there are none.
    :return: by label ``sigma`` and ``standard_error`` (of the time-averaged score), ``class``, ``warnings``; with a
        reference also ``difference`` to its sigma and ``same_class`` (``None`` where one of them cannot tell).
    """
    found = {}
    truth = scores.get(REFERENCE, {})
    for label, values in scores.items():
        entry = {name: values[name] for name in ("forces", "frames", "constants", "temperature")}
        if "sigma" not in values:
            found[label] = {**entry, "sigma": None, "class": CANNOT_TELL, "warnings": [values["reason"]]}
            continue
        average = values["sigma"]["time_averaged"]  # a node holds None in place of NaN
        entry |= {"sigma": average["value"], "standard_error": average["standard_error"]}
        entry |= {"class": values["class"], "warnings": values["warnings"]}
        true_value = truth.get("sigma", {}).get("time_averaged", {}).get("value")
        if label != REFERENCE and None not in (true_value, average["value"]):
            classes = {values["class"], truth["class"]}
            entry["difference"] = average["value"] - true_value
            entry["same_class"] = None if CANNOT_TELL in classes else len(classes) == 1
        found[label] = entry
    return found


def temperature_curves(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Return σ(T) of own runs.

    :return: ``temperatures`` (K, ascending) and, for each set of force constants that there is, ``own_constants`` or
        ``reference_constants`` with their ``_error``; not a number where there is none. Empty without own runs.
    """
    own = [values for values in scores.values() if values["frames"] == OWN and values["temperature"] is not None]
    if not own:
        return {}
    temperatures = np.unique([values["temperature"] for values in own])
    curves = {"temperatures": temperatures}
    for constants in (OWN, REFERENCE):
        rows = [values for values in own if values["constants"] == constants]
        if not rows:
            continue
        curve, errors = np.full((2, len(temperatures)), np.nan)
        for values in rows:
            average = values.get("sigma", {}).get("time_averaged", {})
            index = int(np.searchsorted(temperatures, values["temperature"]))
            # A node holds None in place of NaN.
            curve[index] = np.array(average.get("value"), dtype=float)
            errors[index] = np.array(average.get("standard_error"), dtype=float)
        curves |= {f"{constants}_constants": curve, f"{constants}_constants_error": errors}
    return curves


def why_no_score(runs: Mapping[str, Mapping[str, Any]], temperature: float | None) -> str | None:
    """Return why runs at a temperature have no score together; ``None`` if they have one.

    A run that has lost its crystal has none: there are no sites that displacements could be counted from. The average
    of those that have kept it would be of the most stable runs only, so that they have none either.

    :param runs: by label, which begins with the temperature: ``outcome`` and ``reason``.
    :param temperature: K; ``None`` for all.
    """
    lost = sorted(
        label
        for label, run in runs.items()
        if run["outcome"] in LOST_OUTCOMES and temperature in (None, temperature_of(label))
    )
    return f"{lost[0]} is {runs[lost[0]]['outcome']}: {runs[lost[0]]['reason']}" if lost else None
