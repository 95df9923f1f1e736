"""Numbers against what they follow from: jobs parsed again, and functions computed again from their inputs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from aiida.common.links import LinkType
from aiida.orm import CalcFunctionNode, CalcJobNode, Data, Node
from aiida.plugins import CalculationFactory, ParserFactory

from aiida_crucible import __version__
from aiida_crucible.calculations.exit_codes import ARRAYS_UNREADABLE
from aiida_crucible.nodes.bounds import LARGEST_ANSWER, read_bounded
from aiida_crucible.publishing.checks.comparison import compare
from aiida_crucible.publishing.checks.objects import nodes
from aiida_crucible.publishing.checks.outcome import Outcome, described, named
from aiida_crucible.publishing.closure import is_own
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import JOB_FILE
from crucible_engine.wire.value_types import parse_json

OF_AIIDA = ("retrieved", "remote_folder", "remote_stash")
"""Outputs of a job that no parser makes."""

GROUP = "aiida.calculations:"
PACKAGE = "aiida_crucible."


def check_jobs(jobs: list[CalcJobNode]) -> Outcome:
    """Check that outputs of jobs are what their files say, and that jobs were told what their inputs say."""
    outcome = Outcome("outputs of jobs follow from their files")
    for job in jobs:
        try:
            _check_job(job, outcome)
        except Exception as error:  # whatever hostile files make of a reader
            outcome.unchecked[f"the job cannot be parsed again ({described(error)})"] += 1
    return outcome


def _check_job(job: CalcJobNode, outcome: Outcome) -> None:
    if "retrieved" not in job.outputs:
        outcome.unchecked["nothing was retrieved"] += 1
        return
    outcome.judge(_difference_of_job_file(job))
    parser = ParserFactory(f"crucible.{_task(job)}")(job)
    with tempfile.TemporaryDirectory() as nothing:
        # The arrays of a job that ended well are nowhere but in its nodes; of one that did not, its journal has them.
        code = parser.parse(retrieved_temporary_folder=nothing)
    if code.status != ARRAYS_UNREADABLE.status and (code.status == 0) != (job.exit_status == 0):
        outcome.judge(f"{named(job)}: its exit status is {job.exit_status}, its files say {code.status}")
    fresh = {label.replace(".", "__"): node for label, node in _flat(parser.outputs).items()}
    made = job.base.links.get_outgoing(node_class=Data, link_type=LinkType.CREATE).all()
    for link in sorted((one for one in made if one.link_label not in OF_AIIDA), key=lambda one: str(one.link_label)):
        label, node = link.link_label, link.node
        if label not in fresh:
            reason = (
                "results of jobs that wrote none" if label == "results" else "arrays, which are kept in nodes alone"
            )
            outcome.unchecked[reason] += 1
            continue
        difference, _ = compare(node, fresh[label], ignored=_not_kept(job, label))
        outcome.judge(difference and f"{named(node)}, `{label}` of {named(job)}: {difference}")


def _not_kept(job: CalcJobNode, label: str) -> tuple[str, ...]:
    """Return what of an output is made of files that are not kept: how far the checkpoint of a killed dynamics was."""
    is_whole = job.exit_status == 0 or label != "results" or _task(job) != "dynamics"
    return () if is_whole else ("summary",)


def _task(job: CalcJobNode) -> str:
    return str(job.process_type).rpartition(":")[2].removeprefix("crucible.")


def _difference_of_job_file(job: CalcJobNode) -> str | None:
    """Return how the job that ran differs from the inputs of its node, ``None`` if it does not."""
    with job.base.repository.open(JOB_FILE, "rb") as stream:
        content = parse_json(read_bounded(stream, LARGEST_ANSWER).decode())
    given = validate_parameters(_task(job), job.inputs.parameters.get_dict())
    pairs: dict[str, tuple[Any, Any]] = {"parameters": (content["parameters"], given)}
    if "model" in job.inputs:
        for name in ("family", "name", "dtype", "settings"):
            pairs[f"model.{name}"] = (content["model"][name], getattr(job.inputs.model, name))
    for name, (ran, said) in pairs.items():
        if json.loads(json.dumps(ran)) != json.loads(json.dumps(said)):
            return f"{JOB_FILE!r} of {named(job)}: {name} is {ran!r}, its inputs say {said!r}"[:400]
    return None


def check_functions() -> Outcome:
    """Check that what was computed from nodes comes out again: phonons, averages, transitions, verdicts."""
    outcome = Outcome("analyses and verdicts follow from their inputs")
    for node in nodes():
        if isinstance(node, CalcFunctionNode) and is_own(node):
            try:
                _check_function(node, outcome)
            except Exception as error:  # whatever hostile inputs make of a function
                outcome.unchecked[f"it cannot be computed again ({described(error)})"] += 1
    return outcome


def _check_function(node: CalcFunctionNode, outcome: Outcome) -> None:
    name = str(node.process_type).removeprefix(GROUP)
    made = {link.link_label: link.node for link in node.base.links.get_outgoing(link_type=LinkType.CREATE).all()}
    if not node.is_finished_ok:
        outcome.unchecked["it failed when it ran"] += max(len(made), 1)
        return
    function = plain_function(name)
    inputs = node.base.links.get_incoming(link_type=LinkType.INPUT_CALC).nested()
    returned = function(**inputs)
    fresh = {"result": returned} if isinstance(returned, Node) else _flat(returned)
    version = (node.base.attributes.get("version", None) or {}).get("plugin")
    for label in sorted({*made, *fresh}):
        difference = _difference_of_output(made.get(label), fresh.get(label))
        if difference is not None and version not in (None, __version__):
            outcome.unchecked[f"computed with aiida-crucible {version}, this is {__version__}"] += 1
            continue
        holder = f"{named(made[label])}, " if label in made else ""
        outcome.judge(
            difference
            and f"{holder}`{label}` of {name.removeprefix('crucible.')} {node.uuid[:8]} (PK {node.pk}): {difference}"
        )


def _difference_of_output(stored: Node | None, fresh: Node | None) -> str | None:
    if stored is None or fresh is None:
        return "is not there, made anew it is" if stored is None else "is there, made anew it is not"
    return compare(stored, fresh)[0]


def plain_function(name: str) -> Callable[..., Any]:
    """Return the function behind a calcfunction of this package, which stores nothing.

    :param name: of its entry point.
    :raises ValueError: one line, if it is none of this package: nothing else is run because an archive names it.
    """
    decorated = CalculationFactory(name)
    function: Callable[..., Any] | None = getattr(decorated, "__wrapped__", None)
    if function is None or not function.__module__.startswith(PACKAGE):
        raise ValueError(f"{name} is no function of aiida-crucible")
    return function


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Node]:
    """Return nested outputs with the labels of their links."""
    found: dict[str, Node] = {}
    for name, value in content.items():
        if isinstance(value, Node):
            found[f"{prefix}{name}"] = value
        else:
            found |= _flat(value, f"{prefix}{name}__")
    return found
