"""Ask the packages' own calculators for the fingerprints of released weights, and store the answers.

Run it from the root of the project, after a package ships new weights::

    python tests/model/make_fingerprints.py 7net-0 7net-l3i5

The names are those of the cases in the families' modules ``conformance``. Each is asked under the Python of its
family's environment, in single precision, the packages' default, and stored in the family's folder.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from conformance_cases import CASES, checkpoint_of, make_checkpoint, package_calculator
from package_sources import source_of

from crucible_engine.families.conformance import WEIGHTS_FOLDER
from crucible_engine.families.fingerprints import Fingerprint, file_name
from crucible_engine.families.registry import FAMILIES, find_by_sha256, find_named
from crucible_engine.families.weights import digest

os.environ.setdefault(WEIGHTS_FOLDER, str(Path(__file__).parents[3] / "shared" / "weights"))


def structures(case):
    """Return a ferroelectric, an ionic and a covalent crystal (for EMT three metals), slightly off their sites."""
    if case.crystals:
        crystals = [atoms.copy() for atoms in case.crystals[:3]]
    elif case.metals:
        crystals = [bulk("Cu", cubic=True), bulk("Al", cubic=True), bulk("Ni", cubic=True)]
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


def make(case, folder):
    """Return the fingerprint that the package's own calculator gives.

    :param folder: where published weights, which are given as a file, may be laid.
    """
    make_checkpoint(case, folder)
    released = find_named(case.family, released_name(case, folder))
    calculator = package_calculator(case, folder, FAMILIES[case.family].dtypes[0])
    crystals = structures(case)
    packages = {FAMILIES[case.family].package, "ase"} | ({"torch"} if "torch" in sys.modules else set())
    return Fingerprint(
        family=case.family,
        name=released.name,
        settings=case.settings,
        sha256=released.sha256,
        packages={package: importlib.metadata.version(package) for package in sorted(packages)},
        structures=crystals,
        energies=[float(calculator.get_property("energy", atoms)) for atoms in crystals],
        forces=[np.asarray(calculator.get_property("forces", atoms), dtype=float) for atoms in crystals],
    )


def released_name(case, folder):
    """Return the name of a case's released weights."""
    return case.weights or find_by_sha256(digest(checkpoint_of(case, folder)))[1].name


def as_json(fingerprint):
    """Return the content of a fingerprint's file."""
    content = asdict(fingerprint)
    content["structures"] = [
        {
            "symbols": atoms.get_chemical_symbols(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": atoms.pbc.tolist(),
        }
        for atoms in fingerprint.structures
    ]
    content["forces"] = [forces.tolist() for forces in fingerprint.forces]
    return json.dumps(content, indent=1) + "\n"


def ask(name, engine):
    """Return the content of a fingerprint's file, made in the environment of the family."""
    from aiida_crucible.environments import ensure

    command = [str(ensure(CASES[name].family, source=source_of(CASES[name].family))), __file__, "--answer", name]
    environment = {**os.environ, "PYTHONPATH": str(engine)}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def main(*names):
    """Store the fingerprints of some cases."""
    from aiida_crucible.calculations.engine_archive import engine_archive

    with tempfile.TemporaryDirectory() as temporary:
        engine = Path(temporary) / "crucible_engine.pyz"
        engine.write_bytes(engine_archive())
        for name in names:
            case = CASES[name]
            folder = Path(str(files(FAMILIES[case.family].folder))) / "fingerprints"
            folder.mkdir(exist_ok=True)
            content = ask(name, engine)
            path = folder / file_name(json.loads(content)["name"], case.settings)
            path.write_text(content, encoding="utf-8")
            print(f"wrote {path.name}", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1] == "--answer":
        with tempfile.TemporaryDirectory() as folder:
            print(as_json(make(CASES[sys.argv[2]], folder)), end="")
    else:
        main(*sys.argv[1:])
