"""Stored answers of released weights: what their own package's calculator said of a few small structures.

Weights that are loaded under a right name and do not give these numbers are not those weights, whatever went wrong:
another file, another version of the package, a broken installation. The files lie in the folder of the family, one for
each released model and modality; ``tests/model/make_fingerprints.py`` makes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.families.registry import find_by_sha256


@dataclass(frozen=True)
class Fingerprint:
    """What released weights are known to answer.

    :param packages: versions of the packages that computed, by name.
    :param energies: eV, one for each structure.
    :param forces: eV/Å, shape [n_atoms, 3] for each structure.
    :param energy_tolerance: eV/atom by which a correct answer may differ: far more than single precision, another
        processor or another version of torch cause, and far less than any other weights would.
    :param force_tolerance: eV/Å, the same of each component.
    """

    family: str
    name: str
    settings: dict[str, Any]
    sha256: str
    packages: dict[str, str]
    structures: list[Atoms]
    energies: list[float]
    forces: list[NDArray[np.float64]]
    energy_tolerance: float = 1e-4
    force_tolerance: float = 1e-3


def find(family: str, name: str | None, settings: dict[str, Any], sha256: str = "") -> Fingerprint | None:
    """Return the fingerprint of released weights; ``None`` where none is stored.

    :param name: of the weights; ``None`` for a checkpoint file, which may be that of released weights all the same.
    :param sha256: digest of the file, which tells.
    """
    if name is None:
        owner, known = find_by_sha256(sha256) or (None, None)
        if owner is None or known is None or owner.name != family:
            return None
        name = known.name
    path = resources.files(f"crucible_engine.families.{family}") / "fingerprints" / file_name(name, settings)
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    content["structures"] = [Atoms(**structure) for structure in content["structures"]]
    content["forces"] = [np.array(forces) for forces in content["forces"]]
    return Fingerprint(**content)


def file_name(name: str, settings: dict[str, Any]) -> str:
    """Return the name of the file that holds a fingerprint."""
    return "-".join([name, *(str(settings[key]) for key in sorted(settings))]).lower() + ".json"
