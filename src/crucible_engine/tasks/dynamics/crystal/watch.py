"""Monitors a running dynamics: whether the crystal stays one, and whether the model gives sensible numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.crystal.disorder import BraggOrder, SiteDisorder
from crucible_engine.tasks.dynamics.crystal.neighbours import NeighbourTracker, find_neighbours
from crucible_engine.wire.schema import OUTCOMES_OF_DYNAMICS

CONFIRMATION_TIME, CONFIRMATION_LOOKS = 500.0, 5
"""fs and looks without exception for which a species must be off its sites: longer than a swing of a soft mode."""
CHANCE = 6.0
"""Standard deviations beyond which a temperature is no thermal fluctuation: one look in 10⁹ finds more by chance."""
ORDER_LIMIT = 0.2
"""A crystal keeps more than that of the intensity of its strong Bragg peaks: vibrations of a fifth of the
nearest-neighbour distance, where no crystal is stable any more (Lindemann), leave 0.45 in fcc."""
KEPT = ("off_sites", "highest_lindemann", "unordered", "worst", "highest_temperature")
"""What a look changes besides the neighbours."""
LIQUID_PEAK = 2.85
"""Height of the structure factor of a liquid at freezing (Hansen and Verlet, Phys. Rev. 1969, 184, 151)."""


@dataclass(frozen=True)
class Finding:
    """What a look at a run found.

    :param outcome: one of :data:`crucible_engine.wire.schema.OUTCOMES_OF_DYNAMICS`, not ``stable``.
    :param reason: one line for a person.
    :param evidence: the numbers behind it, JSON-serializable.
    """

    outcome: str
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


class Watch:
    """Looks at a run every so many steps and says when it has become worse than it was.

    :param reference: the structure in which the run begins, as the integrator has it.
    :param parameters: the validated parameters of ``dynamics``.
    :param target_temperature: of the replica at its beginning, K.
    """

    def __init__(self, reference: Atoms, parameters: Mapping[str, Any], target_temperature: float) -> None:
        self._parameters = parameters
        self._target = target_temperature
        neighbours = find_neighbours(reference)
        self._disorder = SiteDisorder(reference, neighbours)
        self._order = BraggOrder.of(reference)
        self._tracker = NeighbourTracker(reference, neighbours)
        self._pbc = reference.pbc.copy()
        self._lengths = reference.cell.lengths()
        self._volume = float(reference.get_volume()) if reference.pbc.all() else None
        self._chance = chance_temperature(3 * len(reference) - 3)
        interval = parameters["watch_interval"] * parameters["time_step"]
        self._looks_to_confirm = max(CONFIRMATION_LOOKS, math.ceil(CONFIRMATION_TIME / interval))
        self._off_sites = np.zeros(len(self._disorder.symbols), dtype=np.int64)
        self._unordered = 0
        self._worst = 0
        self._highest_temperature = 0.0
        self._highest_lindemann = np.zeros(len(self._disorder.symbols))

    def look(
        self,
        step: int,
        positions: NDArray[np.float64],
        temperature: float,
        potential_energy: float,
        cell: NDArray[np.float64],
    ) -> Finding | None:
        """Return what has become of the run, where that is worse than all that was found before.

        ``diffusive`` may so be followed by ``melted``; it alone leaves a crystal.

        :param positions: not wrapped, Å [n_atoms, 3].
        :param temperature: instantaneous, from the momenta, K.
        :param potential_energy: eV.
        :param cell: Å [3, 3].
        """
        finding = self._find_non_finite(positions, temperature, potential_energy, cell)
        if finding is None:
            self._highest_temperature = max(self._highest_temperature, temperature)
            finding = (
                self._find_hot(step, temperature)
                or self._find_runaway(cell)
                or self._find_lost(positions, cell)
                or self._find_disorder(positions, cell)
            )
        if finding is None or OUTCOMES_OF_DYNAMICS.index(finding.outcome) <= self._worst:
            return None
        self._worst = OUTCOMES_OF_DYNAMICS.index(finding.outcome)
        return finding

    def evidence(self) -> dict[str, Any]:
        """Return how near to a failure the run came: the highest temperature (K) and Lindemann ratios at any look."""
        return {
            "highest_temperature": self._highest_temperature,
            "highest_lindemann": self._by_species(self._highest_lindemann),
        }

    def state(self) -> dict[str, Any]:
        """Return all that a look changes, as arrays and numbers."""
        return {**self._tracker.state(), **{name: copy(getattr(self, f"_{name}")) for name in KEPT}}

    def require_own(self, state: Mapping[str, Any]) -> None:
        """Check what a file says that :meth:`state` returned.

        :raises ValueError: one line, if it names atoms or outcomes that do not exist.
        """
        partner = np.asarray(state["partner"])
        if partner.size and not 0 <= partner.min() <= partner.max() < len(partner):
            raise ValueError("partner names atoms that the structure has not")
        if not 0 <= int(state["worst"]) < len(OUTCOMES_OF_DYNAMICS):
            raise ValueError("worst is none of the outcomes")

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` of a watch of the same run returned."""
        self._tracker.restore({name: state[name] for name in self._tracker.state()})
        for name in KEPT:
            now = getattr(self, f"_{name}")
            is_array = isinstance(now, np.ndarray)
            setattr(self, f"_{name}", np.array(state[name], dtype=now.dtype) if is_array else type(now)(state[name]))

    def target_temperature(self, step: int) -> float:
        """Return the temperature that the run is to have at a step of its ramp, K."""
        final = self._parameters["final_temperature"]
        if final is None:
            return self._target
        done = min(1.0, step / float(self._parameters["steps"]))
        return self._target + (float(final) - self._target) * done

    def _by_species(self, values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self._disorder.symbols, values.tolist(), strict=True))

    @staticmethod
    def _find_non_finite(
        positions: NDArray[np.float64], temperature: float, potential_energy: float, cell: NDArray[np.float64]
    ) -> Finding | None:
        bad_atoms = np.flatnonzero(~np.isfinite(positions).all(axis=1))
        checks = {
            "potential energy": math.isfinite(potential_energy),
            "temperature": math.isfinite(temperature),
            "cell": bool(np.isfinite(cell).all()),
            "positions": not len(bad_atoms),
        }
        bad = [name for name, fine in checks.items() if not fine]
        if not bad:
            return None
        evidence = {"not_finite": bad, "n_atoms": len(bad_atoms)}
        return Finding("non-finite", f"NaN or infinity in the {' and the '.join(bad)}", evidence)

    def _find_hot(self, step: int, temperature: float) -> Finding | None:
        """Find a temperature far above the target, or above that of the start where the run begins hotter.

        The limit is the parameter's, or, for few atoms, what chance may give.
        """
        target = max(self.target_temperature(step), self._parameters["initial_temperature"] or 0.0)
        limit = target * max(self._parameters["temperature_limit"], self._chance)
        if temperature <= limit:
            return None
        reason = f"the temperature ran away to {temperature:.0f} K: more than {limit:.0f} K where {target:.0f} K is due"
        evidence = {"temperature": temperature, "target_temperature": target, "limit": limit}
        return Finding("exploded", reason, evidence)

    def _find_runaway(self, cell: NDArray[np.float64]) -> Finding | None:
        limit = self._parameters["length_limit"]
        ratios = np.linalg.norm(cell[self._pbc], axis=1) / self._lengths[self._pbc]
        volume = abs(float(np.linalg.det(cell))) / self._volume if self._volume else 1.0
        evidence = {"length_ratios": ratios.tolist(), "volume_ratio": volume, "limit": limit}
        for name, ratio in zip(np.array(["a", "b", "c"])[self._pbc], ratios, strict=True):
            if not 1 / limit <= ratio <= limit:
                return Finding("exploded", f"the cell ran away: {name} is {ratio:.3g} times its start", evidence)
        if not limit**-3 <= volume <= limit**3:
            return Finding("exploded", f"the cell ran away: the volume is {volume:.3g} times its start", evidence)
        return None

    def _find_lost(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> Finding | None:
        lost = self._tracker.lost(positions, cell)
        if not len(lost):
            return None
        atoms = f"atom {lost[0]} has" if len(lost) == 1 else f"{len(lost)} atoms (first: {lost[0]}) have"
        return Finding(
            "atoms-lost", f"{atoms} left all others", {"n_atoms": len(lost), "first_atoms": lost[:10].tolist()}
        )

    def _find_disorder(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> Finding | None:
        """Find species that have left their sites for good, see :class:`SiteDisorder` for what is compared.

        If every one has, it is melting where the Bragg peaks of the crystal are gone as well. A liquid of N atoms has
        peaks of the height :data:`LIQUID_PEAK` / N, which is no order.
        """
        lindemann = self._disorder.lindemann(positions, cell)
        self._highest_lindemann = np.maximum(self._highest_lindemann, lindemann)
        self._off_sites = np.where(lindemann > self._parameters["lindemann_limit"], self._off_sites + 1, 0)
        off_sites = self._off_sites >= self._looks_to_confirm
        evidence = {
            "lindemann": self._by_species(lindemann),
            "limit": self._parameters["lindemann_limit"],
            "confirmed_by_looks": self._looks_to_confirm,
        }
        gone = [symbol for symbol, is_off in zip(self._disorder.symbols, off_sites, strict=True) if is_off]
        is_ordered = self._follow_order(positions, cell, evidence)
        if not gone:
            return None
        if not off_sites.all():
            return Finding(
                "diffusive", f"{', '.join(gone)} left the sites of the crystal that the others keep", evidence
            )
        if self._order is None:
            return Finding("melted", "every species left its sites", evidence)
        intensity = f"{evidence['bragg_intensity']:.2g} of the crystal's Bragg intensity remains"
        if is_ordered:
            return Finding("diffusive", f"every species left its sites for others: {intensity}", evidence)
        if self._unordered >= self._looks_to_confirm:
            return Finding("melted", f"every species left its sites, and {intensity}", evidence)
        return None

    def _follow_order(
        self, positions: NDArray[np.float64], cell: NDArray[np.float64], evidence: dict[str, Any]
    ) -> bool:
        """Return whether there is a crystal, and add to the evidence; only where all species are off their sites."""
        if self._order is None or not (self._off_sites > 0).all():
            self._unordered = 0
            return self._order is not None
        intensity = self._order.remaining(positions, cell)
        evidence["bragg_intensity"] = intensity
        is_ordered = intensity >= ORDER_LIMIT + LIQUID_PEAK / (self._order.n_atoms * self._order.intensity)
        self._unordered = 0 if is_ordered else self._unordered + 1
        return is_ordered


def chance_temperature(degrees_of_freedom: int) -> float:
    """Return the highest instantaneous over mean temperature that chance may give.

    It is χ²/n at :data:`CHANCE` standard deviations by Wilson and Hilferty, Proc. Natl. Acad. Sci. 1931, 17, 684.

    :param degrees_of_freedom: n; at least 1 is taken.
    """
    width = 2 / (9 * max(degrees_of_freedom, 1))
    return (1 - width + CHANCE * math.sqrt(width)) ** 3
