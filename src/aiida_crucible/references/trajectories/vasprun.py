"""``vasprun.xml`` step by step: each step is forgotten once it is read, which ASE's reader does not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_crucible.references.foreign_files import open_bytes

KILOBAR = units.GPa / 10


def iterate_vasprun(path: Path) -> Iterator[tuple[Atoms, NDArray[np.float64] | None, float | None]]:
    """Yield geometry, forces (eV/Å) and energy (eV, extrapolated to zero smearing) of each ionic step.

    Where there is a stress, it is in the ``info`` of the geometry (eV/Å³, ASE's sign): VASP has kbar, positive under
    pressure.

    :param path: may be compressed (gz, bz2, xz).
    :raises ValueError: one line, if the file breaks off or a step has no structure.
    """
    with open_bytes(path) as stream:
        yield from _steps(stream)


def _steps(stream: IO[bytes]) -> Iterator[tuple[Atoms, NDArray[np.float64] | None, float | None]]:
    symbols: list[str] = []
    smearing, count = 0.0, 0
    events = ET.iterparse(stream, events=("start", "end"))
    try:
        _, root = next(events)
        for event, element in events:
            if event == "start":
                continue
            if element.tag == "atominfo":
                symbols = [(entry.text or "").strip() for entry in element.findall("array[@name='atoms']/set/rc/c[1]")]
            elif element.tag == "scstep":
                smearing = _smearing(element)
                element.clear()
            elif element.tag == "calculation":
                yield _step(element, symbols, smearing)
                count += 1
                root.clear()
    except (ET.ParseError, StopIteration):
        raise ValueError(f"it breaks off behind {count} complete steps: stop at {count} to import those") from None


def _step(
    element: ET.Element, symbols: list[str], smearing: float
) -> tuple[Atoms, NDArray[np.float64] | None, float | None]:
    cell = _rows(element, "structure/crystal/varray[@name='basis']")
    positions = _rows(element, "structure/varray[@name='positions']")
    if cell is None or positions is None or len(positions) != len(symbols):
        raise ValueError("the step has no structure")
    energy = _value(element.find("energy"), "e_fr_energy")
    forces = _rows(element, "varray[@name='forces']")
    atoms = Atoms(symbols, scaled_positions=positions, cell=cell, pbc=True)
    stress = _rows(element, "varray[@name='stress']")
    if stress is not None and stress.shape == (3, 3):
        atoms.info["stress"] = -KILOBAR * stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return atoms, forces, None if energy is None else energy + smearing


def _rows(element: ET.Element, place: str) -> NDArray[np.float64] | None:
    found = element.find(place)
    if found is None:
        return None
    return np.array([[float(value) for value in (row.text or "").split()] for row in found])


def _smearing(element: ET.Element) -> float:
    """Return what leads from the free energy to that of zero smearing.

    The electronic step tells it; what the ionic step calls ``e_0_energy`` is something else.
    """
    energies = [_value(element.find("energy"), name) for name in ("e_0_energy", "e_fr_energy")]
    return 0.0 if energies[0] is None or energies[1] is None else energies[0] - energies[1]


def _value(element: Any, name: str) -> float | None:
    found = None if element is None else element.find(f"i[@name='{name}']")
    return None if found is None or found.text is None else float(found.text)
