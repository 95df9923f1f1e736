"""The harmonic phonons of a model against those of a reference: the same wave vectors, the same modes.

Neither has the non-analytical correction, because most models have no Born charges and a reference that had it alone
would differ by it. The two crystals may differ by a small strain, by the order and origin of their atoms, by the choice
of their primitive axes and by their orientation; all of that is taken out. Their supercells may differ altogether.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.benchmark.stability_classes import HARMONIC_CLASSES, IMAGINARY, REAL, Confusion
from aiida_crucible.analysis.comparison.modes import SpectrumErrors, match_modes, overlaps, spectrum_errors
from aiida_crucible.analysis.crystal.cells import space_group
from aiida_crucible.analysis.crystal.mapping import CrystalMapping, map_crystal
from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms
from aiida_crucible.analysis.phonons.force_constants import warnings_of_rule
from aiida_crucible.analysis.phonons.long_waves import dynamical_matrices
from aiida_crucible.analysis.phonons.spectra import clear_rounding, group_velocities, rounding_floor, thermal_properties
from aiida_crucible.analysis.phonons.stability import MATRIX_ELEMENTS, signed_root

LARGEST_MASS_DIFFERENCE = 0.001
"""Relative: tables of standard masses differ by less."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """Modes at wave vectors.

    :param squares: signed squared frequencies in ascending order, THz², shape [n_q, n_modes].
    :param vectors: mass-weighted eigenvectors as columns, shape [n_q, n_modes, n_modes].
    :param velocities: group velocities, Å THz, shape [n_q, n_modes, 3].
    """

    squares: Array
    vectors: NDArray[np.complex128]
    velocities: Array


@dataclass(frozen=True)
class HarmonicComparison:
    """What :func:`compare_phonons` says: plain values, and the arrays that they come from."""

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def compare_phonons(reference: Phonopy, model: Phonopy, settings: Mapping[str, Any]) -> HarmonicComparison:
    """Return how the phonons of a model differ from those of a reference.

    :param model: with force constants, of the same crystal.
    :param settings: complete, see :mod:`aiida_crucible.analysis.comparison.settings`.
    :return: the values are ``space_groups``, ``volume_ratio``, ``errors`` (``by_order`` and ``by_overlap``, each with
        ``printed`` (THz), ``squares`` (THz²), ``frequencies`` (THz), ``velocities`` (Å THz); see
        :class:`SpectrumErrors`), ``frequencies`` (least, mean and highest, THz), ``thermal`` (of a primitive cell),
        ``imaginary``, ``modes`` (how many are imaginary by the one and the other), ``smallest_overlap``, ``reordered``
        (share of the modes that overlap puts elsewhere than order), ``warnings``.
    :raises ValueError: one line, if they are not the same crystal.
    """
    sizes = len(model.primitive), len(reference.primitive)
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the model's primitive cell has {sizes[0]} atoms, the reference's {sizes[1]}: compute both of the same one"
        )
    try:
        mapping = map_crystal(to_atoms(model.primitive), to_atoms(reference.primitive))
    except ValueError as error:
        raise ValueError(
            f"the model's and the reference's primitive cells are not the same crystal: {error}"
        ) from error
    groups = _space_groups(reference, model, settings["symmetry_tolerance"])
    qpoints, weights = _mesh(reference, settings, bool(groups["same"]))
    of_reference = solve_modes(reference, qpoints)
    of_model = _aligned(solve_modes(model, qpoints @ mapping.matrix.T), mapping)
    overlap = overlaps(of_reference.squares, of_reference.vectors, of_model.squares, of_model.vectors)
    order = match_modes(overlap)
    matched = np.take_along_axis(overlap, order[:, :, None], axis=2)[:, :, 0]
    by_order = _errors(of_reference, of_model, weights, None)
    by_overlap = _errors(of_reference, of_model, weights, order)
    values = {
        "space_groups": groups,
        "volume_ratio": float(model.primitive.volume / reference.primitive.volume),
        "mesh": list(settings["mesh"]),
        "n_qpoints": int(weights.sum()),
        "n_modes": of_reference.squares.shape[1],
        "errors": {"by_order": _overall(by_order), "by_overlap": _overall(by_overlap)},
        "frequencies": _frequencies(of_reference.squares, of_model.squares, weights),
        "thermal": _thermal(reference, model, settings),
        **_imaginary(of_reference.squares, of_model.squares, order, weights, settings["imaginary_tolerance"]),
        "smallest_overlap": float(matched.min()),
        "reordered": float(np.average((order != np.arange(order.shape[1])).mean(axis=1), weights=weights)),
        "warnings": [
            *_warnings(groups),
            *_other_masses(reference, model, mapping),
            *_broken_sum_rule("reference", reference),
            *_broken_sum_rule("model", model),
        ],
    }
    arrays = {
        "qpoints": qpoints,
        "weights": weights,
        "reference_frequencies": signed_root(of_reference.squares),
        "model_frequencies": signed_root(of_model.squares),
        "reference_group_velocities": of_reference.velocities,
        "model_group_velocities": of_model.velocities,
        "matched": order,
        "overlaps": matched,
        **_detail("by_order", by_order),
        **_detail("by_overlap", by_overlap),
    }
    return HarmonicComparison(values, arrays)


def solve_modes(phonon: Phonopy, qpoints: Array) -> Spectrum:
    """Return the modes at wave vectors.

    :param qpoints: reduced, shape [n_q, 3].
    """
    # Dynamical matrices of all wave vectors at once would not fit into memory for a large primitive cell.
    count = max(1, MATRIX_ELEMENTS // (3 * len(phonon.primitive)) ** 2)
    parts = [
        np.linalg.eigh(dynamical_matrices(phonon, qpoints[start : start + count]))
        for start in range(0, len(qpoints), count)
    ]
    squares, vectors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    squares = clear_rounding(squares, rounding_floor(phonon) ** 2)
    return Spectrum(squares, vectors, group_velocities(phonon, qpoints))


def _aligned(spectrum: Spectrum, mapping: CrystalMapping) -> Spectrum:
    """Return modes with atoms in the reference's order and vectors in its orientation."""
    n_q, n_modes = spectrum.squares.shape
    by_atom = spectrum.vectors.reshape(n_q, n_modes // 3, 3, n_modes)
    turned = np.einsum("qaxm,xy->qaym", by_atom, mapping.rotation)
    vectors = np.empty_like(turned)
    vectors[:, mapping.unit_atoms] = turned
    return Spectrum(spectrum.squares, vectors.reshape(n_q, n_modes, n_modes), spectrum.velocities @ mapping.rotation)


def _mesh(reference: Phonopy, settings: Mapping[str, Any], is_symmetric: bool) -> tuple[Array, NDArray[np.int64]]:
    """Return wave vectors and weights: the irreducible ones where both crystals have the same symmetry, else all."""
    reference.init_mesh(settings["mesh"], is_gamma_center=settings["mesh_gamma_centred"], is_mesh_symmetry=is_symmetric)
    return np.array(reference.mesh.qpoints), np.array(reference.mesh.weights)


def _space_groups(reference: Phonopy, model: Phonopy, tolerance: float) -> dict[str, Any]:
    found = {
        name: space_group(to_atoms(phonon.primitive), tolerance)
        for name, phonon in (("reference", reference), ("model", model))
    }
    return {**found, "same": found["reference"] == found["model"]}


def _warnings(groups: Mapping[str, Any]) -> list[str]:
    if groups["same"]:
        return []
    return [
        f"the model's crystal has the space group {groups['model']}, the reference's {groups['reference']}: modes are "
        "compared on the whole mesh, and some of the errors are the other structure's"
    ]


def _other_masses(reference: Phonopy, model: Phonopy, mapping: CrystalMapping) -> list[str]:
    """Return a warning where an atom is heavier on one side: frequencies differ by that alone."""
    expected = reference.primitive.masses[mapping.unit_atoms]
    different = np.flatnonzero(np.abs(model.primitive.masses / expected - 1) > LARGEST_MASS_DIFFERENCE)
    if not len(different):
        return []
    atom = int(different[0])
    return [
        f"{model.primitive.symbols[atom]} has the mass {model.primitive.masses[atom]:g} u in the model's structure and "
        f"{expected[atom]:g} u in the reference's: frequencies differ by that alone"
    ]


def _broken_sum_rule(whose: str, phonon: Phonopy) -> list[str]:
    """Return a warning where a uniform shift would be felt, so that acoustic modes do not vanish at Γ."""
    constants = phonon.force_constants
    size, largest = float(np.abs(constants.sum(axis=1)).max()), float(np.abs(constants).max())
    return warnings_of_rule(f"the force constants of the {whose}", "the acoustic sum rule", size, largest)


def _errors(
    reference: Spectrum, model: Spectrum, weights: NDArray[np.int64], order: NDArray[np.int64] | None
) -> SpectrumErrors:
    squares, velocities = model.squares, model.velocities
    if order is not None:
        squares = np.take_along_axis(squares, order, axis=1)
        velocities = np.take_along_axis(velocities, order[:, :, None], axis=1)
    return spectrum_errors(reference.squares, squares, reference.velocities, velocities, weights.astype(float))


def _overall(errors: SpectrumErrors) -> dict[str, float]:
    return {name: value["overall"] for name, value in asdict(errors).items()}


def _detail(matching: str, errors: SpectrumErrors) -> dict[str, Array]:
    return {
        f"{matching}_{name}_{part}": value[part]
        for name, value in asdict(errors).items()
        for part in ("by_band", "by_qpoint")
    }


def _frequencies(reference: Array, model: Array, weights: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Return the least, mean and highest frequency of both and the differences, THz."""
    said = {}
    for name, take in (
        ("minimum", np.min),
        ("mean", lambda squares: np.average(squares.mean(axis=1), weights=weights)),
        ("maximum", np.max),
    ):
        first, second = (float(take(signed_root(squares))) for squares in (reference, model))
        said[name] = {"reference": first, "model": second, "error": second - first}
    return said


def _thermal(reference: Phonopy, model: Phonopy, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return harmonic thermodynamics of a primitive cell at each temperature, eV and eV/K; imaginary modes left out."""
    temperatures = np.array(settings["temperatures"])
    first, second = (
        thermal_properties(phonon, settings["thermal_mesh"], temperatures) for phonon in (reference, model)
    )
    said: dict[str, Any] = {"temperatures": temperatures.tolist()}
    for name in ("free_energy", "entropy", "heat_capacity"):
        of_reference, of_model = getattr(first, name), getattr(second, name)
        said[name] = {
            "reference": of_reference.tolist(),
            "model": of_model.tolist(),
            "error": (of_model - of_reference).tolist(),
        }
    return said


def _imaginary(
    reference: Array, model: Array, order: NDArray[np.int64], weights: NDArray[np.int64], tolerance: float
) -> dict[str, Any]:
    """Return which of the two crystals has an imaginary mode, and of how many modes they say so."""
    first = signed_root(reference) < -tolerance
    second = np.take_along_axis(signed_root(model), order, axis=1) < -tolerance
    counts = np.zeros((2, 2), dtype=np.int64)
    for row, column in np.ndindex(2, 2):
        agreeing = (first == bool(row)) & (second == bool(column))
        counts[row, column] = int(weights @ agreeing.sum(axis=1))
    names = {True: IMAGINARY, False: REAL}
    return {
        "imaginary": {"reference": names[bool(first.any())], "model": names[bool(second.any())]},
        "modes": Confusion.decided(HARMONIC_CLASSES, counts).as_dict(),
    }
