"""Cubic double perovskites A2BB'X6 (elpasolites, Fm-3m): cells to relax and to compute phonons of."""

from __future__ import annotations

import re
from numbers import Real
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.formula import Formula

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
"""Primitive vectors as rows, in conventional lattice constants."""
CENTRINGS = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def double_perovskite(
    formula: str,
    lattice_constant: float | None = None,
    *,
    anion_position: float | None = None,
    conventional: bool = False,
) -> Atoms:
    """Return a cubic double perovskite, space group Fm-3m (225).

    B lies at 4a (0, 0, 0), B' at 4b (½, ½, ½), A at 8c (¼, ¼, ¼), X at 24e (x, 0, 0). The atoms come in the order A, B,
    B', X. Lengths that are not given follow from covalent radii, within some 10 %: good enough to start a relaxation.

    :param formula: A, B, B' and X in that order, as in ``Cs2AgBiBr6``; where B is the same element as A it is counted
        with it, as in ``Rb3AlF6``.
    :param lattice_constant: of the conventional cell, Å.
    :param anion_position: x, between 0 and ½, about ¼.
    :param conventional: the cubic cell of 40 atoms instead of the primitive one of 10.
    :raises ValueError: one line, if the formula is another one or a number is out of range.
    """
    a_site, b_site, b_prime, anion = parse_double_perovskite(formula)
    radius = {symbol: float(covalent_radii[atomic_numbers[symbol]]) for symbol in (b_site, b_prime, anion)}
    length = radius[b_site] + radius[b_prime] + 2 * radius[anion]
    constant = _given_or("lattice_constant", lattice_constant, 2 * length)
    x = _given_or("anion_position", anion_position, 0.5 * (radius[b_site] + radius[anion]) / length)
    if not (np.isfinite(constant) and constant > 0):
        raise ValueError(f"a lattice constant of {constant} Å: give a positive number")
    if not 0 < x < 0.5:
        raise ValueError(f"an anion position of {x}: it lies between 0 (on B) and 0.5 (on B')")
    quarter, half = np.full(3, 0.25), np.full(3, 0.5)
    anions = x * np.concatenate([np.eye(3), -np.eye(3)])
    sites = np.concatenate([[quarter, 3 * quarter, np.zeros(3), half], anions])
    symbols = [a_site] * 2 + [b_site, b_prime] + [anion] * 6
    if conventional:
        symbols = [symbol for symbol in symbols for _ in CENTRINGS]
        sites = (sites[:, None] + CENTRINGS).reshape(-1, 3)
    cell = constant * (np.eye(3) if conventional else FCC)
    atoms = Atoms(symbols, positions=constant * sites, cell=cell, pbc=True)
    atoms.wrap(eps=1e-9)
    return atoms


def _given_or(name: str, given: Any, otherwise: float) -> float:
    """Return a number, or what there is otherwise.

    :raises ValueError: one line, if it is none.
    """
    if given is None:
        return otherwise
    if isinstance(given, bool) or not isinstance(given, Real):
        raise ValueError(f"{name} is {given!r}: give a number")
    return float(given)


def parse_double_perovskite(formula: str) -> tuple[str, str, str, str]:
    """Return the elements on A, B, B' and X.

    :raises ValueError: one line, if it is no A2BB'X6.
    """
    problem = f"{formula!r} is no double perovskite: write A2BB'X6, as in Cs2AgBiBr6, or A3BX6, as in Rb3AlF6"
    # ASE would take a charge, too, and leave it out.
    if not re.fullmatch(r"[A-Za-z0-9()]+", str(formula)):
        raise ValueError(problem)
    try:
        count: dict[str, int] = Formula(formula).count()
    except ValueError:
        raise ValueError(problem) from None
    if unknown := sorted(symbol for symbol in count if not atomic_numbers.get(symbol)):
        raise ValueError(f"{unknown[0]!r} in {formula!r} is no chemical element")
    elements, numbers = list(count), list(count.values())
    if numbers == [2, 1, 1, 6]:
        return elements[0], elements[1], elements[2], elements[3]
    if numbers == [3, 1, 6]:
        return elements[0], elements[0], elements[1], elements[2]
    raise ValueError(problem)
