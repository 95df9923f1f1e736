"""The task ``verify``: whether a model in its environment can be believed at all.

Outcome: ``passed`` or ``failed``. Summary: ``checks`` (see :class:`crucible_engine.tasks.verify.check.Check`),
``faults`` (the names of those found, each once), ``force_noise`` (rms scatter of the forces, eV/Å), ``probes`` (what it
was verified on), ``evaluations`` (how many structures were evaluated).

The structures are optional; without any, the model is verified on small random crystals of its elements alone.
"""

from __future__ import annotations

from dataclasses import replace

from crucible_engine.families.base import Model
from crucible_engine.job.context import Context, TaskResult
from crucible_engine.tasks.verify.suite import verify_model
from crucible_engine.tasks.verify.weights import check_fingerprint, check_weights
from crucible_engine.wire.schema import STRUCTURES_FILE, Job
from crucible_engine.wire.structures import read_structures


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Verify a model.

    :param job: the job, its parameters complete.
    :param model: the loaded model.
    :param context: the job's surroundings.
    :return: the outcome ``passed`` or ``failed`` and the summary.
    """
    path = context.folder / STRUCTURES_FILE
    structures = list(read_structures(path)) if path.exists() else []
    verification = verify_model(model, structures, job.parameters["seed"], context.between_steps)
    fingerprint = check_fingerprint(model, job.parameters["fingerprint"], verification.faults)
    weights = check_weights(model, job.reference)
    verification = replace(verification, checks=[weights, fingerprint, *verification.checks])
    context.finish()
    faults = verification.faults
    return TaskResult(
        outcome="failed" if faults else "passed",
        summary=verification.to_dict(),
        message=f"verification found: {', '.join(faults)}" if faults else "",
    )
