"""LAMMPS's units ``metal`` in ASE's, to the last digit.

LAMMPS has its own values of the constants of nature (``update.cpp``, ``force->mvv2e`` …), which differ from CODATA's by
some 1e-7. Masses, temperatures and pressures are given to it such that energies, forces and motion are those of ASE's
constants.
"""

from __future__ import annotations

from ase import units

MVV2E = 1.0364269e-4
"""u (Å/ps)² in eV, as LAMMPS has it."""
BOLTZMANN = 8.617343e-5
"""eV/K, as LAMMPS has it."""
PRESSURE = 1.6021765e6
"""eV/Å³ in bar, as LAMMPS has it."""

PICOSECOND = 1000 * units.fs
"""In ASE's unit of time."""
FEMTOSECONDS = 1000.0
"""Of a picosecond."""
MASS = 1 / (PICOSECOND**2 * MVV2E)
"""What a mass is multiplied by, so that its kinetic energy and its acceleration are ASE's."""
TEMPERATURE = units.kB / BOLTZMANN
"""What a temperature is multiplied by, so that its thermal energy is ASE's."""


def to_bar(pressure: float) -> float:
    """Return a pressure in GPa as LAMMPS is to be given it."""
    return float(pressure * units.GPa * PRESSURE)
