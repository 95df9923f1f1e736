"""From frames with forces and a crystal's force constants to everything that is said of its anharmonicity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.effective_force_constants import (
    NotEnoughForcesError,
    evenly_chosen,
    fit_effective_force_constants,
)
from aiida_crucible.analysis.anharmonicity.force_runs import ForceRun, MappedRun, map_runs
from aiida_crucible.analysis.anharmonicity.modes import MOST_ATOMS, ModeBasis, mode_basis, mode_scores
from aiida_crucible.analysis.anharmonicity.score import (
    as_dicts,
    crystal_groups,
    fhi_vibes,
    finite_or_none,
    pooled,
    score_series,
    scores_by_group,
    sum_forces,
    time_averaged,
)
from aiida_crucible.analysis.anharmonicity.stability_class import as_warnings, class_of
from aiida_crucible.analysis.crystal.displacements import frame_chunks
from aiida_crucible.analysis.crystal.neighbours import nearest_distances
from aiida_crucible.analysis.phonons.force_constants import warnings_of_rule
from aiida_crucible.analysis.phonons.lattice_force_constants import LatticeForceConstants

LARGEST_HOP = 0.5
"""Nearest-neighbour distances that an atom may be from its site before the crystal is no crystal."""


@dataclass(frozen=True)
class AnharmonicityAnalysis:
    """What is said of the anharmonicity of some runs.

    :param values: JSON-serialisable; see :func:`analyse_anharmonicity`.
    :param arrays: ``scores`` [n_frames], ``runs`` [n_frames] (number of the run that a frame is of, in the order that
        they were given in) and ``frames`` [n_frames] (its place in that run's trajectory); by mode
        ``mode_frequencies`` (THz), ``mode_scores``, ``mode_shares`` and ``mode_contributions``.
    """

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def analyse_anharmonicity(
    runs: Sequence[ForceRun],
    constants: LatticeForceConstants,
    settings: Mapping[str, Any],
    origin: Atoms | None = None,
) -> AnharmonicityAnalysis:
    """Return what force constants leave out of the forces of some runs of the same supercell.

    :param runs: independent of each other; frames with numbers that are not finite are left out.
    :param constants: of the crystal, of any supercell.
    :param settings: complete, see :mod:`aiida_crucible.analysis.anharmonicity.settings`.
    :param origin: the unit cell of the crystal that displacements are counted from; the force constants' own if
        ``None``.
    :return: ``sigma`` (``time_averaged``, ``pooled`` with errors, ``fhi_vibes``, ``mass_weighted``), ``class`` (of the
        time-averaged one), ``doubts`` (why the runs are of no steady state, which makes the class ``cannot-tell``),
        ``by`` (``species``, ``site``, ``direction`` of the primitive cell's axes; pooled), ``effective`` (see
        :class:`EffectiveFit`), ``force_constants`` (residuals), ``n_runs``, ``n_frames``,
        ``n_non_finite``, ``n_atoms``, ``warnings``.
    :raises ValueError: one line, if a run does not fit to the force constants, or no frame is left.
    """
    lost = [int((~run.finite).sum()) for run in runs]
    numbers = [index for index, run in enumerate(runs) if lost[index] < len(run.positions)]
    if not numbers:
        raise ValueError("no frame has finite forces: there is nothing to measure")
    frames = map_runs([runs[index].chosen(runs[index].finite) for index in numbers], constants, origin)
    mapping = frames[0].mapping
    symbols = mapping.unit_cell.get_chemical_symbols()
    sites = site_names(constants.primitive, settings["symmetry_tolerance"])
    groups = crystal_groups([symbols[k] for k in mapping.unit_atoms], [sites[k] for k in mapping.unit_atoms])
    sums = [sum_forces(run.parts(), groups) for run in frames]
    modes = _modes(frames)
    by_mode, mass_weighted = _by_mode(frames, modes)
    average = time_averaged(sums)
    of_class, doubts = class_of(
        average, score_series(sums), settings["coverage_factor"], runs=[run.run for run in frames], modes=modes
    )
    values = {
        "sigma": {
            "time_averaged": average.as_dict(),
            "pooled": pooled(sums).as_dict(),
            "fhi_vibes": finite_or_none(fhi_vibes(sums)),
            "mass_weighted": finite_or_none(mass_weighted),
        },
        "class": of_class,
        "doubts": doubts,
        "by": as_dicts(scores_by_group(sums, groups)),
        "effective": _effective(frames, settings),
        "force_constants": {
            "sum_residual": constants.sum_residual,
            "index_residual": constants.index_residual,
            "translation_residual": constants.translation_residual,
            "largest": constants.largest,
        },
        "n_runs": len(runs),
        "n_frames": int(sum(len(run.run.positions) for run in frames)),
        "n_non_finite": int(sum(lost)),
        "n_atoms": len(mapping.unit_atoms),
        "warnings": [
            *as_warnings(doubts),
            *_warnings_of_constants(constants),
            *_warnings_of_frames(frames, lost),
            *filter(None, [average.warning]),
        ],
    }
    arrays = {
        "scores": np.concatenate([one.per_frame for one in sums]),
        "runs": np.repeat(numbers, [len(one.total) for one in sums]),
        "frames": np.concatenate([run.run.places for run in frames]),
        **by_mode,
    }
    return AnharmonicityAnalysis(values, arrays)


def site_names(unit_cell: Atoms, tolerance: float) -> list[str]:
    """Return the symmetry-distinct site of each atom: the symbol, numbered where an element has several (``O2``).

    :param tolerance: distance, Å.
    """
    cell = (unit_cell.cell.array, unit_cell.get_scaled_positions(), unit_cell.numbers)
    dataset = spglib.get_symmetry_dataset(cell, symprec=tolerance)
    orbits = np.arange(len(unit_cell)) if dataset is None else np.asarray(dataset.crystallographic_orbits)
    symbols = unit_cell.get_chemical_symbols()
    by_symbol: dict[str, list[int]] = {}
    for symbol, orbit in zip(symbols, orbits.tolist(), strict=True):
        known = by_symbol.setdefault(symbol, [])
        if orbit not in known:
            known.append(orbit)
    return [
        symbol if len(by_symbol[symbol]) == 1 else f"{symbol}{by_symbol[symbol].index(orbit) + 1}"
        for symbol, orbit in zip(symbols, orbits.tolist(), strict=True)
    ]


def _modes(frames: Sequence[MappedRun]) -> ModeBasis | None:
    """Return the modes of the supercell; ``None`` where it is too large."""
    first = frames[0]
    if len(first.mapping.unit_atoms) > MOST_ATOMS:
        return None
    return mode_basis(first.force_constants, first.mapping.ideal.get_masses())


def _by_mode(frames: Sequence[MappedRun], basis: ModeBasis | None) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Return the scores by mode as arrays, and the mass-weighted score; nothing without modes."""
    if basis is None:
        return {}, math.nan
    scores = mode_scores((part for run in frames for part in run.parts()), basis)
    return {
        "mode_frequencies": basis.frequencies,
        "mode_scores": scores.scores,
        "mode_shares": scores.shares,
        "mode_contributions": scores.contributions,
    }, scores.mass_weighted


def _effective(frames: Sequence[MappedRun], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return how much of the score other force constants would take, or ``reason`` why that is not known."""
    wanted = settings["effective_frames"]
    mapping = frames[0].mapping
    if wanted == 0:
        return {"reason": "effective_frames is 0"}
    if len(mapping.unit_atoms) > MOST_ATOMS:
        return {"reason": f"the supercell has {len(mapping.unit_atoms)} atoms, more than {MOST_ATOMS}"}
    share = max(1, wanted // len(frames))
    chosen = [evenly_chosen(len(run.run.positions), share) for run in frames]
    moved = np.concatenate([run.displacements(part) for run, part in zip(frames, chosen, strict=True)])
    forces = np.concatenate([run.forces(part) for run, part in zip(frames, chosen, strict=True)])
    flat = forces.reshape(len(forces), -1)
    anharmonic = flat + moved.reshape(flat.shape) @ frames[0].force_constants.T
    total = float((flat**2).sum())
    if total == 0:
        return {"reason": "no forces act"}
    score = math.sqrt(float((anharmonic**2).sum()) / total)
    try:
        fit = fit_effective_force_constants(mapping.unstrained, moved, forces, settings["symmetry_tolerance"])
    except NotEnoughForcesError as error:
        return {"reason": str(error)}
    return {"n_frames": len(forces), "given": score, **fit.as_dict(score)}


def _warnings_of_constants(constants: LatticeForceConstants) -> list[str]:
    rules = {
        "the acoustic sum rule": constants.sum_residual,
        "index symmetry": constants.index_residual,
        "translational symmetry": constants.translation_residual,
    }
    return [
        warning
        for rule, size in rules.items()
        for warning in warnings_of_rule("the force constants", rule, size, constants.largest)
    ]


def _warnings_of_frames(frames: Sequence[MappedRun], lost: Sequence[int]) -> list[str]:
    found = []
    if any(lost):
        found.append(f"{sum(lost)} frames with numbers that are not finite are left out")
    limit = LARGEST_HOP * float(nearest_distances(frames[0].mapping.ideal).min())
    gone = 0
    for run in frames:
        for part in frame_chunks(*run.run.positions.shape[:2]):
            gone += int((np.linalg.norm(run.displacements(part), axis=2).max(axis=1) > limit).sum())
    if gone:
        n_frames = sum(len(run.run.positions) for run in frames)
        found.append(
            f"in {gone} of {n_frames} frames an atom is more than {limit:.2f} Å from its site, half the distance of "
            "neighbours: harmonic forces mean little there"
        )
    return found
