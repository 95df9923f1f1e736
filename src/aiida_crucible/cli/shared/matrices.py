"""Matrices on the command line: three or nine numbers behind an option, as phonopy takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import click

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(/\d+)?")
SUPERCELL, PRIMITIVE = "--supercell", "--primitive"
CENTRINGS = ("P", "F", "I", "A", "C", "R")


class MatrixCommand(click.Command):
    """A command that takes all numbers behind ``--supercell`` and ``--primitive`` for theirs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the numbers of a matrix into one argument, which is all that an option has."""
        return super().parse_args(ctx, list(_joined(args)))


class SupercellMatrix(click.ParamType):
    """Three whole numbers, or nine, row by row."""

    name = "matrix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        """Return three numbers, or three rows of three."""
        words = str(value).split()
        try:
            numbers = [int(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) not in (3, 9):
            self.fail(f"{value!r} is no supercell: give three whole numbers, or nine, row by row", param, ctx)
        return numbers if len(numbers) == 3 else _rows(numbers)


class PrimitiveMatrix(click.ParamType):
    """Nine numbers, row by row, the letter of a centring, or ``auto``."""

    name = "matrix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any] | None:
        """Return three rows of three numbers; ``None`` where the primitive cell is to be looked for."""
        from aiida_crucible.compat.phonopy import get_primitive_matrix_by_centring

        words = str(value).split()
        if words == ["auto"]:
            return None
        if len(words) == 1 and words[0] in CENTRINGS:
            matrix: list[Any] = get_primitive_matrix_by_centring(words[0]).tolist()
            return matrix
        try:
            numbers = [float(Fraction(word)) for word in words]
        except (ValueError, ZeroDivisionError):
            numbers = []
        if len(numbers) != 9:
            letters = ", ".join(CENTRINGS)
            self.fail(f"{value!r} is no primitive cell: give auto, {letters}, or nine numbers, row by row", param, ctx)
        return _rows(numbers)


def _joined(args: Sequence[str]) -> Iterator[str]:
    numbers: list[str] = []
    is_matrix = False
    for arg in args:
        if is_matrix and NUMBER.fullmatch(arg):
            numbers.append(arg)
            continue
        if numbers:
            yield " ".join(numbers)
            numbers = []
        is_matrix = arg in (SUPERCELL, PRIMITIVE)
        yield arg
    if numbers:
        yield " ".join(numbers)


def _rows(numbers: Sequence[Any]) -> list[Any]:
    return [list(numbers[start : start + 3]) for start in (0, 3, 6)]
