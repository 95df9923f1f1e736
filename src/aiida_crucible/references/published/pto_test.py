"""The PbTiO3 phase-transition test: its starting cells and its Table 2 (doi 10.1021/acs.jpcc.5c07541)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml
from ase import Atoms


def source() -> str:
    """Return the publication's doi."""
    return str(_content()["source"])


def starting_cell(phase: str) -> Atoms:
    """Return the cell (PBEsol) that the test's relaxations start from.

    :param phase: ``tetragonal`` (P4mm) or ``cubic`` (Pm-3m).
    :raises ValueError: if there is no such phase.
    """
    cells = _content()["cells"]
    if phase not in cells:
        raise ValueError(f"the PbTiO3 test has no phase {phase!r}: choose one of {', '.join(cells)}")
    cell = cells[phase]
    symbols, *coordinates = zip(*cell["sites"], strict=True)
    return Atoms(symbols, scaled_positions=list(zip(*coordinates, strict=True)), cell=cell["lengths"], pbc=True)


def table_2() -> dict[str, dict[str, float]]:
    """Return what was published for each model, functional and experiment.

    ``a`` and ``c`` (Å) of the tetragonal phase, ``c_over_a``, and ``delta_e`` (eV a formula unit), the energy of the
    cubic phase above the tetragonal one, where it was given.
    """
    return {name: dict(row) for name, row in _content()["table_2"].items()}


def reference(name: str) -> dict[str, Any]:
    """Return one row of Table 2 as the ``reference`` of :class:`aiida_crucible.workflows.reliability.workchain`.

    :param name: a model, functional or ``experiment``.
    :raises ValueError: if there is no such row.
    """
    rows = table_2()
    if name not in rows:
        raise ValueError(f"Table 2 has no row {name!r}: choose one of {', '.join(rows)}")
    row = rows[name]
    differences = {"cubic": row["delta_e"]} if "delta_e" in row else {}
    lattice = {key: row[key] for key in ("a", "c", "c_over_a")}
    return {"source": f"{name}, doi {source()}", "lattice": lattice, "energy_differences": differences}


@cache
def _content() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("pto_test.yaml").read_text("utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content
