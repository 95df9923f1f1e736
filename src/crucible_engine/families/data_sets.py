"""What the training sets of several families have in common: their names, and the elements in them."""

from __future__ import annotations

_TABLE = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc
Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi
Po At Rn Fr Ra Ac Th Pa U Np Pu
"""
_SYMBOLS = tuple(_TABLE.split())

# The Materials Project has no trajectories of these; Alexandria and OMat24 leave the same ones out. CHGNet and ORB
# would embed them all the same, with weights that no datum ever touched.
MATERIALS_PROJECT = tuple(symbol for symbol in _SYMBOLS if symbol not in ("Po", "At", "Rn", "Fr", "Ra"))
# MP-r2SCAN's reference energies (CHGNet's AtomRef) vanish for ytterbium as well: no datum contains it.
R2SCAN = tuple(symbol for symbol in MATERIALS_PROJECT if symbol != "Yb")

MPTRJ = "MPtrj"
MPA = "MPtrj + sAlex"
OMAT = "OMat24"
