"""The crystals of the benchmarks, in ASE; published structures, rounded."""

from __future__ import annotations

import numpy as np
from ase import Atoms


def lead_titanate() -> Atoms:
    """Return tetragonal PbTiO3, 5 atoms: the start of the phase-transition test (10.1021/acs.jpcc.5c07541)."""
    fractional = [(0, 0, 0.0943), (0.5, 0.5, 0.5560), (0.5, 0.5, 0.9785), (0.5, 0, 0.4733), (0, 0.5, 0.4733)]
    return Atoms("PbTiO3", scaled_positions=fractional, cell=[3.87411, 3.87411, 4.19948], pbc=True)


def zirconia() -> Atoms:
    """Return monoclinic ZrO2, 12 atoms, P2_1/c: 18 displacements (C. J. Howard et al., Acta Cryst. B 44 (1988) 116)."""
    symbols, fractional = [], []
    for symbol, x, y, z in (
        ("Zr", 0.2754, 0.0395, 0.2083),
        ("O", 0.0700, 0.3317, 0.3447),
        ("O", 0.4496, 0.7569, 0.4792),
    ):
        orbit = [(x, y, z), (-x, y + 0.5, 0.5 - z), (-x, -y, -z), (x, 0.5 - y, z + 0.5)]
        symbols += [symbol] * 4
        fractional += orbit
    cell = [5.1505, 5.2116, 5.3173, 90, 99.230, 90]
    return Atoms(symbols, scaled_positions=np.array(fractional) % 1.0, cell=cell, pbc=True)


CRYSTALS = {"PbTiO3": lead_titanate, "ZrO2": zirconia}
