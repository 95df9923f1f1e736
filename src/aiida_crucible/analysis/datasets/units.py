"""Whether labels are in the units and of the sign that they are said to be of: a model's answers tell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aiida_crucible.analysis.datasets.frames import Array, LabelledFrames
from aiida_crucible.analysis.model_tests.units import ENERGY_UNITS, FORCE_UNITS, STRESS_UNITS, suspected_unit

REMEDIES = {
    "energy": "import them in eV",
    "force": "import them in eV/Å, with the sign of forces",
    "stress": "import them with stress_unit and stress_sign",
}


def suspected_units(frames: LabelledFrames, predicted: Mapping[str, Array]) -> dict[str, str]:
    """Return the unit or sign that energies, forces and stresses seem to be of, where it is not the one that they have.

    Energies are compared beside what the compositions explain, stresses as they are and beside the mean of each
    component: levels of theory differ in their equilibrium volume, and so by a pressure.

    :param predicted: ``energies``, ``forces`` and perhaps ``stresses`` of a model, shapes as the labels'.
    """
    shares = frames.counts / frames.n_atoms[:, None]
    finite = np.isfinite(predicted["energies"])
    energies = [
        _beside(shares[finite], (values / frames.n_atoms)[finite])
        for values in (frames.energies, predicted["energies"])
    ]
    found = {"energy": suspected_unit(energies[0], energies[1], ENERGY_UNITS)}
    rows = np.isfinite(predicted["forces"]).all(axis=1)
    found["force"] = suspected_unit(frames.forces[rows].ravel(), predicted["forces"][rows].ravel(), FORCE_UNITS)
    if "stresses" in predicted:
        both = np.isfinite(frames.stresses).all(axis=1) & np.isfinite(predicted["stresses"]).all(axis=1)
        labels, answers = frames.stresses[both], predicted["stresses"][both]
        found["stress"] = suspected_unit(labels.ravel(), answers.ravel(), STRESS_UNITS)
        if found["stress"] is None and both.sum() > 1:
            labels, answers = labels - labels.mean(axis=0), answers - answers.mean(axis=0)
            found["stress"] = suspected_unit(labels.ravel(), answers.ravel(), STRESS_UNITS)
    return {name: unit for name, unit in found.items() if unit is not None}


def check_units(frames: LabelledFrames, predicted: Mapping[str, Array], model: str) -> None:
    """Refuse labels in other units, or of another sign, than they are said to be of.

    :param model: whose answers are ``predicted``, as the message should call it.
    :raises ValueError: one line.
    """
    suspected = suspected_units(frames, predicted)
    if suspected:
        told = ", ".join(f"the {name} labels seem to be in {unit}" for name, unit in suspected.items())
        told = told.replace("in the other sign", "of the other sign").replace("in gradients", "gradients")
        remedies = "; ".join(REMEDIES[name] for name in suspected)
        raise ValueError(f"{told}, against the answers of {model}: {remedies} (or set check_units to false)")


def _beside(shares: Array, values: Array) -> Array:
    fitted, *_ = np.linalg.lstsq(shares, values, rcond=1e-10)
    return np.asarray(values - shares @ fitted)
