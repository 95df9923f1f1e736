"""Averages of one potential's trajectory as another potential would have them.

Frames drawn with the energy V stand for those of another energy V' if each counts as exp(-(V' - V) / kT) (Torrie and
Valleau, J. Comput. Phys. 23, 187 (1977)): the members of an ensemble say so what a run of their own would have given
(Imbalzano et al., J. Chem. Phys. 154, 074102 (2021), sec. II D). It holds as long as enough frames count: of weights
that are far from equal a few frames are left, and with them nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.units import kB
from numpy.typing import NDArray

from aiida_crucible.analysis.statistics.averages import average
from aiida_crucible.analysis.statistics.members import half_interval

FEWEST_EFFECTIVE = 20.0
"""Independent frames that have to count before an average is believed: its error is known to a sixth then."""


@dataclass(frozen=True)
class Reweighted:
    """What the members make of the averages of a run.

    :param n_frames: that were weighed.
    :param n_independent: of them, for what is most correlated.
    :param effective_samples: independent frames that count for each member, [n_members].
    :param spreads: standard deviation of each member's energy about the mean's over the frames, in kT, [n_members].
    :param means: of each quantity, over the frames as they are.
    :param members: of each quantity, by each member, [n_members].
    """

    n_frames: int
    n_independent: float
    effective_samples: NDArray[np.float64]
    spreads: NDArray[np.float64]
    means: dict[str, float]
    members: dict[str, NDArray[np.float64]]

    @property
    def is_known(self) -> bool:
        """Whether enough frames count for every member."""
        return bool(self.effective_samples.min() >= FEWEST_EFFECTIVE)

    def describe(self) -> dict[str, Any]:
        """Return it as plain data: what the members say is left out where too few frames count for one of them."""
        known = self.is_known
        return {
            "n_frames": self.n_frames,
            "n_independent": self.n_independent,
            "effective_samples": self.effective_samples.tolist(),
            "spreads": self.spreads.tolist(),
            "known": known,
            "means": self.means,
            "members": {name: values.tolist() for name, values in self.members.items()} if known else {},
            "intervals": {name: half_interval(values.tolist()) for name, values in self.members.items()}
            if known
            else {},
        }


def reweight(
    energies: NDArray[np.float64],
    members: NDArray[np.float64],
    temperature: float,
    values: Mapping[str, NDArray[np.float64]],
) -> Reweighted:
    """Return the averages of quantities as each member would have them.

    The number of frames that count is Kish's (Survey Sampling, 1965), (Σ w)² / Σ w², as a share of the frames that are
    independent, see :func:`aiida_crucible.analysis.statistics.averages.average`.

    :param energies: of the whole cell by the potential that drew the frames, eV, shape [n_frames].
    :param members: of the same cells by each member, eV, shape [n_frames, n_members].
    :param temperature: K.
    :param values: quantities in each frame, shapes [n_frames].
    :raises ValueError: one line, if shapes differ, a number is not finite, or there are fewer than two frames.
    """
    n_frames = len(energies)
    if n_frames < 2:
        raise ValueError(f"{n_frames} frame is no average: keep more frames")
    if members.ndim != 2 or len(members) != n_frames or any(len(series) != n_frames for series in values.values()):
        raise ValueError(f"members {members.shape} and values are not of {n_frames} frames")
    if not all(np.isfinite(array).all() for array in (energies, members, *values.values())):
        raise ValueError("energies or values are not finite: leave out the frames after the run failed")
    differences = (members - energies[:, None]) / (kB * temperature)
    exponents = differences.min(axis=0) - differences
    weights = np.exp(exponents)
    weights /= weights.sum(axis=0)
    # A quantity that does not change (a length that is kept) says nothing of how many frames are independent.
    changing = [series for series in values.values() if np.ptp(series) > 1e-9 * np.abs(series).max()]
    n_independent = min((average(series, cut=0).n_effective for series in changing), default=float(n_frames))
    share = n_independent / n_frames
    return Reweighted(
        n_frames=n_frames,
        n_independent=n_independent,
        effective_samples=share / (weights**2).sum(axis=0),
        spreads=differences.std(axis=0),
        means={name: float(series.mean()) for name, series in values.items()},
        members={name: series @ weights for name, series in values.items()},
    )
