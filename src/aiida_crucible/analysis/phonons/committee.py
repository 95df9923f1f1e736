"""What the members of a committee say of a crystal's phonons, and what their spread hides.

Each member's forces give force constants and frequencies of their own: direct propagation, as in Kellner and Ceriotti,
Mach. Learn.: Sci. Technol. 5, 035006 (2024), sec. 2. Their standard deviation says how far the model may be from what
it was trained on; the number of members is small, so that Student's distribution gives the interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.phonons.force_constants import DisplacementPlan, duplicate, solve_force_constants
from aiida_crucible.analysis.phonons.spectra import frequencies_at
from aiida_crucible.analysis.phonons.stability import Modes
from aiida_crucible.analysis.statistics.members import interval_factor


@dataclass(frozen=True)
class MemberPhonons:
    """The frequencies of each member.

    :param frequencies: THz, imaginary ones negative, ascending, shape [n_members, n_q, n_modes].
    """

    frequencies: NDArray[np.float64]

    @property
    def n_members(self) -> int:
        """How many members there are."""
        return len(self.frequencies)

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation of the frequencies over the members, THz, shape [n_q, n_modes]."""
        return np.asarray(self.frequencies.std(axis=0, ddof=1))

    def widen(self, modes: Modes, coverage_factor: float) -> Modes:
        """Return modes whose sign counts as known only where the members' spread leaves it so.

        :param modes: at the same wave vectors.
        :param coverage_factor: standard deviations of a normal distribution that count as a difference.
        """
        squares = np.sign(self.frequencies) * self.frequencies**2
        factor = interval_factor(self.n_members, coverage_factor)
        doubt = np.where(modes.trivial, 0.0, factor * squares.std(axis=0, ddof=1))
        return replace(modes, resolvable=np.hypot(modes.resolvable, doubt), hidden_by="the committee's spread")

    def describe(self, modes: Modes, on_mesh: slice) -> dict[str, Any]:
        """Return what a summary says: how many members, the lowest frequency of each, and their spread, THz.

        :param modes: at the same wave vectors.
        :param on_mesh: which of them are of the mesh.
        """
        counted = ~modes.trivial[on_mesh]
        spread = self.spread[on_mesh][counted]
        return {
            "n_members": self.n_members,
            "lowest_mesh_frequencies": self.frequencies[:, on_mesh][:, counted].min(axis=1).tolist(),
            "largest_spread": float(spread.max()),
            "mean_spread": float(spread.mean()),
        }


def member_phonons(
    phonon: Phonopy, plan: DisplacementPlan, forces: NDArray[np.float64], qpoints: NDArray[np.float64]
) -> MemberPhonons:
    """Return the frequencies that each member's forces give.

    :param phonon: the crystal; its force constants are left alone, its NAC parameters are used.
    :param forces: of the supercells of the plan, eV/Å, shape [n_supercells, n_members, n_atoms, 3].
    :param qpoints: reduced, shape [n_q, 3].
    """
    frequencies = []
    for member in range(forces.shape[1]):
        other = duplicate(phonon)
        solve_force_constants(other, plan.sets[0], plan.split(np.asarray(forces[:, member], dtype=float)).sets[0])
        if phonon.nac_params is not None:
            other.nac_params = phonon.nac_params
        frequencies.append(frequencies_at(other, qpoints))
    return MemberPhonons(np.array(frequencies))
