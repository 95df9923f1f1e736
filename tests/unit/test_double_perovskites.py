"""Cells of double perovskites have the space group, the sites and the bonds that they should."""

from __future__ import annotations

import numpy as np
import pytest
import spglib

from aiida_crucible.references.published.double_perovskites import double_perovskite, parse_double_perovskite

FORMULAS = ["Cs2AgBiBr6", "Cs2NaInCl6", "Rb3AlF6", "Cs2AgInI6"]


def dataset(atoms):
    return spglib.get_symmetry_dataset((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec=1e-6)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("conventional", "count"), [(False, 10), (True, 40)])
def test_space_group_and_sites(formula, conventional, count):
    atoms = double_perovskite(formula, conventional=conventional)
    found = dataset(atoms)
    assert (len(atoms), found.number, found.international) == (count, 225, "Fm-3m")
    elements = parse_double_perovskite(formula)
    multiples = np.array([2, 1, 1, 6]) * count // 10
    expected = [symbol for symbol, multiple in zip(elements, multiples, strict=True) for _ in range(multiple)]
    assert atoms.get_chemical_symbols() == expected
    letters = "".join(found.wyckoffs)
    # spglib may take the other choice of origin, which swaps a and b.
    wyckoff = [letters[: multiples[0]], letters[multiples[:3].sum() :]]
    assert [set(part) for part in wyckoff] == [{"c"}, {"e"}]
    assert set(letters[multiples[0] : multiples[:3].sum()]) == {"a", "b"}


def test_both_cells_are_the_same_crystal():
    small, large = (double_perovskite("Cs2AgBiBr6", 11.27, conventional=choice) for choice in (False, True))
    assert large.get_volume() == pytest.approx(4 * small.get_volume()) == pytest.approx(11.27**3)


def test_given_lengths_are_kept():
    atoms = double_perovskite("Cs2AgBiBr6", 11.27, anion_position=0.2513, conventional=True)
    silver, bromine = atoms.symbols.indices()["Ag"], atoms.symbols.indices()["Br"]
    distances = atoms.get_distances(silver[0], bromine, mic=True)
    assert np.sort(distances)[:6] == pytest.approx(0.2513 * 11.27)


@pytest.mark.parametrize(("formula", "measured"), [("Cs2AgBiBr6", 11.27), ("Cs2NaInCl6", 10.53), ("K2NaAlF6", 8.12)])
def test_a_guessed_lattice_constant_is_near(formula, measured):
    atoms = double_perovskite(formula, conventional=True)
    assert atoms.cell[0, 0] == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("Cs2AgBiBr5",), {}, "write A2BB'X6"),
        (("CsPbBr3",), {}, "is no double perovskite"),
        (("Cs2Ag(",), {}, "is no double perovskite"),
        (("Cs2AgQzBr6",), {}, "'Qz' in 'Cs2AgQzBr6' is no chemical element"),
        (("Cs2AgBiX6",), {}, "'X' in 'Cs2AgBiX6' is no chemical element"),
        (("Cs2AgBiBr6+",), {}, "is no double perovskite"),
        (("Cs2AgBiBr6", "11.2"), {}, "lattice_constant is '11.2': give a number"),
        (("Cs2AgBiBr6", -1.0), {}, "a lattice constant of -1.0 Å"),
        (("Cs2AgBiBr6",), {"anion_position": 0.5}, "an anion position of 0.5"),
    ],
)
def test_mistake_is_one_line(arguments, options, message):
    with pytest.raises(ValueError) as caught:
        double_perovskite(*arguments, **options)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
