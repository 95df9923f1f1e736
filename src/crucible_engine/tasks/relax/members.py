"""What each member of an ensemble makes of a relaxed structure: its own minimum, from that of their mean.

Direct propagation, as in Kellner and Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024), sec. 2. A member that is
interrupted begins anew: it starts from the mean's minimum, which the journal holds, and has not far to go.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from crucible_engine.families.base import Model, is_periodic
from crucible_engine.families.calculators import FreshCalculators
from crucible_engine.job.context import Context, Progress
from crucible_engine.tasks.relax.journal import read_contents
from crucible_engine.tasks.relax.relaxation import Settings, Step, relax_structure, symmetrize
from crucible_engine.wire.journal import JournalWriter, Record, locate_records, read_record
from crucible_engine.wire.schema import RELAXED_MEMBER

Ends = dict[int, dict[int, dict[str, Any]]]
"""What a journal says of members, by the index of the structure and of the member."""


def relax_members(
    structures: Sequence[tuple[str, Atoms]],
    model: Model,
    settings: Settings,
    context: Context,
    *,
    journal: JournalWriter,
    progress: Progress,
) -> None:
    """Relax every structure that has converged with each member of a model, and write down where each ends."""
    contents = read_contents(context.journal_path)
    ends = read_members(context.journal_path)
    for index, summary in sorted(contents.summaries.items()):
        if summary["outcome"] != "converged":
            continue
        label, given = structures[index]
        minimum = read_record(context.journal_path, contents.positions[index]).arrays
        for member in range(model.n_members):
            if _is_done(ends.get(index, {}).get(member), settings.max_steps):
                continue
            atoms = given.copy()
            atoms.set_cell(minimum["cells"][0])
            atoms.positions = minimum["positions"]
            if settings.keep_symmetry and is_periodic(atoms):
                atoms.set_constraint(symmetrize(label, atoms, settings.symmetry_tolerance))
            atoms.calc = FreshCalculators(model.member(member)).new()

            def observe(step: Step, label: str = label, member: int = member) -> None:
                if step.number == 0:
                    progress.report(len(structures), structure=label, member=member + 1)
                context.between_steps()

            end = relax_structure(atoms, settings, observe)
            energy = float(atoms.get_potential_energy())
            fields = {
                "outcome": end.outcome,
                "steps": end.step.number,
                "energy": energy if np.isfinite(energy) else None,
            }
            record = Record(
                RELAXED_MEMBER, {"index": index, "member": member, **fields}, {"cell": np.array(atoms.cell.array)}
            )
            context.append(journal, record)


def read_members(journal: Path) -> Ends:
    """Return how the members of a journal ended: ``outcome``, ``steps``, ``energy`` (eV) and ``cell`` (Å), or ``None``.

    The cell and the energy are ``None`` where they are not finite.
    """
    ends: Ends = {}
    for _, record in locate_records(journal):
        if record.kind != RELAXED_MEMBER:
            continue
        fields, cell = dict(record.fields), record.arrays["cell"]
        fields["cell"] = cell.tolist() if np.isfinite(cell).all() else None
        ends.setdefault(fields.pop("index"), {})[fields.pop("member")] = fields
    return ends


def _is_done(end: dict[str, Any] | None, max_steps: int) -> bool:
    return end is not None and (end["outcome"] != "not-converged" or end["steps"] >= max_steps)
