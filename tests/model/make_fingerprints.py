"""Ask the packages' own calculators for the fingerprints of released weights, and store the answers.

Run it under the Python of the family's environment, from the root of the project, after a package ships new weights::

    PYTHONPATH=src:tests/helpers python tests/model/make_fingerprints.py 7net-0 7net-l3i5

The names are those of ``tests/helpers/conformance_cases.py``. Single precision, the packages' default, is asked.
"""

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from conformance_cases import CASES, package_calculator

from crucible_engine.families.fingerprints import Fingerprint, file_name
from crucible_engine.families.registry import FAMILIES, find_named

TARGET = Path(__file__).parents[2] / "src" / "crucible_engine" / "families"


def structures(case):
    """Return a ferroelectric, an ionic and a covalent crystal (for EMT three metals), slightly off their sites."""
    if case.metals:
        crystals = [bulk("Cu", cubic=True), bulk("Al", cubic=True), bulk("Pt", cubic=True)]
    else:
        sites = [[0, 0, 0.09], [0.5, 0.5, 0.56], [0.5, 0.5, 0.98], [0.5, 0, 0.47], [0, 0.5, 0.47]]
        crystals = [
            Atoms("PbTiO3", scaled_positions=sites, cell=[3.87, 3.87, 4.2], pbc=True),
            bulk("NaCl", "rocksalt", 5.7),
            bulk("Si"),
        ]
    for seed, atoms in enumerate(crystals):
        atoms.rattle(0.05, seed=seed)
        atoms.positions = atoms.positions.round(6)
    return crystals


def make(case):
    """Return the fingerprint that the package's own calculator gives."""
    calculator = package_calculator(case, "", "float32")
    crystals = structures(case)
    packages = {FAMILIES[case.family].package, "ase"} | ({"torch"} if case.family != "emt" else set())
    return Fingerprint(
        family=case.family,
        name=case.weights,
        settings=case.settings,
        sha256=find_named(case.family, case.weights).sha256,
        packages={package: importlib.metadata.version(package) for package in sorted(packages)},
        structures=crystals,
        energies=[float(calculator.get_property("energy", atoms)) for atoms in crystals],
        forces=[np.asarray(calculator.get_property("forces", atoms), dtype=float) for atoms in crystals],
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        fingerprint = make(CASES[name])
        folder = TARGET / fingerprint.family / "fingerprints"
        folder.mkdir(exist_ok=True)
        path = folder / file_name(fingerprint.name, fingerprint.settings)
        path.write_text(fingerprint.to_json(), encoding="utf-8")
        print(f"{path.name}: {[round(energy, 4) for energy in fingerprint.energies]} eV", file=sys.stderr)
