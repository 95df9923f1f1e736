"""Errors of a model on labelled structures: energies (beside a shift for each element), forces, stresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_crucible.analysis.model_tests.units import ENERGY_UNITS, FORCE_UNITS, STRESS_UNITS, suspected_unit
from aiida_crucible.analysis.statistics.averages import average

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Frames of the same atoms, with labels and what a model gave.

    :param numbers: atomic numbers, shape [n_atoms].
    :param energies: labels, eV, shape [n].
    :param forces: labels, eV/Å, shape [n, n_atoms, 3].
    :param stresses: labels, eV/Å³, ASE's sign, Voigt, shape [n, 6]; ``None`` where there are none.
    :param predicted: ``energies``, ``forces`` and perhaps ``stresses``, of the same shapes.
    :param subsets: the subset of each frame; empty where there are none.
    :param places: of each frame in the file, shape [n].
    """

    numbers: NDArray[np.int64]
    energies: Array
    forces: Array
    stresses: Array | None
    predicted: Mapping[str, Array]
    subsets: Sequence[str]
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Frames:
    """What is compared, a value a frame, in the order of the file.

    :param compositions: number of atoms of each element, shape [n, n_elements].
    :param elements: symbols of these.
    :param energies: labels and predictions, eV, shape [2, n].
    :param force_errors: mean over components, eV/Å, shape [n].
    :param force_squares: mean over components of the squared error, shape [n].
    :param stresses: labels and predictions, shape [2, n, 6]; ``None`` where one of them is missing.
    :param subsets: names, shape [n].
    """

    compositions: Array
    elements: list[str]
    energies: Array
    force_errors: Array
    force_squares: Array
    stresses: Array | None
    subsets: NDArray[np.str_]


