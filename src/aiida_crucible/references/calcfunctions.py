"""References from elsewhere with provenance: the file, how it was read, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, SinglefileData, StructureData, TrajectoryData

from aiida_crucible.nodes.file_digest import describe_file
from aiida_crucible.nodes.force_data import FEMTOSECONDS, force_constants_node
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.settings import citation_of, validate_phonons, validate_trajectory, validate_values
from aiida_crucible.references.trajectories.trajectory import ImportedTrajectory, read_trajectory
from aiida_crucible.references.values import read_values

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""

_READ: dict[str, ImportedTrajectory] = {}
"""What was read already, by the UUID of its parameters: a long trajectory is not read twice."""


@calcfunction
def import_force_constants(
    source: SinglefileData,
    parameters: Dict,
    structure: SinglefileData | None = None,
    born: SinglefileData | None = None,
) -> dict[str, Data]:
    """Return the force constants of a file of phonopy's, in the form of ``crucible.phonon``.

    :param source: see :func:`aiida_crucible.references.phonopy.files.read_phonons`.
    :param parameters: see :data:`aiida_crucible.references.settings.PHONONS`.
    :param structure: the crystal, where the source does not hold it.
    :param born: phonopy's file of Born charges.
    :return: ``structure`` (the unit cell), ``force_constants``, ``summary``, and where there are any ``born_charges``.
    """
    settings = validate_phonons(parameters.get_dict())
    files = {"source": source, "structure": structure, "born": born}
    present = {name: node for name, node in files.items() if node is not None}
    with _as_paths(present) as paths:
        found = read_phonons(paths["source"], settings, paths.get("structure"), paths.get("born"))
        described = [describe_file(path).as_dict() for path in paths.values()]
    nodes: dict[str, Data] = {
        "structure": from_atoms(found.atoms),
        "force_constants": force_constants_node(found.constants, found.supercell_matrix, found.primitive_matrix),
        "summary": Dict(
            {
                "reference": "force constants",
                "files": described,
                **citation_of(settings),
                **found.values,
                "warnings": found.warnings,
            }
        ),
    }
    if found.born is not None:
        nodes["born_charges"] = ArrayData({"charges": found.born.charges, "dielectric": found.born.dielectric})
    return nodes


@calcfunction
def import_trajectory(
    source: SinglefileData | Dict, parameters: Dict, structure: StructureData | None = None
) -> dict[str, Data]:
    """Return the frames of a trajectory with their forces.

    :param source: the file, or of a very large one its ``path``, ``name``, ``size`` and ``sha256``.
    :param parameters: see :data:`aiida_crucible.references.settings.TRAJECTORY`.
    :param structure: the crystal: the supercell, in whose order the atoms are then put, or a unit cell.
    :return: ``trajectory`` (with arrays ``forces``, eV/Å, and ``energies``, eV, where there are any), ``summary``, and
        with a structure ``supercell``: the sites of the atoms, in their order.
    """
    settings = validate_trajectory(parameters.get_dict())
    if isinstance(source, SinglefileData):
        with _as_paths({"source": source}) as paths:
            described = describe_file(paths["source"]).as_dict()
            found = _READ.get(parameters.uuid) or _read(paths["source"], settings, structure)
    else:
        described = {name: source[name] for name in ("name", "size", "sha256")}
        found = _READ.get(parameters.uuid) or _read(_unchanged(source), settings, structure)
    summary = {"reference": "trajectory", "files": [described], **citation_of(settings)}
    if settings["temperature"] is not None:
        summary["temperature"] = settings["temperature"]
    nodes: dict[str, Data] = {
        "trajectory": _trajectory(found, settings["time_step"]),
        "summary": Dict({**summary, **found.values, "warnings": found.warnings}),
    }
    if found.supercell is not None:
        nodes["supercell"] = from_atoms(found.supercell)
    return nodes


@calcfunction
def import_values(source: SinglefileData, parameters: Dict) -> Dict:
    """Return plain values as the ``reference`` of ``crucible.reliability``.

    :param source: see :func:`aiida_crucible.references.values.read_values`.
    :param parameters: ``theory``, ``doi``, ``comment``.
    """
    with _as_paths({"source": source}) as paths:
        return Dict(read_values(paths["source"], citation_of(validate_values(parameters.get_dict()))))


@contextmanager
def already_read(parameters: Dict, found: ImportedTrajectory) -> Iterator[None]:
    """Hand what was read to :func:`import_trajectory`, which would read the same again.

    :param parameters: those of the import, which belong to it alone.
    :param found: read with them from the same file and structure.
    """
    _READ[parameters.uuid] = found
    try:
        yield
    finally:
        del _READ[parameters.uuid]


def _read(path: Path, settings: dict[str, Any], structure: StructureData | None) -> ImportedTrajectory:
    return read_trajectory(path, settings, None if structure is None else to_atoms(structure))


def _unchanged(source: Dict) -> Path:
    """Return the path of a file that is kept elsewhere.

    :raises ValueError: one line, if it is no longer the file that it was.
    """
    found = describe_file(source["path"])
    if found.sha256 != source["sha256"]:
        raise ValueError(f"{source['path']} is another file now than the one that was imported")
    return found.path


@contextmanager
def _as_paths(nodes: dict[str, SinglefileData]) -> Iterator[dict[str, Path]]:
    """Write files to a place where other programs' readers find them, under their own names."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        paths = {}
        for name, node in nodes.items():
            path = Path(folder) / name / node.filename
            path.parent.mkdir()
            with node.open(mode="rb") as stream, path.open("wb") as target:
                while piece := stream.read(1 << 20):
                    target.write(piece)
            paths[name] = path
        yield paths


def _trajectory(found: ImportedTrajectory, time_step: float | None) -> TrajectoryData:
    trajectory = TrajectoryData()
    trajectory.set_trajectory(
        symbols=found.symbols,
        positions=found.positions,
        stepids=found.frames,
        cells=found.cells if np.any(found.cells) else None,
        times=None if time_step is None else found.frames * time_step / FEMTOSECONDS,
        pbc=found.pbc,
    )
    for name, values in (("forces", found.forces), ("energies", found.energies)):
        if values is not None:
            trajectory.set_array(name, values)
    return trajectory
