"""How long a plan takes, from a few timed evaluations of the model on the computer in question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aiida.orm import AbstractCode
from ase import Atoms

from aiida_crucible.calculations.staging import stage_checkpoint
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.environments.script_job import run_script
from aiida_crucible.launch.plan import Part
from aiida_crucible.nodes.model import ModelData

JOB_OVERHEAD = 6.0
"""Seconds that AiiDA takes for one job beside what the engine does: files, polling, parsing."""


@dataclass(frozen=True)
class PartTime:
    """How long a part takes.

    :param part: of the plan.
    :param evaluation: s, of one evaluation; ``None`` where it did not fit into memory.
    :param seconds: of all its jobs, those at once counted once; ``None`` likewise.
    """

    part: Part
    evaluation: float | None
    seconds: float | None


@dataclass(frozen=True)
class Estimate:
    """What a run of one model takes.

    :param parts: each with its time.
    :param start: s, to import the model's packages and to load it, in each job.
    :param memory: MiB, the most of one job.
    :param device: that was timed.
    """

    parts: Sequence[PartTime]
    start: float
    memory: float
    device: str

    @property
    def seconds(self) -> float | None:
        """Of the whole run; ``None`` where something does not fit into memory."""
        known = [part.seconds for part in self.parts if part.seconds is not None]
        return sum(known) if len(known) == len(self.parts) else None

    @property
    def bytes(self) -> int:
        """That it leaves on the computer and in AiiDA."""
        return sum(each.part.bytes for each in self.parts)


def estimate(
    code: AbstractCode, model: ModelData, plan: Sequence[Part], options: Mapping[str, Any] | None = None
) -> Estimate:
    """Return what a plan takes, after timing the model in a job of its own.

    :param code: the model's environment.
    :param model: which potential.
    :param plan: see :func:`aiida_crucible.launch.plan.plan_of`.
    :param options: of the job; ``device`` among them.
    :raises ModelEnvironmentError: if the model cannot be loaded there.
    """
    reference = asdict(model.to_reference())
    if model.is_checkpoint:
        reference["checkpoint"] = str(stage_checkpoint(model, code.computer))
    given = dict(options or {})
    device = given.pop("device", "auto")
    request = {"reference": reference, "device": device, "probes": [_probe(part) for part in plan]}
    timing, node = run_script(code, "timing.py", request, "timing.json", given)
    if "problem" in timing:
        raise ModelEnvironmentError(f"{timing['problem']} (`verdi process show {node.pk}`)")
    parts = [
        PartTime(part, seconds, None if seconds is None else _seconds(part, seconds, timing["start"]))
        for part, seconds in zip(plan, timing["evaluations"], strict=True)
    ]
    return Estimate(parts, timing["start"], timing["memory"], timing["device"])


def _seconds(part: Part, evaluation: float, start: float) -> float:
    if part.evaluations == 0:
        return 0.0
    return part.rounds * (part.evaluations * evaluation + start + JOB_OVERHEAD * part.at_once)


def _probe(part: Part) -> dict[str, Any]:
    atoms: Atoms = part.atoms
    return {
        "symbols": atoms.get_chemical_symbols(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "pbc": atoms.pbc.tolist(),
        "threads": part.cores,
        "stress": part.stress,
    }
