"""Is a crystal dynamically stable? A verdict that knows which frequencies it can resolve.

Noise of the size that :mod:`force_noise` measured is carried through the very steps that the forces went through:
fit, symmetrisation, Fourier transform. All of them are linear, so that the shift of a mode's squared frequency is
δ(ω²) = e† δD e (first-order perturbation theory; e is the mode's eigenvector). Its standard deviation over random
noise, times a coverage factor, is what ω² must differ from zero by. Acoustic modes nearer to Γ than the supercell
resolves carry the error of interpolation as well, see :mod:`long_waves`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.phonons.force_constants import (
    Displacement,
    duplicate,
    fit_force_constants,
    symmetrise_force_constants,
)
from aiida_crucible.analysis.phonons.long_waves import (
    distances_to_gamma,
    dynamical_matrices,
    internal_modes,
    long_wave_error,
    resolution_radius,
    translations,
)
from aiida_crucible.analysis.phonons.spectra import clear_rounding, rounding_floor

COVERAGE_FACTOR = 3.0
"""Standard deviations of noise that a squared frequency must differ from zero by to count."""

NOISE_SAMPLES = 16
"""Random force sets; the standard deviation is then known to 1 / sqrt(2 · 16) = 18 %."""

DEGENERACY = 1e-3
"""Distance of squared frequencies, relative to the largest, below which noise mixes modes."""

ROUNDING = 100 * np.finfo(float).eps
"""Rounding error of an eigenvalue, relative to the largest one."""

MATRIX_ELEMENTS = 4_000_000
"""Elements of the dynamical matrices that are held at once."""

ACOUSTIC_SHARE = 0.5
"""Share of a mode that must be a uniform translation for it to count as acoustic."""


class Verdict(str, enum.Enum):
    """What the phonons say of a crystal's dynamical stability."""

    STABLE = "stable"
    IMAGINARY = "imaginary"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True)
class Modes:
    """Modes at some wave vectors and what can be known of them.

    :param qpoints: reduced, of the primitive cell's reciprocal lattice, shape [n_q, 3].
    :param squares: signed squared frequencies, THz², shape [n_q, n_modes].
    :param resolvable: least difference of a squared frequency from zero that counts, THz², shape [n_q, n_modes].
    :param trivial: the three translations at Γ, zero by the sum rule, shape [n_q, n_modes].
    :param interpolated: acoustic modes nearer to Γ than the supercell resolves, shape [n_q, n_modes].
    :param hidden_by: what makes a sign unknown, in words.
    """

    qpoints: NDArray[np.float64]
    squares: NDArray[np.float64]
    resolvable: NDArray[np.float64]
    trivial: NDArray[np.bool_]
    interpolated: NDArray[np.bool_]
    hidden_by: str = "the force noise"

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """THz, imaginary ones negative, shape [n_q, n_modes]."""
        return signed_root(self.squares)

    @property
    def resolvable_frequencies(self) -> NDArray[np.float64]:
        """The frequency below which the sign of a mode's ω² is not known, THz, shape [n_q, n_modes]."""
        return np.sqrt(self.resolvable)


@dataclass(frozen=True)
class StabilityVerdict:
    """The verdict and the mode that decided it.

    :param verdict: stable, imaginary or cannot-tell.
    :param reason: one line for a person.
    :param qpoint: wave vector of the deciding mode, reduced; for a stable crystal the lowest judged mode's.
    :param branch: its index at that wave vector.
    :param frequency: THz, negative if imaginary.
    :param resolvable_frequency: the frequency below which the sign of this mode's ω² is not known, THz.
    :param remark: one line on acoustic modes near Γ that interpolation makes imaginary; empty where there are none.
    """

    verdict: Verdict
    reason: str
    qpoint: tuple[float, float, float]
    branch: int
    frequency: float
    resolvable_frequency: float
    remark: str


