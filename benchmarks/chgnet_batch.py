"""The peer of an evaluation of many frames with CHGNet: the package's own batch prediction of energies and forces.

Usage: python chgnet_batch.py structures.npz [BATCH_SIZE]    (the package's default batch size)
"""

from __future__ import annotations

import sys

import numpy as np
from chgnet.model import CHGNet
from pymatgen.core import Structure


def main() -> None:
    """Predict every frame and print the number of them."""
    with np.load(sys.argv[1]) as content:
        ends = np.cumsum(content["n_atoms"])
        frames = [
            Structure(
                cell,
                content["numbers"][end - count : end],
                content["positions"][end - count : end],
                coords_are_cartesian=True,
            )
            for end, count, cell in zip(ends, content["n_atoms"], content["cells"], strict=True)
        ]
    size = {"batch_size": int(sys.argv[2])} if len(sys.argv) > 2 else {}
    predictions = CHGNet.load(use_device="cpu", verbose=False).predict_structure(frames, task="ef", **size)
    print(len(predictions))


if __name__ == "__main__":
    main()
