"""From the forces of displaced supercells to everything that is said of a crystal's phonons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix, space_group
from aiida_crucible.analysis.phonons import settings as phonon_settings
from aiida_crucible.analysis.phonons.born_charges import add_born_charges
from aiida_crucible.analysis.phonons.committee import member_phonons
from aiida_crucible.analysis.phonons.force_constants import (
    DisplacementForces,
    DisplacementPlan,
    ForceConstants,
    build_phonopy,
    duplicate,
    plan_displacements,
    solve_force_constants,
)
from aiida_crucible.analysis.phonons.force_noise import ForceNoise, measure_force_noise
from aiida_crucible.analysis.phonons.long_waves import commensurate_points
from aiida_crucible.analysis.phonons.spectra import (
    ThermalProperties,
    band_frequencies,
    density_of_states,
    frequencies_at,
    group_velocities,
    irreducible_mesh,
    thermal_properties,
)
from aiida_crucible.analysis.phonons.stability import Modes, StabilityVerdict, judge_stability, resolve_modes


def frequencies_by_amplitude(
    phonon: Phonopy, plan: DisplacementPlan, forces: DisplacementForces, qpoints: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the frequencies that each amplitude gives, THz, ascending, shape [n_amplitudes, n_q, n_modes].

    :param phonon: the crystal; its force constants are left alone, its NAC parameters are used.
    :param qpoints: reduced, shape [n_q, 3].
    """
    frequencies = []
    for displacements, set_forces in zip(plan.sets, forces.sets, strict=True):
        other = duplicate(phonon)
        solve_force_constants(other, displacements, set_forces)
        if phonon.nac_params is not None:
            other.nac_params = phonon.nac_params
        frequencies.append(frequencies_at(other, qpoints))
    return np.array(frequencies)


