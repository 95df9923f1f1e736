"""Tasks whose whole state is in a run folder, which stays on the computer: a copy of it is continued there.

What the nodes tell of a folder is checked when it is given; the computer is asked at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from aiida.common.datastructures import CalcInfo
from aiida.engine import ExitCode
from aiida.orm import CalcJobNode, RemoteData

from aiida_crucible.calculations.exit_codes import NOTHING_TO_CONTINUE
from crucible_engine.wire.schema import PREVIOUS_STATE_FILE, PROTOCOL, RUN_FOLDER, STATE_FILE, Condition

if TYPE_CHECKING:
    from aiida_crucible.calculations.base import EngineCalculation

    Base = EngineCalculation
else:
    Base = object

NOUNS = {"dynamics": "dynamics", "train": "training"}
"""What messages call the runs of tasks that keep a run folder."""


def restart_folder_check(task: str) -> Callable[[RemoteData], None]:
    """Return the check that a folder may be continued from by a task; it raises ``ValueError`` with one line."""
    return partial(_check_restart_folder, task)


def _check_restart_folder(task: str, restart_from: RemoteData) -> None:
    """Refuse a folder that was cleaned, or of a job that is of another task, goes on, or has finished.

    A folder that no job made (of a stash, or of an imported run) is left to the computer and the engine to judge.
    """
    name = name_of(restart_from)
    job = restart_from.creator
    # Of a job from the cache the next one may be in the cache as well, which needs no folder.
    if restart_from.is_cleaned and not (job and job.base.caching.is_created_from_cache):
        raise ValueError(f"{name} was cleaned from {restart_from.computer.label}: its checkpoint is gone, start anew")
    if job is None:
        return
    title = f"{job.process_label}<{job.pk}>"
    belongs = f"{name} belongs to {title}, which"
    if job.process_type != f"aiida.calculations:crucible.{task}":
        raise ValueError(
            f"{belongs} is no {NOUNS[task]}: give the `remote_folder` of an unfinished {task.capitalize()}Calculation"
        )
    if not job.is_terminated:
        raise ValueError(f"{belongs} goes on: let it end, or kill it")
    results = results_of(job)
    if results.get("condition") == Condition.FINISHED.value:
        raise ValueError(f"{belongs} has finished: nothing is left to do")
    if results.get("protocol", PROTOCOL) != PROTOCOL:
        raise ValueError(
            f"{name} was written by an engine of protocol {results['protocol']}, this one has {PROTOCOL}: a run is "
            "continued by the version that began it, or started anew"
        )
    if results and results["summary"].get("checkpoint") is None:
        raise ValueError(f"{name} has no checkpoint: {title} ended before its first one; start without restart_from")


def name_of(restart_from: RemoteData) -> str:
    """Return what messages call a folder to continue from."""
    return f"restart_from <{restart_from.pk}>" if restart_from.is_stored else "restart_from"


def results_of(job: CalcJobNode) -> dict[str, Any]:
    """Return the results of a job; nothing where it has none."""
    if "results" not in job.outputs:
        return {}
    content: dict[str, Any] = job.outputs.results.get_dict()
    return content


class ContinuesRunFolder(Base):
    """What such a CalcJob does with its input ``restart_from``; to be named before ``EngineCalculation``."""

    CONTINUED_OUTPUT = "remote_folder"

    async def run(self) -> Any:
        """Refuse to begin where the computer has no checkpoint of what is to be continued: AiiDA would not complain."""
        is_submission = not (self.inputs.metadata.dry_run or "remote_folder" in self.inputs)
        if is_submission and "restart_from" in self.inputs and self.node.exit_status is None:
            complaint = await self._find_no_checkpoint(self.inputs.restart_from)
            if complaint is not None:
                code: ExitCode = getattr(self.exit_codes, NOTHING_TO_CONTINUE.label)
                return code.format(detail=complaint)
        return await super().run()

    def add_unfinished_job(self, info: CalcInfo) -> None:
        """Let the run folder of the job that this one continues be copied on the computer."""
        if "restart_from" in self.inputs:
            folder: RemoteData = self.inputs.restart_from
            source = PurePosixPath(folder.get_remote_path()) / RUN_FOLDER
            info.remote_copy_list = [(folder.computer.uuid, str(source), RUN_FOLDER)]

    async def _find_no_checkpoint(self, folder: RemoteData) -> str | None:
        """Return one line if the computer has no checkpoint; ``None`` if it has one, or if it does not answer now."""
        run = PurePosixPath(folder.get_remote_path()) / RUN_FOLDER
        try:
            async with self.runner.transport.request_transport(self.node.get_authinfo()) as request:
                transport = await request
                for name in (STATE_FILE, PREVIOUS_STATE_FILE):
                    if await transport.path_exists_async(run / name):
                        return None
        except Exception as error:  # each transport has its own; the upload asks again, and again
            self.report(f"{folder.computer.label} did not say whether it has {run}: {error}")
            return None
        return f"{folder.computer.label} has no checkpoint in {run}: start without restart_from"
