"""Relax PbTiO3 with a model, tetragonal and cubic, and print a, c (Å), c/a and the difference of energies (eV).

Runs under the Python of a family's environment: ``relax_perovskite.py FAMILY FILE``.
"""

import json
import sys

from ase import Atoms
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE

from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import ModelReference

TETRAGONAL = [[0, 0, 0], [0.5, 0.5, 0.54], [0.5, 0.5, 0.11], [0.5, 0, 0.62], [0, 0.5, 0.62]]
CUBIC = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def relaxed(model, sites, cell):
    """Return a crystal that is relaxed with its symmetry kept."""
    atoms = Atoms("PbTiO3", scaled_positions=sites, cell=cell, pbc=True)
    atoms.calc = model.calculator()
    atoms.set_constraint(FixSymmetry(atoms))
    FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=5e-4, steps=3000)
    return atoms


def main(family, checkpoint):
    """Print the four numbers."""
    model = load_model(ModelReference(family, checkpoint=checkpoint, dtype="float64"), "cpu")
    tetragonal = relaxed(model, TETRAGONAL, [3.85, 3.85, 4.4])
    cubic = relaxed(model, CUBIC, [3.95, 3.95, 3.95])
    a, _, c = tetragonal.cell.lengths()
    print(json.dumps([a, c, c / a, cubic.get_potential_energy() - tetragonal.get_potential_energy()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
