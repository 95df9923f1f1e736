"""What can be known to be wrong with structures before any weights are loaded, and what is known of them as a whole."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from crucible_engine.families.base import is_periodic
from crucible_engine.tasks.parameters import lack_of_stress, needs_stress
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    JOURNAL_FILE,
    LABELS_FILE,
    PROGRESS_FILE,
    RUN_FOLDER,
    STRUCTURES_FILE,
    TRAINED_FILE,
    TRAJECTORIES_FILE,
    Condition,
    EngineError,
)
from crucible_engine.wire.structures import read_structures

MINIMUM_DISTANCE = 0.3
"""Å. No two nuclei of any condensed phase are nearer (H2 has 0.74): such a structure was read wrongly."""
MINIMUM_VOLUME_PER_ATOM = 0.5
"""Å³. Hydrogen at the centre of Jupiter has more."""
OWN_FILES = (
    STRUCTURES_FILE,
    LABELS_FILE,
    JOURNAL_FILE,
    PROGRESS_FILE,
    ARRAYS_FILE,
    TRAJECTORIES_FILE,
    TRAINED_FILE,
)
"""What a task reads and writes in a job's folder, besides ``RUN_FOLDER``."""
DIRECT_ATOMS = 128
"""Up to so many atoms all pairs at once are quicker than a neighbour list."""


