"""What the conformance suite needs to know of the models that it tries; ``tests/helpers`` has the suite.

A family's module ``conformance`` has its models as ``CASES``. Its function ``package_calculator(case, checkpoint,
dtype)`` returns the ASE calculator that the package's own documentation tells to use, and where the package ships no
weights ``make_checkpoint(case, path)`` writes some. ``MEMBERS`` are the
members of the package without documentation that its module ``compat`` uses, ``NETWORK_MEMBERS`` those of a network: a
release that moves one fails by its name. It runs in the family's environment, and imports its package no
earlier than these are called.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from ase import Atoms
from ase.calculators.calculator import Calculator

WEIGHTS_FOLDER = "CRUCIBLE_TEST_WEIGHTS"
"""The environment variable that names a folder with published weights."""


@dataclass(frozen=True)
class Case:
    """One model.

    :param weights: name of released weights; ``None`` for a checkpoint that is made on the spot.
    :param conservative: what the adapter must say of it.
    :param metals: whether it knows no more than a few metals, copper, aluminium and nickel among them.
    :param trust_pickle: whether its checkpoint can only be unpickled.
    :param slabs: whether it takes what is periodic in one or two directions.
    :param supercell_tolerance: eV/atom that the energy may change by in a supercell or with a translation, where the
        package is not exact.
    :param faults: faults of the package itself that verification may name, near its tolerances as they are.
    :param extensive: whether a supercell has the energy of its cells; where not, the suite asserts that it has another.
    :param step: Å, and strain, of the differences that forces and stresses are compared with: a small one where the
        energy jumps when a bond crosses the cutoff.
    :param crystals: four crystals that it knows, where it knows neither most elements nor these metals.
    :param cluster: something that is not periodic, in the same case.
    :param published: name of published weights among the real ones of the tests, which cannot be made on the spot, see
        :func:`published_weights`; the case is left out where they are not at hand.
    :param like: another model of the family that stands for it where time is short: the same code with other weights.
    """

    name: str
    family: str
    weights: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    conservative: bool = True
    metals: bool = False
    trust_pickle: bool = False
    slabs: bool = True
    supercell_tolerance: float = 1e-9
    faults: tuple[str, ...] = ()
    extensive: bool = True
    step: float = 2e-4
    crystals: tuple[Atoms, ...] = ()
    cluster: Atoms | None = None
    published: str = ""
    like: str = ""


def published_weights(name: str) -> Path:
    """Return where published weights would be: in the folder that the environment variable names."""
    return Path(os.environ.get(WEIGHTS_FOLDER, "no-folder-of-weights")) / name


def in_double(calculator: Calculator, *patches: Any) -> Calculator:
    """Make a calculator of a package that offers single precision only compute in double precision.

    :param calculator: of the package, with its network as ``model``.
    :param patches: what else has to be replaced while it computes, of ``unittest.mock.patch``.
    """
    import torch

    from crucible_engine.families.torch_support import default_dtype

    calculator.model.double()
    calculate = calculator.calculate

    def calculate_in_double(*arguments: Any, **keywords: Any) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(default_dtype("float64"))
            stack.enter_context(mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
            for patch in patches:
                stack.enter_context(patch)
            calculate(*arguments, **keywords)

    calculator.calculate = calculate_in_double
    return calculator
