"""Write what a reader of the page on references has from elsewhere: phonopy's files, a run of VASP, values in YAML.

The numbers are those of EMT for copper. ``python doc_files.py`` writes them into the current folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from phonopy import Phonopy
from phonopy.file_IO import write_FORCE_CONSTANTS, write_FORCE_SETS
from phonopy.structure.atoms import PhonopyAtoms

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_importing_trajectory import vasprun

copper = bulk("Cu", a=3.5944, cubic=True)
cell = PhonopyAtoms(symbols=copper.symbols, cell=copper.cell.array, scaled_positions=copper.get_scaled_positions())
phonon = Phonopy(cell, supercell_matrix=[2, 2, 2], primitive_matrix="F")
phonon.generate_displacements(distance=0.01)


def as_ase(atoms: PhonopyAtoms):
    found = bulk("Cu").__class__(atoms.symbols, cell=atoms.cell, scaled_positions=atoms.scaled_positions, pbc=True)
    found.calc = EMT()
    return found


phonon.forces = [as_ase(atoms).get_forces() for atoms in phonon.supercells_with_displacements]
phonon.produce_force_constants()
phonon.save("phonopy_params.yaml", settings={"force_constants": True})
phonon.save("phonopy.yaml", settings={"force_sets": False, "force_constants": False, "displacements": False})
write_FORCE_SETS(phonon.dataset)
write_FORCE_CONSTANTS(phonon.force_constants, "FORCE_CONSTANTS")
write("POSCAR", copper)
write("SPOSCAR", as_ase(phonon.supercell))
frames = []
for seed in range(20):
    frame = as_ase(phonon.supercell)
    frame.positions += np.random.default_rng(seed).normal(scale=0.05, size=frame.positions.shape)
    frames.append(frame)
Path("vasprun.xml").write_text(vasprun(frames), encoding="utf-8")
Path("experiment.yaml").write_text("source: a handbook\nlattice: {a: 3.615}\n", encoding="utf-8")
