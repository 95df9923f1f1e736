"""A monitor that ends a dynamics which is not worth its computing time; what it has computed is kept.

AiiDA calls a monitor each time that it asks the scheduler for the job::

    builder.monitors = {"hopeless": Dict({
        "entry_point": "crucible.dynamics_monitor",
        "kwargs": {"outcomes": ["melted", "exploded"], "idle_minutes": 30, "allocations": 10},
        "minimum_poll_interval": 60,
    })}
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from aiida.engine.processes.calcjobs.monitors import CalcJobMonitorResult
from aiida.orm import CalcJobNode
from aiida.transports import Transport

from aiida_crucible.calculations.base import STDOUT_FILE
from aiida_crucible.monitoring.progress import read_remote
from crucible_engine.wire.schema import LOST_OUTCOMES

STOPPED_KEY = "crucible_stopped"
"""Extra of a job that a monitor has asked to stop: ``message`` (why), ``time`` (when, seconds since the epoch)."""

SEEN_KEY = "crucible_seen"
"""Extra of a job that a monitor looks at: ``line`` (its last progress) and ``time`` (when that was new, as above)."""

GRACE = 120.0
"""Seconds in which a job may write its checkpoint and results; AiiDA itself would wait for none."""

SHORTEST_RUN = 60.0
"""Seconds a job must have run before its speed says how long it will take."""


def dynamics_monitor(
    node: CalcJobNode,
    transport: Transport,
    *,
    outcomes: Sequence[str] = LOST_OUTCOMES,
    highest_temperature: float | None = None,
    idle_minutes: float | None = 60.0,
    allocations: int | None = None,
) -> CalcJobMonitorResult | None:
    """End a dynamics that is hopeless.

    The job gets the scheduler's signal first, so that it writes its checkpoint and results, and is parsed as any other;
    its exit code is AiiDA's ``STOPPED_BY_MONITOR`` with the reason, which no restart WorkChain runs again.

    :param node: the job.
    :param transport: an open transport to its computer.
    :param outcomes: of a replica that end the job where ``on_failure`` is ``continue``; otherwise the engine itself
        ends the replica and goes on to the next.
    :param highest_temperature: K; above it the job is ended.
    :param idle_minutes: without a sign of progress, from the first look on; ``None`` for as long as the scheduler
        allows. The clock is this machine's: that of the computer may be another.
    :param allocations: how many walltimes the whole run may take; needs ``max_wallclock_seconds``.
    """
    stopped: dict[str, Any] | None = node.base.extras.get(STOPPED_KEY, None)
    if stopped is not None:
        return CalcJobMonitorResult(message=stopped["message"]) if time.time() - stopped["time"] > GRACE else None
    folder = node.get_remote_workdir()
    if folder is None:
        return None
    line = read_remote(transport, folder)
    seen = _seen_since(node, line)
    if line is None:
        reasons: Iterable[str | None] = [_idle(seen, idle_minutes)]
    else:
        began = _modified(transport, str(PurePosixPath(folder) / STDOUT_FILE))
        runs_long_enough = began is not None and line["time"] - began > SHORTEST_RUN
        walltime = node.get_option("max_wallclock_seconds") if runs_long_enough else None
        reasons = [
            _lost(line, outcomes) if node.inputs.parameters.get("on_failure", "stop") == "continue" else None,
            _hot(line, highest_temperature),
            _idle(seen, idle_minutes) if line["done"] < line["total"] else None,
            _too_slow(line, walltime, allocations),
        ]
    reason = next((reason for reason in reasons if reason is not None), None)
    if reason is not None:
        _stop(node, transport, reason)
    return None


def _stop(node: CalcJobNode, transport: Transport, reason: str) -> None:
    """Ask the scheduler to end a job, and note why: its parser, or the next look, gives the exit code."""
    scheduler = node.computer.get_scheduler()
    scheduler.set_transport(transport)
    node.base.extras.set(STOPPED_KEY, {"message": reason, "time": time.time()})
    node.logger.report(f"the monitor ends the job: {reason}")
    scheduler.kill_job(node.get_job_id())


def _lost(line: dict[str, Any], outcomes: Sequence[str]) -> str | None:
    outcome = line.get("outcome")
    return f"replica {line.get('replica')} is {outcome} at step {line.get('step')}" if outcome in outcomes else None


def _hot(line: dict[str, Any], limit: float | None) -> str | None:
    temperature = line.get("temperature")
    if limit is None or temperature is None or temperature <= limit:
        return None
    return f"replica {line.get('replica')} is at {temperature:.0f} K, above {limit:g} K, at step {line.get('step')}"


def _seen_since(node: CalcJobNode, line: dict[str, Any] | None) -> float:
    """Return when a job's progress was first seen as it is now, seconds since the epoch."""
    seen: dict[str, Any] | None = node.base.extras.get(SEEN_KEY, None)
    if seen is None or seen["line"] != line:
        seen = {"line": line, "time": time.time()}
        node.base.extras.set(SEEN_KEY, seen)
    return float(seen["time"])


def _idle(since: float, minutes: float | None) -> str | None:
    if minutes is None or time.time() - since <= 60 * minutes:
        return None
    return f"no progress for {(time.time() - since) / 60:.0f} minutes"


def _too_slow(line: dict[str, Any], walltime: float | None, allocations: int | None) -> str | None:
    rate = line.get("rate")
    if walltime is None or allocations is None or not rate:
        return None
    needed = math.ceil((line["total"] - line["done"]) / (rate * walltime))
    if needed <= allocations:
        return None
    return (
        f"{line['total'] - line['done']} steps at {rate:.3g} a second need {needed} more allocations of "
        f"{walltime:g} s, where {allocations} are allowed"
    )


def _modified(transport: Transport, path: str) -> float | None:
    """Return when a file was changed last, seconds since the epoch; ``None`` where there is none."""
    if not transport.isfile(path):
        return None
    return float(transport.get_attribute(path)["st_mtime"])
