"""What a job asks of its computer, checked before it is submitted: resources, device, time, memory.

Checks raise ``ValueError`` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import AbstractCode

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.nodes.model import ModelData
from crucible_engine.tasks.registry import TOOLSETS
from crucible_engine.wire.devices import require_precision
from crucible_engine.wire.rules import shown
from crucible_engine.wire.value_types import require_type

LEAST_MEMORY = 50_000
"""Kilobytes below which no engine starts: Python with numpy and ASE takes about 80 000."""


def options_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ``metadata.options`` of a job's inputs; none where AiiDA will refuse what is in their place."""
    found: Any = inputs
    for name in ("metadata", "options"):
        found = found.get(name, {})
        if not isinstance(found, Mapping):
            return {}
    return found  # type: ignore[no-any-return]


def check_precision(model: ModelData, options: Mapping[str, Any]) -> None:
    """Refuse a device that cannot compute in a model's precision.

    :param options: ``metadata.options`` of a job.
    """
    require_precision(options.get("device", "auto"), model.dtype)


def check_placement(code: AbstractCode, options: Mapping[str, Any]) -> None:
    """Refuse resources that the computer's scheduler does not understand, and a device that the code cannot have.

    :param code: an environment, or any other Python.
    :param options: ``metadata.options`` of a job.
    """
    if "resources" in options:
        scheduler, resources = code.computer.get_scheduler(), dict(options["resources"])
        try:
            scheduler.preprocess_resources(resources, code.computer.get_default_mpiprocs_per_machine())
            scheduler.validate_resources(**resources)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"metadata.options.resources is {dict(options['resources'])}, not what "
                f"{code.computer.scheduler_type} of computer {code.computer.label!r} takes: {error} (known are "
                f"{', '.join(sorted(scheduler.job_resource_class.get_valid_keys()))})"
            ) from error
    environment = code.base.extras.get(ENVIRONMENT_KEY, None)
    device = options.get("device", "auto")
    if environment is None or device in ("auto", "cpu"):
        return
    family, torch = environment["family"], environment["torch"]
    if torch is None and family in TOOLSETS:
        raise ValueError(
            f"device is {device!r}, but {code.full_label} has no torch: `aiida-crucible env create {family} --torch "
            "cuda` makes another, or give auto or cpu"
        )
    if torch is None:
        raise ValueError(f"device is {device!r}, but {family} computes on the cpu only: give auto or cpu")
    if torch.endswith("+cpu"):
        raise ValueError(
            f"device is {device!r}, but {code.full_label} has a build of torch for the cpu only ({torch}): "
            f"`aiida-crucible env create {family} --torch cuda` makes another, or give auto or cpu"
        )


def check_resource_types(options: Mapping[str, Any]) -> None:
    """Refuse resources that are no whole numbers or words; AiiDA multiplies what it is given."""
    resources = options.get("resources", {})
    require_type("metadata.options.resources", resources, Mapping[str, int | str | None])
    for name in resources:
        if not name.isidentifier():
            raise ValueError(f"metadata.options.resources has {shown(name)}, no name of a resource: leave it out")


def check_options(options: Mapping[str, Any], several: bool = False) -> None:
    """Refuse no time and no memory to run, and several processes where the engine alone computes.

    :param several: whether the engine starts another program, which may have any number of processes.
    """
    check_resource_types(options)
    if options.get("withmpi"):
        raise ValueError(
            "metadata.options.withmpi is True: the engine runs as one process, never under MPI: leave it out (LAMMPS "
            "gets as many ranks as `resources` has processes)"
        )
    for name in ("max_wallclock_seconds", "max_memory_kb"):
        require_type(f"metadata.options.{name}", options.get(name), int | float | None)
    walltime = options.get("max_wallclock_seconds")
    if walltime is not None and walltime < 1:
        raise ValueError(f"metadata.options.max_wallclock_seconds is {walltime}: give at least 1")
    memory = options.get("max_memory_kb")
    if memory is not None and memory < LEAST_MEMORY:
        raise ValueError(
            f"metadata.options.max_memory_kb is {memory}, less than Python and numpy take ({LEAST_MEMORY}): give it in "
            "kilobytes, for a model some 4000000"
        )
    resources = {name: number for name, number in options.get("resources", {}).items() if number is not None}
    cores = resources.get("num_cores_per_mpiproc")
    if cores is not None and (not isinstance(cores, int) or isinstance(cores, bool) or cores < 1):
        raise ValueError(
            f"num_cores_per_mpiproc of metadata.options.resources is {cores!r}: give a whole number, at least 1"
        )
    processes = resources.get("tot_num_mpiprocs") or (
        resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    )
    if processes != 1 and not several:
        raise ValueError(
            f"metadata.options.resources asks for {processes} processes: the engine is one; give it cores with "
            "num_cores_per_mpiproc"
        )
