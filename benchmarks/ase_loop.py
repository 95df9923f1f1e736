"""The peer of a batched evaluation: the package's own ASE calculator in a loop over the frames of a job.

Usage: python ase_loop.py CASE FOLDER structures.npz    (a case of tests/helpers/conformance_cases.py; its checkpoint's
folder)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ase import Atoms

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from conformance_cases import CASES, package_calculator


def main() -> None:
    """Evaluate every frame and print the number of them."""
    case, folder, structures = CASES[sys.argv[1]], sys.argv[2], sys.argv[3]
    with np.load(structures) as content:
        ends = np.cumsum(content["n_atoms"])
        frames = [
            Atoms(content["numbers"][end - count : end], content["positions"][end - count : end], cell=cell, pbc=True)
            for end, count, cell in zip(ends, content["n_atoms"], content["cells"], strict=True)
        ]
    calculator = package_calculator(case, folder, "float32")
    for frame in frames:
        frame.calc = calculator
        frame.get_potential_energy(), frame.get_forces(), frame.get_stress()
    print(len(frames))


if __name__ == "__main__":
    main()
