"""The peer of ``crucible.phonon``: matcalc's PhononCalc with CHGNet 0.3.0, in plain Python.

Usage: python matcalc_phonon.py CRYSTAL N N N same|default    (the supercell; relaxed as crucible.phonon does, or as
matcalc does where nothing is said)
"""

from __future__ import annotations

import sys

from chgnet.model.dynamics import CHGNetCalculator
from crystals import CRYSTALS
from matcalc import PhononCalc

SAME = {"fmax": 1e-3, "optimizer": "BFGS", "relax_calc_kwargs": {"fix_symmetry": True}}
"""How ``crucible.phonon`` relaxes with the protocol ``balanced``."""


def main() -> None:
    """Relax, displace, evaluate; print the lowest frequency of matcalc's mesh."""
    atoms = CRYSTALS[sys.argv[1]]()
    sizes = [int(word) for word in sys.argv[2:5]]
    calculation = PhononCalc(
        CHGNetCalculator(use_device="cpu"),
        supercell_matrix=[[sizes[0], 0, 0], [0, sizes[1], 0], [0, 0, sizes[2]]],
        atom_disp=0.01,
        write_phonon=False,
        **(SAME if sys.argv[5] == "same" else {}),
    )
    result = calculation.calc(atoms)
    print(f"{len(result['disp_supercells'])} displacements, lowest {result['frequencies'].min():.3f} THz")


if __name__ == "__main__":
    main()
