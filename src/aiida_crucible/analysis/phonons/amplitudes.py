"""How far frequencies depend on the length of the displacements: the error bar of anharmonicity and kinks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.phonons.force_constants import (
    DisplacementForces,
    DisplacementPlan,
    duplicate,
    solve_force_constants,
)
from aiida_crucible.analysis.phonons.spectra import frequencies_at


def frequencies_by_amplitude(
    phonon: Phonopy, plan: DisplacementPlan, forces: DisplacementForces, qpoints: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the frequencies that each amplitude gives, THz, ascending, shape [n_amplitudes, n_q, n_modes].

    :param phonon: the crystal; its force constants are left alone, its NAC parameters are used.
    :param plan: the supercells, in several amplitudes.
    :param forces: their forces.
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
