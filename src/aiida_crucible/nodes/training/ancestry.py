"""What a potential was made of: by provenance its parent, the frames that it was trained on, how, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida.orm import CalcJobNode, Data

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.training.dataset import DatasetData

TRAINING = "aiida.calculations:crucible.train"


@dataclass(frozen=True)
class Ancestor:
    """A training that a potential came of.

    :param job: the CalcJob.
    :param parent: the potential that it began with.
    :param dataset: the labelled frames.
    :param method: see :data:`crucible_engine.families.facts.METHODS`.
    :param results: of the job.
    """

    job: CalcJobNode
    parent: ModelData
    dataset: DatasetData
    method: str
    results: dict[str, Any]


def ancestry_of(model: ModelData) -> list[Ancestor]:
    """Return the trainings that have led to a potential, the last one first; none where no training made it."""
    found: list[Ancestor] = []
    node: Data | None = model
    while isinstance(node, ModelData):
        job = node.creator
        if not isinstance(job, CalcJobNode) or job.process_type != TRAINING or "results" not in job.outputs:
            break
        results = job.outputs.results.get_dict()
        method = str(results["summary"].get("method"))
        found.append(Ancestor(job, job.inputs.model, job.inputs.dataset, method, results))
        node = job.inputs.model
    return found
