"""The transport equation of phonons on two meshes of wave vectors, by phono3py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.conductivity.settings import DIRECT
from aiida_crucible.analysis.phonons.spectra import TRANSLATION_CUTOFF

if TYPE_CHECKING:
    from phono3py import Phono3py

Array = NDArray[np.float64]

LEAST_WIDTH = 1e-10
"""THz; of a mode that nothing scatters a supercell or a mesh is to blame that is too small: a lifetime of a millisecond
is no phonon's, and makes a conductivity of any size."""

SYMMETRIC = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
"""Places of phono3py's xx, yy, zz, yz, xz, xy in a tensor."""


WELL_DEFINED = {"exclude_gamma_acoustic": True, "average_degenerate_weights": True}
"""Without these a conductivity depends by half a per cent on which of many eigenvectors an eigensolver returns for
modes of one frequency, and so on rounding; translations at Γ have no frequency of their own."""


@dataclass(frozen=True)
class Transport:
    """What the phonons of one mesh carry.

    :param conductivity: W/(m K), [n_temperatures, 3, 3]; NaN where phono3py gives none.
    :param qpoints: irreducible wave vectors, reduced, [n_q, 3].
    :param weights: how many of the mesh each stands for, [n_q].
    :param frequencies: THz, [n_q, n_modes].
    :param linewidths: half widths at half maximum, THz, [n_temperatures, n_q, n_modes]; the lifetime is 1 / (4 π Γ).
    """

    conductivity: Array
    qpoints: Array
    weights: NDArray[np.int64]
    frequencies: Array
    linewidths: Array

    @property
    def unscattered(self) -> int:
        """How many modes of the irreducible wave vectors nothing scatters, even at the highest temperature."""
        return int(np.sum((self.linewidths[-1] < LEAST_WIDTH) & (self.frequencies > TRANSLATION_CUTOFF)))


def transport(crystal: Phono3py, mesh: list[int], settings: Mapping[str, Any]) -> Transport:
    """Return the conductivity on one mesh, by the linear tetrahedron method.

    The relaxation times of A. Togo, L. Chaput and I. Tanaka, Phys. Rev. B 91, 094306 (2015), Eqs. 8, 11 and 14; or the
    direct solution of L. Chaput, Phys. Rev. Lett. 110, 265506 (2013).

    :param crystal: with its force constants of both orders.
    :param settings: ``method``, ``isotopes``, ``temperatures`` (K).
    """
    crystal.mesh_numbers = mesh
    crystal.init_phph_interaction(**WELL_DEFINED)
    crystal.run_thermal_conductivity(
        is_LBTE=settings["method"] == DIRECT,
        temperatures=settings["temperatures"],
        is_isotope=settings["isotopes"],
        log_level=0,
    )
    found: Any = crystal.thermal_conductivity
    return Transport(
        conductivity=np.array(found.kappa, dtype=float)[0][:, SYMMETRIC],
        qpoints=np.array(found.qpoints, dtype=float),
        weights=np.array(found.grid_weights, dtype=np.int64),
        frequencies=np.array(found.frequencies, dtype=float),
        linewidths=np.array(found.gamma, dtype=float)[0],
    )


def imaginary_modes(crystal: Phono3py, mesh: list[int]) -> tuple[int, float]:
    """Return how many modes of a mesh are imaginary, those at Γ that are translations not counted, and the lowest, THz.

    :param crystal: with its harmonic force constants.
    """
    crystal.mesh_numbers = mesh
    crystal.init_phph_interaction(**WELL_DEFINED)
    crystal.run_phonon_solver()
    frequencies, _, _ = crystal.get_phonon_data()
    # Of several equivalent wave vectors at the border of the zone each counts.
    return int(np.sum(frequencies < -TRANSLATION_CUTOFF)), float(np.min(frequencies))
