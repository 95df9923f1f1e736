"""Labelled sets: structures of any compositions with energies, forces and perhaps stresses, to measure a model by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_crucible.nodes.foreign_atoms import require_whole_atoms
from aiida_crucible.references.settings import CITATION, TRAJECTORY
from aiida_crucible.references.trajectories.frames import Frame, format_of, iterate_frames
from crucible_engine.wire.rules import Parameter, complete, is_number

_OF_TRAJECTORIES = ("format", "start", "stop", "stride", "forces_key", "energy_key", "length_unit")
STRESS_UNITS = {"eV/angstrom^3": 1.0, "GPa": units.GPa, "kbar": units.GPa / 10}

LABELS: dict[str, Parameter] = {
    **CITATION,
    **{name: TRAJECTORY[name] for name in _OF_TRAJECTORIES},
    "stress": Parameter(
        str, "optional", "whether a set without stresses is refused", choices=("required", "optional", "ignored")
    ),
    "stress_key": Parameter(str, "stress", "name of the stress in an extxyz file"),
    "stress_unit": Parameter(str, "eV/angstrom^3", "of the stress", choices=tuple(STRESS_UNITS)),
    "stress_sign": Parameter(
        str, "ase", "ASE's (negative under pressure) or the opposite one", choices=("ase", "opposite")
    ),
    "subset_key": Parameter(str, None, "name in an extxyz file of the word that tells the subset of a frame"),
}

WITH_STRESS = ("vasprun", "deepmd", "db")
"""Formats that say what the unit and the sign of the stress are."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class Group:
    """Frames of the same atoms in the same order.

    :param atoms: the first of them.
    :param places: of each frame in the file, from 0, shape [n].
    :param cells: Å, shape [n, 3, 3].
    :param positions: Å, shape [n, n_atoms, 3].
    :param energies: eV, shape [n].
    :param forces: eV/Å, shape [n, n_atoms, 3].
    :param stresses: eV/Å³, ASE's sign, Voigt, shape [n, 6]; ``None`` where the set has none or they are ignored.
    :param subsets: of each frame; empty where there are none.
    :param temperatures: K, that frames give under that name, shape [n]; NaN where they do not.
    """

    atoms: Atoms
    places: NDArray[np.int64]
    cells: NDArray[np.float64]
    positions: NDArray[np.float64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64] | None
    subsets: list[str]
    temperatures: NDArray[np.float64]

    @property
    def symbols(self) -> set[str]:
        """The elements."""
        return set(self.atoms.get_chemical_symbols())


