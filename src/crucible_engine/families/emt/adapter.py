"""ASE's effective medium theory: a toy for tests and for a first try without torch."""

from __future__ import annotations

from ase.calculators.emt import parameters

from crucible_engine.families.ase_compat import OrderedEMT
from crucible_engine.families.calculators import loader

load = loader(lambda _: OrderedEMT(), parameters, parameters)