def measure_accuracy(groups: Sequence[Labelled], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the errors of a model on a labelled set; frames without finite predictions are counted and left out.

    :param groups: one for each list of atoms.
    :param settings: complete, see :data:`aiida_crucible.analysis.model_tests.settings.SETTINGS`.
    :return: ``n_frames``, ``n_non_finite``, ``energy`` (eV/atom), ``force`` (eV/Å) and ``stress`` (eV/Å³), each with
        ``mean_absolute_error``, ``standard_error`` (with what few independent frames leave open; ``None`` where nothing
        is known), ``root_mean_square_error``, ``suspected_unit``; the energy's with ``shift`` (eV, by element) and
        ``n_fitted``; ``by_element`` (forces), ``by_subset``.
    """
    n_frames = sum(len(group.energies) for group in groups)
    finite = [kept for group in groups if len((kept := _finite(group)).energies)]
    found: dict[str, Any] = {"n_frames": n_frames, "n_non_finite": n_frames - sum(len(g.energies) for g in finite)}
    if not finite:
        return found
    frames = _gathered(finite)
    found["energy"], errors = _energy(frames, settings["energy_shift"] == "per-element")
    found["force"] = {
        **_error(frames.force_errors, frames.force_squares, frames.subsets),
        "suspected_unit": suspected_unit(*_flat_forces(finite), FORCE_UNITS),
    }
    if frames.stresses is not None:
        difference = frames.stresses[1] - frames.stresses[0]
        found["stress"] = {
            **_error(np.abs(difference).mean(axis=1), (difference**2).mean(axis=1), frames.subsets),
            "suspected_unit": suspected_unit(frames.stresses[0].ravel(), frames.stresses[1].ravel(), STRESS_UNITS),
        }
    found["by_element"] = _by_element(finite)
    names = sorted(set(frames.subsets.tolist()) - {""})
    found["by_subset"] = {
        name: {
            "n_frames": int((chosen := frames.subsets == name).sum()),
            "energy": None if errors is None else _error(errors[chosen], errors[chosen] ** 2, frames.subsets[chosen]),
            "force": _error(frames.force_errors[chosen], frames.force_squares[chosen], frames.subsets[chosen]),
        }
        for name in names
    }
    return found


def _finite(group: Labelled) -> Labelled:
    """Return the frames for which the model gave numbers."""
    predicted = group.predicted
    chosen = np.isfinite(predicted["energies"]) & np.isfinite(predicted["forces"]).all(axis=(1, 2))
    subsets = [name for name, is_chosen in zip(group.subsets, chosen, strict=False) if is_chosen]
    return Labelled(
        group.numbers,
        group.energies[chosen],
        group.forces[chosen],
        None if group.stresses is None else group.stresses[chosen],
        {name: predicted[name][chosen] for name in ("energies", "forces", "stresses") if name in predicted},
        subsets,
        group.places[chosen],
    )


def _gathered(groups: Sequence[Labelled]) -> Frames:
    """Return a value a frame of all groups, in the order of the file."""
    order = np.argsort(np.concatenate([group.places for group in groups]), kind="stable")
    elements = sorted({int(number) for group in groups for number in group.numbers})
    counts = [[(group.numbers == number).sum() for number in elements] for group in groups]
    repeats = [len(group.energies) for group in groups]
    differences = [group.predicted["forces"] - group.forces for group in groups]
    has_stress = all(group.stresses is not None and "stresses" in group.predicted for group in groups)
    stresses = None
    if has_stress:
        labels = np.concatenate([group.stresses for group in groups if group.stresses is not None])
        predicted = np.concatenate([group.predicted["stresses"] for group in groups])
        both = np.array([labels, predicted])[:, order]
        stresses = both if np.isfinite(both).all() else None
    energies = [[group.energies for group in groups], [group.predicted["energies"] for group in groups]]
    return Frames(
        np.repeat(np.array(counts, dtype=float), repeats, axis=0)[order],
        [chemical_symbols[number] for number in elements],
        np.array([np.concatenate(each) for each in energies])[:, order],
        np.concatenate([np.abs(each).mean(axis=(1, 2)) for each in differences])[order],
        np.concatenate([(each**2).mean(axis=(1, 2)) for each in differences])[order],
        stresses,
        np.concatenate([np.array(list(group.subsets) or [""] * len(group.energies)) for group in groups])[order],
    )


def _energy(frames: Frames, is_shifted: bool) -> tuple[dict[str, Any], Array | None]:
    """Return the errors of the energy an atom, and that of each frame; ``None`` where the shift takes all of them."""
    labels, predicted = frames.energies
    sizes = frames.compositions.sum(axis=1)
    # Weighted by size: what is compared is the energy an atom.
    basis = frames.compositions / sizes[:, None]
    shift, rank = np.zeros(len(frames.elements)), 0
    if is_shifted:
        shift, _, rank, _ = np.linalg.lstsq(basis, (labels - predicted) / sizes, rcond=1e-10)
    told: dict[str, Any] = {
        "shift": dict(zip(frames.elements, shift.tolist(), strict=True)) if is_shifted else None,
        "n_fitted": int(rank),
    }
    freedom = len(labels) - int(rank)
    if freedom < 1:
        return {**told, **_error(np.empty(0), np.empty(0), frames.subsets), "suspected_unit": None}, None
    # What was fitted to the same frames makes them look better than others would.
    widened = np.sqrt(len(labels) / freedom)
    errors = np.abs((predicted - labels) / sizes + basis @ shift) * widened
    first, second = (_beside(each / sizes, basis) for each in frames.energies)
    suspected = suspected_unit(first, second, ENERGY_UNITS)
    return {**told, **_error(errors, errors**2, frames.subsets), "suspected_unit": suspected}, errors


def _beside(values: Array, basis: Array) -> Array:
    """Return what is left of values beside what compositions explain."""
    fitted, *_ = np.linalg.lstsq(basis, values, rcond=1e-10)
    return np.asarray(values - basis @ fitted)


def _error(errors: Array, squares: Array, subsets: NDArray[np.str_]) -> dict[str, float | None]:
    """Return the mean of absolute errors with its standard error, and the root of the mean of squares.

    Frames of a run are correlated, and subsets differ: the error is that of a stratified mean, each subset a series.
    """
    names = ("mean_absolute_error", "standard_error", "root_mean_square_error")
    if not len(errors):
        return dict.fromkeys(names)
    variance = 0.0
    for name in sorted(set(subsets.tolist())):
        own = errors[subsets == name]
        bar = average(own, cut=0).cautious_error if len(own) > 1 else float("nan")
        variance += (len(own) / len(errors) * bar) ** 2
    bars = float(np.sqrt(variance)) if np.isfinite(variance) else None
    return dict(zip(names, (float(errors.mean()), bars, float(np.sqrt(squares.mean()))), strict=True))


def _flat_forces(groups: Sequence[Labelled]) -> tuple[Array, Array]:
    labels = np.concatenate([group.forces.ravel() for group in groups])
    return labels, np.concatenate([group.predicted["forces"].ravel() for group in groups])


def _by_element(groups: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """Return mean absolute and root mean square errors of force components, eV/Å, of the atoms of each element."""
    numbers = sorted({int(number) for group in groups for number in group.numbers})
    found = {}
    for number in numbers:
        parts = [(group.predicted["forces"] - group.forces)[:, group.numbers == number].ravel() for group in groups]
        errors = np.concatenate(parts)
        found[chemical_symbols[number]] = {
            "mean_absolute_error": float(np.abs(errors).mean()),
            "root_mean_square_error": float(np.sqrt((errors**2).mean())),
        }
    return found