def validate_labels(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a labelled set complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("a labelled set", LABELS, given)
    if not (settings["theory"] or "").strip():
        raise ValueError(
            "the labelled set does not say of which level of theory it is: give theory, e.g. PBEsol (--theory)"
        )
    if settings["stop"] is not None and settings["stop"] <= settings["start"]:
        raise ValueError(f"frames {settings['start']} to {settings['stop']} are none: stop behind the start")
    return settings


def read_labels(path: Path, settings: Mapping[str, Any]) -> list[Group]:
    """Return the frames of a labelled set, those of the same atoms together, in the order of their first frames.

    :param path: an extxyz file or an ASE trajectory or data base, of any compositions, a vasprun.xml or a folder of
        deepmd; extxyz and vasprun.xml may be compressed (gz, bz2, xz).
    :param settings: complete, see :data:`LABELS`.
    :raises ValueError: one line that names the file and the frame, if a label is missing or no finite number.
    """
    _require_own_stress(path, settings)
    reading = {name: settings[name] for name in _OF_TRAJECTORIES}
    frames = list(iterate_frames(path, {**reading, "force_unit": "eV/angstrom"}))
    if not frames:
        raise ValueError(f"{path.name} has no frame from {settings['start']} on: begin earlier")
    stresses = [_checked(path, frame, settings) for frame in frames]
    has_stress = [stress is not None for stress in stresses]
    if any(has_stress) and not all(has_stress):
        missing = frames[has_stress.index(False)].number
        raise ValueError(f"frame {missing} of {path.name} has no stress, but others have: set stress to 'ignored'")
    by_atoms: dict[tuple[Any, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        key = (*frame.atoms.numbers.tolist(), *frame.atoms.pbc.tolist(), frame.atoms.cell.rank)
        by_atoms.setdefault(key, []).append(index)
    return [_group(frames, stresses, indices, settings) for indices in by_atoms.values()]


def _require_own_stress(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to choose name, unit or sign of a stress that a format itself tells.

    :raises ValueError: one line.
    """
    kind = settings["format"] or format_of(path)
    told = [name for name in ("stress_key", "stress_unit", "stress_sign") if settings[name] != LABELS[name].default]
    if kind in WITH_STRESS and told:
        raise ValueError(f"{path.name} is read as {kind}, whose stress has its unit and sign: leave {told[0]} out")


def require_known_elements(name: str, groups: Collection[Group], known: Collection[str] | None) -> list[Group]:
    """Return the groups of which a model knows all elements.

    :param name: of the set.
    :param known: symbols; ``None`` where nobody says.
    :raises ValueError: one line, if there are none.
    """
    kept = [group for group in groups if known is None or group.symbols <= set(known)]
    if not kept:
        unknown = sorted(set().union(*(group.symbols for group in groups)) - set(known or ()))
        raise ValueError(
            f"every frame of the labels {name!r} has elements that the model does not know ({', '.join(unknown)}): "
            "give labels of its elements, or choose another model"
        )
    return kept


def _checked(path: Path, frame: Frame, settings: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Return the stress of a frame, and refuse a frame that is not labelled."""
    where = f"frame {frame.number} of {path.name}"
    require_whole_atoms(frame.atoms)
    if frame.forces is None:
        raise ValueError(f"{where} has no forces {settings['forces_key']!r}: give forces_key, or label it")
    if frame.energy is None:
        raise ValueError(f"{where} has no energy {settings['energy_key']!r}: give energy_key, or label it")
    if frame.forces.shape != frame.atoms.positions.shape:
        raise ValueError(f"{where} has forces of shape {frame.forces.shape} on {len(frame.atoms)} atoms")
    stress = _stress(where, frame.atoms, settings)
    parts = {"energy": frame.energy, "forces": frame.forces, "positions": frame.atoms.positions, "stress": stress}
    for name, values in parts.items():
        if values is not None and not np.isfinite(values).all():
            raise ValueError(f"{where} has a label that is no finite number: {name}; leave the frame out, or label it")
    return stress


def _stress(where: str, atoms: Atoms, settings: Mapping[str, Any]) -> NDArray[np.float64] | None:
    if settings["stress"] == "ignored":
        return None
    said = {**atoms.info, **({} if atoms.calc is None else atoms.calc.results)}
    given = said.get(settings["stress_key"])
    if given is None:
        if settings["stress"] == "required":
            raise ValueError(
                f"{where} has no stress {settings['stress_key']!r}, which is asked for: give stress_key, or compare "
                "without (stress: ignored)"
            )
        return None
    values = np.asarray(given, dtype=float)
    if values.size == 9:
        matrix = values.reshape(3, 3)
        values = np.array([(matrix[pair] + matrix[pair[::-1]]) / 2 for pair in VOIGT])
    if values.shape != (6,):
        raise ValueError(f"{where} has a stress of shape {np.shape(given)}: give 6 numbers (Voigt) or 3 x 3")
    sign = 1.0 if settings["stress_sign"] == "ase" else -1.0
    return np.asarray(sign * STRESS_UNITS[settings["stress_unit"]] * values)


def _group(
    frames: list[Frame], stresses: list[NDArray[np.float64] | None], indices: list[int], settings: Mapping[str, Any]
) -> Group:
    chosen = [frames[index] for index in indices]
    own = [stress for index in indices if (stress := stresses[index]) is not None]
    key = settings["subset_key"]
    return Group(
        chosen[0].atoms,
        np.array([frame.number for frame in chosen], dtype=np.int64),
        np.array([frame.atoms.cell.array for frame in chosen]),
        np.array([frame.atoms.positions for frame in chosen]),
        np.array([frame.energy for frame in chosen]),
        np.array([frame.forces for frame in chosen]),
        np.array(own) if own else None,
        [] if key is None else [str(frame.atoms.info.get(key, "")) for frame in chosen],
        np.array([_temperature(frame.atoms.info.get("temperature")) for frame in chosen]),
    )


def _temperature(said: Any) -> float:
    """Return a temperature that a frame gives, K; NaN for what is no number."""
    return float(said) if is_number(said) else float("nan")
