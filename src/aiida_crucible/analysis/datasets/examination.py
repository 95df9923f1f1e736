"""What a dataset holds, which frames it has twice, and which stand out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import units
from ase.formula import Formula
from numpy.typing import NDArray

from aiida_crucible.analysis.datasets.frames import SPLITS, Array, LabelledFrames

SAME = 1e-4
"""Å: frames whose atoms and lattice vectors differ by less are the same."""

OUTLYING = 10.0
"""Robust standard deviations (1.4826 times the median absolute deviation) from the median beyond which a frame stands
out. Frames of liquids and of strained crystals have five to eight."""

FEWEST = 10
"""Frames from which there is an ordinary one to stand out from."""

MOST_NAMED = 20
"""Frames or pairs that a summary names; all are counted."""

GIGAPASCAL = 1 / units.GPa


def examine(frames: LabelledFrames, sources: Sequence[str]) -> dict[str, Any]:
    """Return what a dataset holds.

    :param sources: names of the sources, by their numbers.
    :return: ``n_frames``, ``n_atoms`` (all of them), ``elements``, ``compositions`` (frames by formula), ``sources``
        (likewise), ``temperatures`` (K, likewise), ``has_stress``, ``ranges`` (smallest and largest) of ``atoms``,
        ``volume_per_atom`` (Å³), ``energy_per_atom`` (eV), ``force`` (the norm of an atom's, eV/Å) and ``stress`` (a
        component, GPa), ``duplicates`` and ``outliers``.
    """
    norms = np.linalg.norm(frames.forces, axis=1)
    stresses = frames.stresses[~np.isnan(frames.stresses)] * GIGAPASCAL
    volumes = np.abs(np.linalg.det(frames.cells))[frames.pbc.all(axis=1)]
    ranges = {
        "atoms": frames.n_atoms,
        "volume_per_atom": volumes / frames.n_atoms[frames.pbc.all(axis=1)],
        "energy_per_atom": frames.energies / frames.n_atoms,
        "force": norms,
        "stress": stresses,
    }
    temperatures = frames.temperatures[~np.isnan(frames.temperatures)]
    duplicates = find_duplicates(frames)
    outliers = find_outliers(frames)
    return {
        "n_frames": len(frames),
        "n_atoms": int(frames.n_atoms.sum()),
        "elements": frames.elements,
        "compositions": dict(sorted(Counter(_formulas(frames)).items())),
        "sources": {sources[number]: int((frames.sources == number).sum()) for number in np.unique(frames.sources)},
        "temperatures": {f"{value:g}": int((temperatures == value).sum()) for value in np.unique(temperatures)},
        "has_stress": bool(len(stresses)),
        "n_without_stress": int(np.isnan(frames.stresses).all(axis=1).sum()),
        "ranges": {name: [float(each.min()), float(each.max())] for name, each in ranges.items() if len(each)},
        "duplicates": {"count": len(duplicates), "pairs": [list(pair) for pair in duplicates[:MOST_NAMED]]},
        "outliers": {"count": len(outliers), "frames": outliers[:MOST_NAMED]},
    }


def describe_sides(sides: NDArray[np.int64], blocks: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    """Return how many frames and blocks are on each side."""
    return {
        name: {"n_frames": int((sides == side).sum()), "n_blocks": len(np.unique(blocks[sides == side]))}
        for side, name in enumerate(SPLITS)
    }


def find_duplicates(frames: LabelledFrames) -> list[tuple[int, int]]:
    """Return pairs of frames with the same atoms at the same places of the same cell, the first of each the earlier."""
    ends, found = frames.ends, []
    seen: dict[tuple[bytes, bytes, bytes], int] = {}
    for index in range(len(frames)):
        rows = slice(ends[index], ends[index + 1])
        places = np.round(np.concatenate([frames.cells[index], frames.positions[rows]]) / SAME).astype(np.int64)
        key = (frames.numbers[rows].tobytes(), frames.pbc[index].tobytes(), places.tobytes())
        if key in seen:
            found.append((seen[key], index))
        else:
            seen[key] = index
    return found


def find_outliers(frames: LabelledFrames) -> list[dict[str, Any]]:
    """Return frames that stand out, each with ``frame``, ``what``, its ``value`` and what is ``usual``.

    Looked at are the energy an atom beside what the composition explains (eV), the largest force (eV/Å) and the largest
    component of the stress (GPa).
    """
    if len(frames) < FEWEST:
        return []
    owners, norms = frames.owners, np.linalg.norm(frames.forces, axis=1)
    largest = np.zeros(len(frames))
    np.maximum.at(largest, owners, norms)
    shares = frames.counts / frames.n_atoms[:, None]
    energies = frames.energies / frames.n_atoms
    fitted, *_ = np.linalg.lstsq(shares, energies, rcond=1e-10)
    columns: dict[str, Array] = {"energy": energies - shares @ fitted, "force": np.log(np.maximum(largest, 1e-12))}
    with_stress = ~np.isnan(frames.stresses).all(axis=1)
    if with_stress.sum() >= FEWEST:
        extreme = np.full(len(frames), np.nan)
        extreme[with_stress] = np.nanmax(np.abs(frames.stresses[with_stress]), axis=1) * GIGAPASCAL
        columns["stress"] = np.log(np.maximum(extreme, 1e-12))
    found = []
    for name, values in columns.items():
        middle = np.nanmedian(values)
        spread = 1.4826 * np.nanmedian(np.abs(values - middle))
        # Small forces are those of a relaxed crystal, and no fault.
        far = np.abs(values - middle) if name == "energy" else values - middle
        for index in np.flatnonzero(far > OUTLYING * max(spread, 1e-9)) if spread > 0 else ():
            shown = [float(each) if name == "energy" else float(np.exp(each)) for each in (values[index], middle)]
            found.append({"frame": int(index), "what": name, "value": shown[0], "usual": shown[1]})
    return sorted(found, key=lambda each: (each["frame"], each["what"]))


def _formulas(frames: LabelledFrames) -> list[str]:
    """Return the reduced formula of each frame."""
    symbols, counts = frames.elements, frames.counts.astype(int)
    names = {
        tuple(row): Formula.from_dict({symbol: int(n) for symbol, n in zip(symbols, row, strict=True) if n})
        .reduce()[0]
        .format("metal")
        for row in np.unique(counts, axis=0).tolist()
    }
    return [names[tuple(row)] for row in counts.tolist()]
