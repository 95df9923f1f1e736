"""Matrices on the command line are those of phonopy: three or nine numbers, or the letter of a centring."""

from __future__ import annotations

import ast

import click
import numpy as np
import pytest
from click.testing import CliRunner

from aiida_crucible.cli.shared.matrices import PRIMITIVE, SUPERCELL, MatrixCommand, PrimitiveMatrix, SupercellMatrix

FACE_CENTRED = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


@click.command(cls=MatrixCommand)
@click.argument("file")
@click.option(SUPERCELL, "supercell", type=SupercellMatrix())
@click.option(PRIMITIVE, "primitive", type=PrimitiveMatrix())
def show(file, supercell, primitive):
    """Print what was understood."""
    click.echo(repr((file, supercell, primitive)))


def understood(*arguments):
    result = CliRunner().invoke(show, arguments)
    assert result.exit_code == 0, result.output
    return ast.literal_eval(result.output)


def test_numbers_may_stand_apart_or_together():
    expected = ("FORCE_SETS", [2, 2, 3], None)
    assert understood("FORCE_SETS", "--supercell", "2", "2", "3") == expected
    assert understood("--supercell", "2", "2", "3", "FORCE_SETS") == expected
    assert understood("--supercell", "2 2 3", "FORCE_SETS") == expected
    assert understood("--supercell=2 2 3", "FORCE_SETS") == expected


def test_nine_numbers_are_rows():
    words = ["-1", "1", "1", "1", "-1", "1", "1", "1", "-1"]
    assert understood("F", "--supercell", *words)[1] == [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]


@pytest.mark.parametrize(
    "words",
    [
        ["F"],
        ["0", "1/2", "1/2", "1/2", "0", "1/2", "1/2", "1/2", "0"],
        ["0", ".5", ".5", ".5", "0", ".5", ".5", ".5", "0"],
    ],
)
def test_a_primitive_cell_is_a_letter_or_nine_numbers(words):
    file, supercell, primitive = understood("FORCE_SETS", "--primitive", *words, "--supercell", "2", "2", "2")
    assert (file, supercell) == ("FORCE_SETS", [2, 2, 2])
    np.testing.assert_allclose(primitive, FACE_CENTRED)


def test_auto_looks_for_the_primitive_cell():
    assert understood("FORCE_SETS", "--primitive", "auto")[2] is None
    np.testing.assert_array_equal(understood("FORCE_SETS", "--primitive", "P")[2], np.eye(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--supercell", "2", "2"], "'2 2' is no supercell: give three whole numbers, or nine, row by row"),
        (["--supercell", "2", "2", "1.5"], "'2 2 1.5' is no supercell"),
        (["--supercell", "F"], "'F' is no supercell"),
        (["--primitive", "B"], "'B' is no primitive cell: give auto, P, F, I, A, C, R, or nine numbers"),
        (["--primitive", "0", "1/2"], "'0 1/2' is no primitive cell"),
        (["--primitive", *["0", "1/0", "1/2", "1/2", "0", "1/2", "1/2", "1/2", "0"]], "is no primitive cell"),
    ],
)
def test_what_is_no_matrix_is_refused(arguments, message):
    result = CliRunner().invoke(show, ["FORCE_SETS", *arguments])
    assert result.exit_code == 2
    assert message in result.output
