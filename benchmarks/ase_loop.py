"""The peer of a batched evaluation: the package's own ASE calculator in a loop over the frames of a job.

Usage: python ase_loop.py FAMILY structures.npz
"""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np
from ase import Atoms


def calculator(family: str):
    """Return the calculator that the package's own documentation shows."""
    if family == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu")
    if family == "sevennet":
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator("7net-l3i5", device="cpu")
    if family == "mace":
        from mace.calculators import MACECalculator

        return MACECalculator(model_paths=sys.argv[3], device="cpu", default_dtype="float32")
    if family == "orb":
        from orb_models.forcefield.calculator import ORBCalculator
        from orb_models.forcefield.pretrained import orb_v2

        return ORBCalculator(orb_v2(weights_path=sys.argv[3], device="cpu"), device="cpu")
    from ase.calculators.emt import EMT

    return EMT()


def main() -> None:
    """Evaluate every frame and print the number of them."""
    with np.load(sys.argv[2]) as content:
        ends = np.cumsum(content["n_atoms"])
        frames = [
            Atoms(content["numbers"][end - count : end], content["positions"][end - count : end], cell=cell, pbc=True)
            for end, count, cell in zip(ends, content["n_atoms"], content["cells"], strict=True)
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        calc = calculator(sys.argv[1])
    for frame in frames:
        frame.calc = calc
        frame.get_potential_energy(), frame.get_forces(), frame.get_stress()
    print(len(frames))


if __name__ == "__main__":
    main()
