"""The models of the NEP family that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, published_weights

CASES = (
    Case("nep89", "nep", published="nep89.txt.xz"),
    Case("nep-random", "nep"),
)

# Elements of the suite's crystals, and of its molecule.
SYMBOLS = ["H", "O", "Na", "Mg", "Si", "Cl", "Ti", "Pb"]
RADIAL, ANGULAR, BASIS, NEURONS, L_MAX = 4, 3, 6, 10, 3


def make_checkpoint(case: Case, target: Path) -> None:
    """Lay NEP89 there, or write a small potential with random parameters in the format of GPUMD's manual."""
    if case.published:
        target.write_bytes(lzma.decompress(published_weights(case.published).read_bytes()))
        return
    n_types = len(SYMBOLS)
    n_inputs = RADIAL + 1 + (ANGULAR + 1) * L_MAX
    n_network = n_types * (n_inputs + 2) * NEURONS + 1
    n_descriptor = n_types**2 * ((RADIAL + 1) + (ANGULAR + 1)) * (BASIS + 1)
    random = np.random.default_rng(1)
    parameters = np.concatenate(
        [random.uniform(-0.3, 0.3, n_network), random.uniform(-0.5, 0.5, n_descriptor), np.full(n_inputs, 0.2)]
    )
    header = [
        f"nep4 {n_types} {' '.join(SYMBOLS)}", "cutoff 5 4 200 100", f"n_max {RADIAL} {ANGULAR}",
        f"basis_size {BASIS} {BASIS}", f"l_max {L_MAX} 0 0", f"ANN {NEURONS} 0",
    ]  # fmt: skip
    target.write_text("\n".join([*header, *(f"{value:.8e}" for value in parameters), ""]), encoding="utf-8")


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator."""
    from calorine.calculators import CPUNEP

    return CPUNEP(str(checkpoint))