def error_bars(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the range of each frequency over the amplitudes, THz, shape [n_q, n_modes].

    :param frequencies: THz, shape [n_amplitudes, n_q, n_modes].
    """
    return np.asarray(np.ptp(frequencies, axis=0) / 2)


@dataclass(frozen=True)
class BornCharges:
    """Input of the non-analytical correction.

    :param charges: of the unit cell's atoms, e, shape [n_atoms, 3, 3].
    :param dielectric: high-frequency dielectric tensor, shape [3, 3].
    """

    charges: NDArray[np.float64]
    dielectric: NDArray[np.float64]


@dataclass(frozen=True)
class Bands:
    """Bands along a path.

    :param qpoints: reduced, shape [n_q, 3].
    :param labels: index and name of each segment's ends.
    :param frequencies: THz, shape [n_q, n_modes].
    :param resolvable: the frequency below which the sign of a mode's ω² is not known, THz, shape [n_q, n_modes].
    :param spread: standard deviation over the members of a committee, THz, shape [n_q, n_modes]; ``None`` without one.
    """

    qpoints: NDArray[np.float64]
    labels: list[tuple[int, str]]
    frequencies: NDArray[np.float64]
    resolvable: NDArray[np.float64]
    spread: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class MeshPhonons:
    """Phonons at the irreducible wave vectors of a mesh; what is not told is as :class:`Bands` has it.

    :param weights: how many wave vectors of the mesh each stands for, shape [n_q].
    :param group_velocities: Å·THz, Cartesian, shape [n_q, n_modes, 3].
    :param error_bars: half the range over the amplitudes, THz, shape [n_q, n_modes]; ``None`` with a single one.
    """

    qpoints: NDArray[np.float64]
    weights: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    resolvable: NDArray[np.float64]
    group_velocities: NDArray[np.float64]
    error_bars: NDArray[np.float64] | None
    spread: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class PhononAnalysis:
    """All that a phonon calculation gives; ``dos`` are frequencies (THz), total and by element (1/THz)."""

    phonon: Phonopy
    force_constants: ForceConstants
    noise: ForceNoise
    verdict: StabilityVerdict
    bands: Bands
    mesh: MeshPhonons
    dos: tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.float64]]]
    thermal: ThermalProperties
    summary: dict[str, Any]


def prepare(atoms: Atoms, settings: Mapping[str, Any]) -> tuple[Phonopy, DisplacementPlan]:
    """Return the phonopy object of a crystal and the supercells to evaluate; the same for the same arguments.

    :param settings: complete, see :mod:`aiida_crucible.analysis.phonons.settings`.
    """
    matrix = chosen_supercell_matrix(settings, atoms.cell.array)
    phonon = build_phonopy(atoms, matrix, settings["symmetry_tolerance"], settings["primitive"])
    amplitudes = [settings["displacement"], *settings["other_displacements"]]
    return phonon, plan_displacements(phonon, amplitudes, settings["plusminus"])


@dataclass(frozen=True)
class _Solution:
    """A crystal with its force constants, and what they came from."""

    phonon: Phonopy
    plan: DisplacementPlan
    forces: DisplacementForces
    noise: ForceNoise
    constants: ForceConstants

    def modes(self, settings: Mapping[str, Any], qpoints: Sequence[NDArray[np.float64]]) -> Modes:
        """Return the modes at wave vectors, reduced, shape [n_q, 3] each."""
        return resolve_modes(
            self.phonon,
            self.plan.sets[0],
            self.noise.floor,
            np.concatenate(qpoints),
            coverage_factor=settings["coverage_factor"],
            samples=settings["noise_samples"],
        )


def _solve(
    atoms: Atoms, settings: Mapping[str, Any], forces: NDArray[np.float64], born: BornCharges | None
) -> _Solution:
    phonon, plan = prepare(atoms, settings)
    split = plan.split(np.asarray(forces, dtype=float))
    noise = measure_force_noise(phonon, plan, split)
    constants = solve_force_constants(phonon, plan.sets[0], split.sets[0])
    if born is not None:
        add_born_charges(phonon, born.charges, born.dielectric)
    return _Solution(phonon, plan, split, noise, constants)


def solve(
    atoms: Atoms,
    settings: Mapping[str, Any],
    forces: NDArray[np.float64],
    ensemble: NDArray[np.float64] | None = None,
) -> tuple[Phonopy, ForceConstants, dict[str, Any]]:
    """Return the force constants of a crystal and what they say of its stability, without bands and densities.

    Arguments are those of :func:`analyse`.

    :return: phonopy's object, the force constants, and the part of the summary of :func:`analyse` that follows.
    """
    solved = _solve(atoms, settings, forces, None)
    phonon = solved.phonon
    mesh_points, _ = irreducible_mesh(phonon, settings["mesh"], settings["mesh_gamma_centred"])
    points = [mesh_points, commensurate_points(phonon)]
    modes = solved.modes(settings, points)
    if ensemble is not None:
        members = member_phonons(phonon, solved.plan, ensemble, np.concatenate(points))
        modes = members.widen(modes, settings["coverage_factor"])
    summary = _summary(atoms, settings, solved, modes, slice(0, len(mesh_points)))
    return phonon, solved.constants, summary


def analyse(
    atoms: Atoms,
    settings: Mapping[str, Any],
    forces: NDArray[np.float64],
    born: BornCharges | None = None,
    ensemble: NDArray[np.float64] | None = None,
) -> PhononAnalysis:
    """Return the phonons of a crystal.

    :param forces: of the supercells of :func:`prepare`, finite, eV/Å, shape [n_supercells, n_atoms, 3].
    :param born: for the non-analytical correction.
    :param ensemble: what each member of a committee says of the forces, eV/Å, shape [n_supercells, n_members, n_atoms,
        3]; what their spread hides cannot be told.
    """
    solved = _solve(atoms, settings, forces, born)
    phonon, plan = solved.phonon, solved.plan
    path = phonon_settings.band_path(settings, phonon)
    path_points, labels = path.sample(settings["band_points"])
    mesh_points, weights = irreducible_mesh(phonon, settings["mesh"], settings["mesh_gamma_centred"])
    points = [path_points, mesh_points, commensurate_points(phonon)]
    modes = solved.modes(settings, points)
    members = None if ensemble is None else member_phonons(phonon, plan, ensemble, np.concatenate(points))
    spread = None
    if members is not None:
        modes, spread = members.widen(modes, settings["coverage_factor"]), members.spread
    on_path, on_mesh = slice(0, len(path_points)), slice(len(path_points), len(path_points) + len(mesh_points))
    resolvable = modes.resolvable_frequencies
    bands = Bands(path_points, labels, band_frequencies(phonon, path, settings["band_points"]), resolvable[on_path])
    if spread is not None:
        bands = replace(bands, spread=spread[on_path])
    by_amplitude = _by_amplitude(phonon, plan, solved.forces, mesh_points)
    mesh = MeshPhonons(
        mesh_points,
        weights,
        modes.frequencies[on_mesh],
        resolvable[on_mesh],
        group_velocities(phonon, mesh_points),
        None if by_amplitude is None else error_bars(by_amplitude[0]),
        None if spread is None else spread[on_mesh],
    )
    temperatures = np.arange(0, settings["max_temperature"] + 1e-6, settings["temperature_step"])
    thermal = thermal_properties(phonon, settings["dos_mesh"], temperatures)
    dos = density_of_states(phonon, settings["dos_mesh"], settings["dos_by_element"])
    verdict = judge_stability(modes)
    counted = ~modes.trivial[on_mesh]
    summary = {
        **_summary(atoms, settings, solved, modes, on_mesh),
        "highest_frequency": float(max(mesh.frequencies.max(), bands.frequencies.max())),
        "zero_point_energy": float(thermal.free_energy[0]),
        "amplitudes": None if by_amplitude is None else _describe_amplitudes(plan, *by_amplitude, counted),
        **({} if members is None else {"committee": members.describe(modes, on_mesh)}),
    }
    return PhononAnalysis(phonon, solved.constants, solved.noise, verdict, bands, mesh, dos, thermal, summary)


def _by_amplitude(
    phonon: Phonopy, plan: DisplacementPlan, forces: DisplacementForces, mesh_points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the frequencies by amplitude on the mesh and at Γ; ``None`` with a single amplitude."""
    if len(plan.amplitudes) == 1:
        return None
    found = frequencies_by_amplitude(phonon, plan, forces, np.concatenate([mesh_points, np.zeros((1, 3))]))
    return found[:, :-1], found[:, -1]


def _summary(
    atoms: Atoms, settings: Mapping[str, Any], solved: _Solution, modes: Modes, on_mesh: slice
) -> dict[str, Any]:
    phonon, plan, verdict = solved.phonon, solved.plan, judge_stability(modes)
    counted = ~modes.trivial & ~modes.interpolated
    return {
        "space_group": space_group(atoms, settings["symmetry_tolerance"]),
        "supercell_matrix": np.array(phonon.supercell_matrix).tolist(),
        "n_atoms_primitive": len(phonon.primitive),
        "n_atoms_supercell": len(phonon.supercell),
        "displacement": plan.amplitudes[0],
        "n_displacements": len(plan.sets[0]),
        "n_supercells": len(plan.displacements()),
        "outcome": verdict.verdict.value,
        "verdict": {**asdict(verdict), "verdict": verdict.verdict.value, "qpoint": list(verdict.qpoint)},
        "force_noise": {**asdict(solved.noise), "floor": solved.noise.floor},
        "coverage_factor": settings["coverage_factor"],
        "largest_resolvable_frequency": float(modes.resolvable_frequencies[counted].max()),
        "acoustic_sum_residual": solved.constants.acoustic_sum_residual,
        "index_symmetry_residual": solved.constants.index_symmetry_residual,
        "lowest_mesh_frequency": float(modes.frequencies[on_mesh][~modes.trivial[on_mesh]].min()),
        "gamma_frequencies": frequencies_at(phonon, np.zeros((1, 3)))[0].tolist(),
    }


def _describe_amplitudes(
    plan: DisplacementPlan, on_mesh: NDArray[np.float64], at_gamma: NDArray[np.float64], counted: NDArray[np.bool_]
) -> dict[str, Any]:
    return {
        "displacements": list(plan.amplitudes),
        "lowest_mesh_frequencies": on_mesh[:, counted].min(axis=1).tolist(),
        "gamma_frequencies": at_gamma.tolist(),
        "largest_error_bar": float(error_bars(on_mesh).max()),
    }
