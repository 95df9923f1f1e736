"""The peer of a dynamics: a bare loop of ASE over the package's own calculator, without any output.

Usage: python ase_dynamics.py CASE FOLDER structures.npz STEPS    (as of ase_loop.py)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from conformance_cases import CASES, package_calculator


def main() -> None:
    """Run the engine's default ensemble and print the last temperature."""
    case, folder, structures, steps = CASES[sys.argv[1]], *sys.argv[2:]
    with np.load(structures) as content:
        atoms = Atoms(content["numbers"], content["positions"], cell=content["cells"][0], pbc=True)
    atoms.calc = package_calculator(case, folder, "float32")
    rng = np.random.default_rng(0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=rng)
    Stationary(atoms, preserve_temperature=False)
    dynamics = Langevin(atoms, units.fs, temperature_K=300, friction=0.01 / units.fs, rng=rng)
    dynamics.run(int(steps))
    print(atoms.get_temperature())


if __name__ == "__main__":
    main()
