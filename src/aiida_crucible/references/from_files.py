"""References from files as nodes: what ``aiida-crucible reference import`` does, as Python functions.

A file is read before anything is stored, so that one that does not fit leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida.orm import Data, Dict, SinglefileData, StructureData

from aiida_crucible.nodes.file_digest import SourceFile, describe_file
from aiida_crucible.nodes.structures import require_whole_source, to_atoms
from aiida_crucible.references import calcfunctions
from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.settings import citation_of, validate_phonons, validate_trajectory, validate_values
from aiida_crucible.references.trajectories.trajectory import read_trajectory
from aiida_crucible.references.values import read_values

LARGEST_KEPT_FILE = 100_000_000
"""Bytes beyond which a trajectory's file stays where it is, and its digest alone enters the provenance."""


def import_phonons(
    path: str | Path, structure: str | Path | None = None, *, born: str | Path | None = None, **settings: Any
) -> dict[str, Data]:
    """Import force constants from files of phonopy.

    :param path: ``phonopy_params.yaml`` or another of phonopy's with forces or force constants in it, ``FORCE_SETS``,
        ``FORCE_CONSTANTS`` or ``force_constants.hdf5``.
    :param structure: the crystal, where ``path`` holds none: one of phonopy's yaml files, or the unit cell in a
        format of :data:`~aiida_crucible.references.foreign_files.STRUCTURE_FORMATS`, with ``supercell_matrix``.
    :param born: phonopy's file of Born charges.
    :param settings: see :data:`aiida_crucible.references.settings.PHONONS`.
    :return: stored nodes, see :func:`aiida_crucible.references.calcfunctions.import_force_constants`.
    :raises ValueError: one line that names the file and what does not fit.
    """
    complete = validate_phonons(settings)
    files = {"source": path, "structure": structure, "born": born}
    paths = {name: describe_file(file).path for name, file in files.items() if file is not None}
    read_phonons(paths["source"], complete, paths.get("structure"), paths.get("born"))
    nodes = {name: SinglefileData(file) for name, file in paths.items()}
    imported: dict[str, Data] = calcfunctions.import_force_constants(parameters=Dict(complete), **nodes)
    return imported


def import_trajectory(path: str | Path, structure: StructureData | None = None, **settings: Any) -> dict[str, Data]:
    """Import a trajectory with forces.

    :param path: an extxyz file, an ASE trajectory, or a vasprun.xml, of any length.
    :param structure: the crystal: the supercell, in whose order the atoms are then put, or a unit cell.
    :param settings: see :data:`aiida_crucible.references.settings.TRAJECTORY`.
    :return: stored nodes, see :func:`aiida_crucible.references.calcfunctions.import_trajectory`.
    :raises ValueError: one line that names the file and the frame, if something does not fit.
    """
    complete = validate_trajectory(settings)
    if structure is not None:
        require_whole_source(structure)
    file = describe_file(path)
    found = read_trajectory(file.path, complete, None if structure is None else to_atoms(structure))
    parameters = Dict(complete)
    inputs = {} if structure is None else {"structure": structure}
    with calcfunctions.already_read(parameters, found):
        imported: dict[str, Data] = calcfunctions.import_trajectory(_source(file), parameters, **inputs)
    return imported


def import_values(path: str | Path, **settings: Any) -> Dict:
    """Import plain values: lattice parameters, energy differences, a transition temperature.

    :param path: see :func:`aiida_crucible.references.values.read_values`.
    :param settings: ``theory``, ``doi``, ``comment``.
    :return: a stored node, to be the ``reference`` of ``crucible.reliability``.
    :raises ValueError: one line that names the file and what is wrong in it.
    """
    complete = validate_values(settings)
    file = describe_file(path)
    read_values(file.path, citation_of(complete))
    values: Dict = calcfunctions.import_values(SinglefileData(file.path), Dict(complete))
    return values


def _source(file: SourceFile) -> SinglefileData | Dict:
    if file.size <= LARGEST_KEPT_FILE:
        return SinglefileData(file.path)
    return Dict({**file.as_dict(), "path": str(file.path)})
