"""A job from its parameters to its task's result: check, load, run."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ase.calculators.calculator import PropertyNotImplementedError
from ase.data import chemical_symbols

from crucible_engine.families.base import Model, numbers_of
from crucible_engine.families.load import (
    check_package,
    complete_reference,
    import_adapter,
    import_quietly,
    load_model,
)
from crucible_engine.families.registry import Family, find_family, find_named
from crucible_engine.job.context import Context, TaskResult
from crucible_engine.job.environment import describe_environment, package_version, peak_device_memory, peak_memory
from crucible_engine.job.preflight import (
    Survey,
    check_capability,
    check_elements,
    check_folder,
    survey_structures,
)
from crucible_engine.job.process import Interruption
from crucible_engine.job.threads import ThreadControl
from crucible_engine.tasks.parameters import lack_of_stress, needs_stress, validate_parameters
from crucible_engine.tasks.registry import TASKS, toolset_of
from crucible_engine.wire.labels import digest_of_labels
from crucible_engine.wire.rules import ParameterError
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    LABELS_FILE,
    PROTOCOL,
    REFERENCE_FILE,
    STRUCTURES_FILE,
    TRAINED_FILE,
    TRAJECTORIES_FILE,
    Condition,
    EngineError,
    Job,
    Results,
)


def run_job(
    job: Job, folder: Path, interruption: Interruption, threads: ThreadControl, *, began: float, results: Results
) -> None:
    """Run a job; its arrays are written when this returns, its ``results.json`` is left to the caller.

    :param began: when the job began, of ``time.monotonic``.
    :param results: filled as things become known, so that a job that fails still tells what it knew.
    :raises EngineError: for everything that has a name.
    """
    check_folder(folder)
    for name in (ARRAYS_FILE, TRAJECTORIES_FILE, TRAINED_FILE):
        (folder / name).unlink(missing_ok=True)
    job = _complete(job)
    survey = _survey(job, folder)
    model = None
    if job.model is None:
        _prepare_toolset(job, threads, results)
    else:
        model = _prepare_model(job, survey, threads, results)
    identity = {**_identity(job, model, survey), **_identity_of_files(job, folder)}
    context = Context(folder, interruption, threads, survey, identity, began, job.walltime)
    computing = time.monotonic()
    try:
        result = _task(job.task)(job, model, context)
    except PropertyNotImplementedError as error:
        # A calculator may say that it has what it turns out to lack.
        results.summary = context.unfinished
        needed = needs_stress(job.task, job.parameters)
        message = f"{_in_words(job)} lacks what {job.task} needs ({error}): choose another model"
        raise EngineError(
            Condition.CAPABILITY_MISSING, lack_of_stress(_in_words(job), needed) if needed else message
        ) from error
    except BaseException:
        results.summary = context.unfinished
        raise
    finally:
        results.timings["compute"] = round(time.monotonic() - computing, 4)
        results.environment["threads"] = threads.report()
        with contextlib.suppress(Exception):  # a device that failed has no more to say
            results.peak_memory = round(peak_memory(), 1)
            results.peak_device_memory = None if model is None else peak_device_memory(model.device)
    results.outcome, results.summary = result.outcome, result.summary
    results.condition, results.message = result.condition.value, result.message


def _complete(job: Job) -> Job:
    """Return the job with every default filled in."""
    try:
        parameters = validate_parameters(job.task, job.parameters)
    except ParameterError as error:
        raise EngineError(Condition.INVALID_JOB, str(error)) from error
    return replace(job, model=job.model and complete_reference(job.model), parameters=parameters)


def _survey(job: Job, folder: Path) -> Survey:
    path = folder / STRUCTURES_FILE
    if not path.exists() and not TASKS[job.task].needs_structures:
        return Survey()
    return survey_structures(path)


def _prepare_model(job: Job, survey: Survey, threads: ThreadControl, results: Results) -> Model:
    """Return the loaded model after all that can be wrong with the structures was looked for."""
    family = find_family(job.reference.family)
    _check_catalogued_elements(job, survey)
    if (check_structures := TASKS[job.task].check_structures) is not None:
        check_structures(survey, job.parameters, family.name)
    model = _load(job, family, threads, results)
    results.model = describe_model(job, model)
    results.environment = {**describe_environment(family.package, model.device), "threads": threads.report()}
    check_capability(job.task, job.parameters, model.gives_stress, _in_words(job))
    if model.elements:
        check_elements(survey, model.elements, _in_words(job))
    return model


def _prepare_toolset(job: Job, threads: ThreadControl, results: Results) -> None:
    """See that what a task without a model computes with is there."""
    toolset = toolset_of(job.task)
    check_package(toolset, job.package_version)
    began = time.monotonic()
    import_quietly(toolset.import_name, toolset)
    device = toolset.find_device(job.device)
    results.timings["import"] = round(time.monotonic() - began, 4)
    results.environment = {**describe_environment(toolset.package, device), "threads": threads.report()}


def _check_catalogued_elements(job: Job, survey: Survey) -> None:
    """Refuse what released weights are known not to know before they are loaded."""
    if job.reference.name is not None:
        symbols = find_named(job.reference.family, job.reference.name).elements
        if symbols:
            check_elements(survey, numbers_of(symbols), _in_words(job))


def _load(job: Job, family: Family, threads: ThreadControl, results: Results) -> Model:
    check_package(family, job.package_version)
    began = time.monotonic()
    import_adapter(family)
    imported = time.monotonic()
    results.timings["import"] = round(imported - began, 4)
    threads.apply()
    model = load_model(job.reference, job.device)
    results.timings["load"] = round(time.monotonic() - imported, 4)
    return model


def describe_model(job: Job, model: Model) -> dict[str, Any]:
    """Return what results say of the model that was really loaded."""
    said = asdict(model.identity)
    del said["device"]
    said["elements"] = [chemical_symbols[number] for number in sorted(model.elements)]
    return {**said, "forces": "conservative" if model.conservative else "direct"}


def _in_words(job: Job) -> str:
    model = job.reference
    return " ".join(dict.fromkeys([model.family, model.name or model.checkpoint or ""])).strip()


def _identity(job: Job, model: Model | None, survey: Survey) -> dict[str, Any]:
    """Return whose work the job's journal is: everything that changes a number."""
    parameters = {name: value for name, value in job.parameters.items() if name not in TASKS[job.task].changeable}
    work = {"protocol": PROTOCOL, "task": job.task, "parameters": parameters, "structures": survey.digest}
    if model is None:
        package = toolset_of(job.task).package
        return {**work, "package": [package, package_version(package)]}
    return {
        **work,
        "weights": model.sha256,
        "dtype": model.dtype,
        "settings": model.settings,
    }


def _identity_of_files(job: Job, folder: Path) -> dict[str, Any]:
    """Return whose work it is by what lies beside the structures."""
    task, reference = TASKS[job.task], folder / REFERENCE_FILE
    found = {"reference": survey_structures(reference).digest} if task.has_reference and reference.exists() else {}
    return {**found, "labels": digest_of_labels(folder / LABELS_FILE)} if task.has_labels else found


def _task(name: str) -> Callable[[Job, Model | None, Context], TaskResult]:
    task: Callable[[Job, Model | None, Context], TaskResult] = importlib.import_module(f"{TASKS[name].folder}.run").run
    return task