@dataclass
class Survey:
    """What is known of a job's structures, gathered one after the other.

    :ivar n_structures: how many they are.
    :ivar n_atoms: how many atoms they have together.
    :ivar n_crystals: how many are periodic in three directions.
    :ivar not_periodic: label of the first that is not.
    :ivar single_atom: label of the first that is one atom.
    :ivar first_with: for each atomic number the label of the first structure that has it.
    """

    n_structures: int = 0
    n_atoms: int = 0
    n_crystals: int = 0
    not_periodic: str | None = None
    single_atom: str | None = None
    first_with: dict[int, str] = field(default_factory=dict)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of everything in the structures."""
        return self._hash.hexdigest()

    def add(self, label: str, atoms: Atoms) -> None:
        """Take one more structure into account."""
        self.n_structures += 1
        self.n_atoms += len(atoms)
        if is_periodic(atoms):
            self.n_crystals += 1
        elif self.not_periodic is None:
            self.not_periodic = label
        if len(atoms) == 1 and self.single_atom is None:
            self.single_atom = label
        for number in np.unique(atoms.numbers):
            self.first_with.setdefault(int(number), label)
        self._hash.update(f"{len(atoms)} {label}\n".encode())
        for array in (atoms.numbers, atoms.get_masses(), atoms.positions, atoms.cell.array, atoms.pbc):
            self._hash.update(np.ascontiguousarray(array).tobytes())


def check_folder(folder: Path) -> None:
    """Refuse a job's folder in which a folder stands where a file is read or written, or a file where a folder is.

    :raises EngineError: ``INVALID_JOB``.
    """
    run = folder / RUN_FOLDER
    files = [folder / name for name in OWN_FILES] + (list(run.iterdir()) if run.is_dir() else [])
    wrong = next((path for path in files if path.exists() and not path.is_file()), None)
    if wrong is not None or (run.exists() and not run.is_dir()):
        name, kind, wanted = (RUN_FOLDER, "file", "folder") if wrong is None else (wrong.name, "folder", "file")
        raise EngineError(Condition.INVALID_JOB, f"{name} is a {kind} where a {wanted} was expected: remove it")


def survey_structures(path: Path) -> Survey:
    """Check every structure of a file and say what they are as a whole; memory does not grow with their number.

    :raises EngineError: ``INVALID_STRUCTURE`` for the first absurd structure, ``INVALID_JOB`` if the file is missing
        or damaged.
    """
    survey = Survey()
    try:
        for label, atoms in read_structures(path):
            check_structure(label, atoms)
            survey.add(label, atoms)
    except (OSError, ValueError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise EngineError(Condition.INVALID_JOB, f"{path.name} cannot be read: {error}") from error
    return survey


def check_elements(survey: Survey, elements: Iterable[int], model: str) -> None:
    """Refuse elements that a model does not know.

    :raises EngineError: ``UNSUPPORTED_ELEMENT``, naming structure and element.
    """
    for number in sorted(set(survey.first_with) - set(elements)):
        raise EngineError(
            Condition.UNSUPPORTED_ELEMENT,
            f"structure {survey.first_with[number]!r} contains {chemical_symbols[number]}, which {model} does not "
            "know: choose a model that was trained on it",
        )


def check_capability(task: str, parameters: dict[str, Any], gives_stress: bool, model: str) -> None:
    """Refuse what needs stresses of a model that has none.

    :param gives_stress: whether the model has stresses, as far as is known.
    :raises EngineError: ``CAPABILITY_MISSING``.
    """
    needed = needs_stress(task, parameters)
    if needed is not None and not gives_stress:
        raise EngineError(Condition.CAPABILITY_MISSING, lack_of_stress(model, needed))


def check_structure(label: str, atoms: Atoms) -> None:
    """Refuse a structure that no material has.

    :raises EngineError: ``INVALID_STRUCTURE``: no atoms, no finite numbers, no positive mass, a periodic cell without
        volume, atoms on top of each other.
    """
    problem = _problem(atoms)
    if problem:
        raise EngineError(Condition.INVALID_STRUCTURE, f"structure {label!r} {problem}")


def _problem(atoms: Atoms) -> str | None:
    if len(atoms) == 0:
        return "has no atoms"
    if not np.isin(atoms.numbers, range(1, len(chemical_symbols))).all():
        return "has atomic numbers that belong to no element"
    if (strange := _strange_numbers(atoms)) is not None:
        return strange
    if not _spans(atoms):
        return "is periodic along lattice vectors that are zero or parallel: give it a cell with a volume"
    if is_periodic(atoms) and abs(atoms.cell.volume) < MINIMUM_VOLUME_PER_ATOM * len(atoms):
        return f"has a cell of {abs(atoms.cell.volume):.3g} Å³ for {len(atoms)} atoms: check its lattice vectors, in Å"
    return _near_pair(atoms)


def _strange_numbers(atoms: Atoms) -> str | None:
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return "has positions or a cell that are not finite numbers"
    masses = atoms.get_masses()
    if not (np.isfinite(masses).all() and (masses > 0).all()):
        return "has masses that are not positive numbers"
    return None


def _spans(atoms: Atoms) -> bool:
    """Return whether the periodic lattice vectors span as many dimensions as they are."""
    periodic = atoms.cell.array[atoms.pbc]
    return bool(np.linalg.matrix_rank(periodic, tol=1e-8) == len(periodic))


def _near_pair(atoms: Atoms) -> str | None:
    first, second, distances = _near_pairs(atoms)
    if not len(distances):
        return None
    nearest = int(np.argmin(distances))
    symbols = atoms.get_chemical_symbols()
    names = " and ".join(f"{symbols[index]} (atom {index + 1})" for index in (first[nearest], second[nearest]))
    return f"has atoms on top of each other: {names} are {distances[nearest]:.3g} Å apart"


def _near_pairs(atoms: Atoms) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return indices and distances (Å) of the pairs nearer than :data:`MINIMUM_DISTANCE`, periodic images included."""
    periodic = is_periodic(atoms)
    # The nearest image of a pair that is so near is found by rounding, where no lattice plane is as near as that.
    roomy = periodic and bool((1.0 / np.linalg.norm(atoms.cell.reciprocal(), axis=1) > 2 * MINIMUM_DISTANCE).all())
    if len(atoms) > DIRECT_ATOMS or not (roomy or not atoms.pbc.any()):
        return neighbor_list("ijd", atoms, MINIMUM_DISTANCE)  # type: ignore[no-any-return]
    first, second = np.triu_indices(len(atoms), k=1)
    vectors = atoms.positions[second] - atoms.positions[first]
    if periodic:
        fractional = vectors @ np.linalg.inv(atoms.cell.array)
        vectors = (fractional - np.round(fractional)) @ atoms.cell.array
    distances = np.linalg.norm(vectors, axis=1)
    near = distances < MINIMUM_DISTANCE
    return first[near], second[near], distances[near]
