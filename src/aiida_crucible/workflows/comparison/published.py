"""The question of the PbTiO3 phase-transition test (doi 10.1021/acs.jpcc.5c07541), as published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import ArrayData

from aiida_crucible.analysis.phonons.born_charges import named_charges
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.references.published import pto_test
from aiida_crucible.workflows.common.protocols import merged

PTO_PROTOCOLS = ("pto-test", "pto-test-small")
TRANSITION_TEMPERATURE = 760.0
"""K, of the experiment, as the paper has it."""


def published_question(asked: Mapping[str, Any], overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is asked, and overrides, with what the paper asks where nothing was given.

    :param asked: ``structure`` (``None`` for the published cell) and perhaps ``competing`` and ``reference``.
    :param overrides: of ``crucible.comparison``; where they do not speak of charges these are as published, if the
        structure has the atoms of the published cell in its order.
    """
    tetragonal, cubic = pto_test.starting_cell("tetragonal"), pto_test.starting_cell("cubic")
    found = dict(asked)
    if found["structure"] is None:
        reference = {**pto_test.reference("PBEsol"), "transition_temperature": TRANSITION_TEMPERATURE}
        found["structure"] = from_atoms(tetragonal)
        found = {"competing": {"cubic": from_atoms(cubic)}, **found}
        if set(found["competing"]) != {"cubic"}:
            reference.pop("energy_differences")
        found = {"reference": reference, **found}
    if list(to_atoms(found["structure"]).symbols) != list(tetragonal.symbols):
        return found, dict(overrides)
    charges = {
        "reference_structure": from_atoms(cubic),
        "born_charges": ArrayData({"charges": named_charges("PbTiO3-Zhong-1994").tensors(cubic)}),
    }
    return found, merged({"polarization": charges}, overrides)