def signed_root(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return frequencies from signed squares; those of negative squares are negative."""
    return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)))


def resolve_modes(
    phonon: Phonopy,
    displacements: Sequence[Displacement],
    noise: float,
    qpoints: NDArray[np.float64],
    *,
    coverage_factor: float = COVERAGE_FACTOR,
    samples: int = NOISE_SAMPLES,
    seed: int = 0,
) -> Modes:
    """Return the modes at wave vectors with the squared frequency that can be told from zero in each.

    :param displacements: those that the force constants came from.
    :param noise: standard deviation of a force component, eV/Å.
    :param qpoints: reduced, shape [n_q, 3].
    :param coverage_factor: standard deviations that count as a difference.
    """
    sampler = duplicate(phonon)
    shifts = _noise_force_constants(sampler, displacements, noise, samples, seed)
    bare = duplicate(phonon)
    bare.force_constants = phonon.force_constants
    # Dynamical matrices of all wave vectors at once would not fit into memory for a large primitive cell.
    count = max(1, MATRIX_ELEMENTS // (3 * len(phonon.primitive)) ** 2)
    floor = rounding_floor(phonon)
    parts = []
    for start in range(0, len(qpoints), count):
        part = qpoints[start : start + count]
        squares, vectors, trivial = _solve(phonon, part)
        squares = clear_rounding(squares, floor**2)
        variances = _shift_variances(sampler, shifts, part, squares, vectors)
        resolvable = coverage_factor * np.sqrt(variances) + ROUNDING * np.abs(squares).max() * squares.shape[1]
        interpolated = _interpolated_acoustic(phonon, part, vectors) & ~trivial
        resolvable += np.where(interpolated, long_wave_error(bare, part)[:, None], 0.0)
        parts.append((squares, np.where(trivial, 0.0, resolvable), trivial, interpolated))
    squares, resolvable, trivial, interpolated = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Modes(qpoints, squares, resolvable, trivial, interpolated)


def judge_stability(modes: Modes) -> StabilityVerdict:
    """Return the verdict on modes at wave vectors that should include the ones that fit into the supercell.

    Imaginary: the ω² of a mode is below zero by more than can be resolved. Cannot tell: the ω² of a mode is too near
    to zero, or the only imaginary modes are acoustic ones near Γ, where a larger supercell must decide. Stable: all
    else. Acoustic modes near Γ within the error of interpolation do not count: there is nothing known of them.
    """
    imaginary = ~modes.trivial & (modes.squares < -modes.resolvable)
    judged = ~modes.trivial & ~modes.interpolated
    unresolved = judged & (np.abs(modes.squares) <= modes.resolvable)
    for chosen, verdict, text in (
        (imaginary & judged, Verdict.IMAGINARY, "an imaginary mode beyond the noise floor"),
        (
            imaginary & modes.interpolated,
            Verdict.CANNOT_TELL,
            "an imaginary acoustic mode nearer to Γ than the supercell resolves (take a larger one)",
        ),
        (unresolved, Verdict.CANNOT_TELL, f"a mode whose sign {modes.hidden_by} hides"),
        (judged, Verdict.STABLE, "every mode is real beyond the noise floor, the lowest"),
    ):
        if chosen.any():
            return _decide(modes, chosen, verdict, text)
    raise ValueError("there is no mode to judge: give wave vectors other than Γ")


def _solve(
    phonon: Phonopy, qpoints: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.complex128], NDArray[np.bool_]]:
    """Return squares [n_q, n_modes], eigenvectors as columns [n_q, n_modes, n_modes], and which modes are trivial.

    At Γ the translations are taken out first: a soft optical mode near zero would mix with them otherwise.
    """
    matrices = dynamical_matrices(phonon, qpoints)
    squares, vectors = np.linalg.eigh(matrices)
    trivial = np.zeros(squares.shape, dtype=bool)
    outer, inner = translations(phonon), internal_modes(phonon)
    for index in np.flatnonzero(distances_to_gamma(phonon, qpoints) < 1e-8):
        optical, optical_vectors = np.linalg.eigh(inner.T @ matrices[index] @ inner)
        together = np.concatenate([np.zeros(3), optical])
        order = np.argsort(together, kind="stable")
        squares[index] = together[order]
        vectors[index] = np.concatenate([outer, inner @ optical_vectors], axis=1)[:, order]
        trivial[index] = order < 3
    return squares, vectors, trivial


def _noise_force_constants(
    sampler: Phonopy, displacements: Sequence[Displacement], noise: float, samples: int, seed: int
) -> list[NDArray[np.float64]]:
    """Return the force constants, eV/Å², that random forces of the noise's size alone would give."""
    generator = np.random.default_rng(seed)
    shape = (len(displacements), len(sampler.supercell), 3)
    found = []
    for _ in range(samples):
        fit_force_constants(sampler, displacements, noise * generator.standard_normal(shape))
        found.append(symmetrise_force_constants(sampler))
    return found


def _shift_variances(
    sampler: Phonopy,
    shifts: list[NDArray[np.float64]],
    qpoints: NDArray[np.float64],
    squares: NDArray[np.float64],
    vectors: NDArray[np.complex128],
) -> NDArray[np.float64]:
    """Return the variance of every squared frequency, THz⁴, shape [n_q, n_modes]."""
    coupled = np.abs(squares[:, :, None] - squares[:, None, :]) < DEGENERACY * np.abs(squares).max()
    bras = vectors.conj().transpose(0, 2, 1)
    variances = np.zeros_like(squares)
    for force_constants in shifts:
        sampler.force_constants = force_constants
        shift = bras @ dynamical_matrices(sampler, qpoints) @ vectors
        # Noise splits degenerate modes: the row's norm within the group bounds the shift of the lowest of them.
        variances += (np.where(coupled, np.abs(shift), 0.0) ** 2).sum(axis=2)
    return variances / len(shifts)


def _interpolated_acoustic(
    phonon: Phonopy, qpoints: NDArray[np.float64], vectors: NDArray[np.complex128]
) -> NDArray[np.bool_]:
    share = (np.abs(translations(phonon).T @ vectors) ** 2).sum(axis=1)
    near = distances_to_gamma(phonon, qpoints) < resolution_radius(phonon) - 1e-8
    return np.asarray(near[:, None] & (share > ACOUSTIC_SHARE))


def _decide(modes: Modes, chosen: NDArray[np.bool_], verdict: Verdict, text: str) -> StabilityVerdict:
    index, branch = _lowest(modes, chosen)
    frequency = float(modes.frequencies[index, branch])
    floor = float(modes.resolvable_frequencies[index, branch])
    q = tuple(float(value) for value in modes.qpoints[index])
    reason = f"{text}: {frequency:+.3f} THz at q = {_point(modes, index)}, resolvable {floor:.3g} THz"
    return StabilityVerdict(verdict, reason, (q[0], q[1], q[2]), branch, frequency, floor, _remark(modes))


def _remark(modes: Modes) -> str:
    dips = modes.interpolated & (modes.squares < 0) & (modes.squares >= -modes.resolvable)
    if not dips.any():
        return ""
    index, branch = _lowest(modes, dips)
    return (
        f"acoustic modes near Γ dip to {modes.frequencies[index, branch]:+.3f} THz at q = {_point(modes, index)}, "
        f"within the interpolation error of this supercell ({modes.resolvable_frequencies[index, branch]:.3g} THz)"
    )


def _lowest(modes: Modes, chosen: NDArray[np.bool_]) -> tuple[int, int]:
    squares = np.where(chosen, modes.squares, np.inf)
    index, branch = np.unravel_index(np.argmin(squares), squares.shape)
    return int(index), int(branch)


def _point(modes: Modes, index: int) -> str:
    # Rounded first, so that a path's -1e-18 is no "-0".
    return "({:.4g}, {:.4g}, {:.4g})".format(*(np.round(modes.qpoints[index], 6) + 0.0))
