"""A crystal at one volume: its energy at rest, its phonons, and whether they can be counted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.cells import formula_units
from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms
from aiida_crucible.analysis.phonons.phonon_analysis import solve
from aiida_crucible.analysis.phonons.spectra import TRANSLATION_CUTOFF, ThermalProperties, thermal_properties
from aiida_crucible.analysis.phonons.stability import Verdict

Array = NDArray[np.float64]

NON_FINITE, NOT_RELAXED = "non-finite", "not-relaxed"


@dataclass(frozen=True)
class VibratingVolume:
    """A crystal at one volume, all of a formula unit.

    :param strain: of the lengths.
    :param volume: Å³.
    :param energy: at rest, eV; NaN where the model gave none.
    :param outcome: of its phonons (stable, imaginary, cannot-tell), or why it has none (non-finite, not-relaxed).
    :param reason: one line.
    :param thermal: of its phonons; ``None`` where it does not count.
    """

    strain: float
    volume: float
    energy: float
    outcome: str
    reason: str
    thermal: ThermalProperties | None

    def told(self) -> dict[str, Any]:
        """Return what a summary says of it."""
        return {
            "strain": self.strain,
            "volume": self.volume,
            "phonons": self.outcome,
            "counts": self.thermal is not None,
            "reason": self.reason,
        }


def vibrating_volume(
    atoms: Atoms, place: tuple[float, float], phonons: Mapping[str, Any], forces: Array, temperatures: Array
) -> VibratingVolume:
    """Return what the forces of displaced supercells say of a crystal at one volume.

    Its phonons count where every mode of the mesh ``dos_mesh`` but the translations at Γ is real: a free energy from
    which modes are left out is of another crystal than that of its neighbours.

    :param atoms: relaxed at its volume.
    :param place: strain of the lengths, and energy of ``atoms``, eV.
    :param phonons: settings, complete, with the supercell matrix that all volumes share.
    :param forces: of the supercells of :func:`aiida_crucible.analysis.phonons.phonon_analysis.prepare`, eV/Å, shape
        [n_supercells, n_atoms, 3].
    :param temperatures: K, [n].
    """
    units = formula_units(atoms)
    strain, energy = place[0], place[1] / units
    volume = float(atoms.get_volume()) / units
    if not (np.isfinite(forces).all() and np.isfinite(energy)):
        reason = "the model gave energies or forces that are no finite numbers"
        return VibratingVolume(strain, volume, float("nan"), NON_FINITE, reason, None)
    phonon, _, summary = solve(atoms, phonons, forces)
    found = thermal_properties(phonon, phonons["dos_mesh"], temperatures)
    frequencies, weights = phonon.mesh.frequencies, phonon.mesh.weights
    imaginary = int(weights @ np.sum(frequencies < -TRANSLATION_CUTOFF, axis=1))
    outcome, reason = summary["outcome"], summary["verdict"]["reason"]
    if outcome != Verdict.IMAGINARY.value and imaginary:
        outcome = Verdict.IMAGINARY.value
        reason = f"{imaginary} modes of the mesh are imaginary, down to {frequencies.min():+.3f} THz; {reason}"
    share = 1 / formula_units(to_atoms(phonon.primitive))
    scaled = ThermalProperties(
        found.temperatures, found.free_energy * share, found.entropy * share, found.heat_capacity * share
    )
    counts = outcome != Verdict.IMAGINARY.value
    return VibratingVolume(strain, volume, energy, outcome, reason, scaled if counts else None)


def unrelaxed_volume(strain: float, volume: float, outcome: str) -> VibratingVolume:
    """Return what is known of a crystal that could not be relaxed at a volume.

    :param volume: Å³ a formula unit.
    :param outcome: of the relaxation.
    """
    reason = f"atoms could not be relaxed at this volume ({outcome})"
    return VibratingVolume(strain, volume, float("nan"), NOT_RELAXED, reason, None)


def counted(volumes: Sequence[VibratingVolume]) -> list[tuple[VibratingVolume, ThermalProperties]]:
    """Return those that count, with their thermal properties, ascending in the volume."""
    own = [(each, each.thermal) for each in volumes if each.thermal is not None]
    return sorted(own, key=lambda pair: pair[0].volume)
