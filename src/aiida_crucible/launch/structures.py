"""A crystal from whatever a user has: a node, ASE's or pymatgen's structure, a file, a PK, the name of a prototype."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiida.orm import CifData, StructureData
from ase import Atoms
from ase.build import bulk
from ase.io import read
from ase.symbols import string2symbols

from aiida_crucible.nodes.file_digest import is_file, is_folder, missing_file, near_file
from aiida_crucible.nodes.lookup import find_node
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.references.foreign_files import REWRITE, unreadable
from aiida_crucible.references.published import pto_test
from crucible_engine.wire.rules import first_line, shown, suggestion

PUBLISHED = {f"pto-test:{phase}": phase for phase in ("tetragonal", "cubic")}
"""Prototypes by name whose cells are published."""

CUBIC = ("fcc", "bcc", "diamond", "zincblende", "rocksalt", "fluorite")
"""Prototypes of ASE whose conventional cells are cubic, and not the primitive ones."""

PROTOTYPES = [
    *CUBIC,
    "sc",
    "hcp",
    "cesiumchloride",
    "wurtzite",
    "bct",
    "mcl",
    "orthorhombic",
    "rhombohedral",
    "tetragonal",
]

HOW = (
    "give a file that ASE reads, the PK of a node, FORMULA:PROTOTYPE[:A[:C]] (`Si:diamond:5.43`, `Fe:bcc`, "
    f"`NaCl:rocksalt:5.64`; Å), or one of {', '.join(PUBLISHED)}"
)


def read_structure(source: Any) -> StructureData:
    """Return a crystal as a node; one that is no node yet is not stored.

    :param source: ``StructureData``, ASE's ``Atoms``, pymatgen's ``Structure``, ``CifData``; a path; a PK or UUID; or
        the name of a prototype, see :data:`HOW`.
    :raises ValueError: one line, if it is none of these or does not hold one ordered structure.
    """
    if isinstance(source, StructureData):
        return source
    if isinstance(source, Atoms):
        return from_atoms(source)
    if isinstance(source, CifData):
        return _labelled(from_atoms(source.get_ase()), source.label)
    if hasattr(source, "to_ase_atoms"):  # pymatgen's, which need not be installed
        return from_atoms(Atoms(source.to_ase_atoms()))
    if isinstance(source, int) and not isinstance(source, bool):
        return _from_node(str(source))
    if not isinstance(source, str | os.PathLike):
        raise ValueError(f"the structure is {shown(source)}: {HOW}")
    return _from_text(os.fspath(source))


def _from_text(text: str) -> StructureData:
    readers: tuple[tuple[bool, Callable[[str], StructureData]], ...] = (
        (is_file(Path(text)), _from_file),
        (text.isdigit(), _from_node),
        (text in PUBLISHED, lambda name: _labelled(from_atoms(pto_test.starting_cell(PUBLISHED[name])), name)),
        (":" in text, _from_prototype),
        (len(text) == 36 and text.count("-") == 4, _from_node),
    )
    for fits, reader in readers:
        if fits:
            return reader(text)
    if is_folder(Path(text)):
        raise ValueError(missing_file(Path(text)))
    if near := near_file(Path(text)):
        raise ValueError(f"there is no structure {shown(text)}: did you mean {near!r}?")
    raise ValueError(f"there is no structure {shown(text)}: {HOW}")


def _from_file(name: str) -> StructureData:
    """Return the one structure, or the last one, of a file.

    :raises ValueError: one line.
    """
    try:
        atoms = read(name)
    except Exception as error:  # each reader of ASE has its own
        raise ValueError(f"{name} cannot be read as a structure: {unreadable(Path(name), error)}") from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise ValueError(f"{name} holds no structure: {REWRITE}")
    try:
        return _labelled(from_atoms(atoms), Path(name).name)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _from_node(identifier: str) -> StructureData:
    node = find_node(identifier, "structure", HOW)
    if isinstance(node, StructureData | CifData):
        return read_structure(node)
    raise ValueError(f"node {identifier} is a {type(node).__name__} and no structure: {HOW}")


def _from_prototype(text: str) -> StructureData:
    """Return the conventional cell of a prototype.

    :raises ValueError: one line.
    """
    formula, prototype, *lengths = text.split(":")
    if prototype not in PROTOTYPES:
        raise ValueError(f"there is no prototype {shown(prototype)}: {suggestion(prototype, PROTOTYPES)}")
    try:
        sizes = dict(zip(("a", "c"), map(float, lengths), strict=False))
        if len(lengths) > 2:
            raise ValueError("more than two lengths")
        require_formula(formula)
        cubic = prototype in CUBIC
        atoms = bulk(formula, prototype, cubic=cubic, **sizes)
    except (ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{shown(text)} is no prototype ({first_line(error)}): {HOW}") from error
    atoms.set_initial_magnetic_moments(None)
    return _labelled(from_atoms(atoms), text)


def require_formula(formula: str) -> None:
    """Refuse what is no formula of chemical elements.

    :raises ValueError: one line.
    """
    try:
        string2symbols(formula)
    except (ValueError, KeyError, IndexError):
        raise ValueError(f"{formula!r} is no formula of chemical elements") from None


def _labelled(structure: StructureData, label: str) -> StructureData:
    structure.label = label
    return structure
