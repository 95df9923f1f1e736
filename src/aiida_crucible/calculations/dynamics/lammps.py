"""What a dynamics with LAMMPS needs of its model, its crystal and its computer.

Checks raise ``ValueError`` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import Computer, ContainerizedCode, Dict

from aiida_crucible.calculations.dynamics.structures import structures_of
from aiida_crucible.calculations.resources import options_of
from aiida_crucible.nodes.structures import require_crystal
from crucible_engine.families.registry import find_family
from crucible_engine.tasks.dynamics.lammps.support import require_pair_style
from crucible_engine.wire.schema import LAMMPS_FOLDER, EngineError

FILES = [f"{LAMMPS_FOLDER}/{name}" for name in ("in.lammps", "log.lammps", "stderr.txt")]
"""What LAMMPS was told and what it said at its start, of the last replica."""


def is_lammps(parameters: Dict | None) -> bool:
    """Return whether parameters of dynamics choose LAMMPS."""
    return parameters is not None and parameters.get_dict().get("backend") == "lammps"


def check_lammps(inputs: Mapping[str, Any]) -> None:
    """Refuse a family without a pair style, what is no crystal, and a container that would have to start ranks."""
    if not is_lammps(inputs.get("parameters")):
        return
    model, code = inputs.get("model"), inputs.get("code")
    if model is not None:
        try:
            require_pair_style(find_family(model.family))
        except EngineError as error:
            raise ValueError(str(error)) from None
    for structure in structures_of(inputs).values():
        try:
            require_crystal(structure, "LAMMPS")
        except ValueError as error:
            raise ValueError(f"{error}; or choose backend 'ase'") from None
    if isinstance(code, ContainerizedCode):
        raise ValueError(
            f"code {code.full_label!r} is a container, in which LAMMPS cannot be started on the computer's ranks: give "
            "an InstalledCode, or choose backend 'ase'"
        )


def check_launcher(inputs: Mapping[str, Any]) -> None:
    """Refuse ranks that the computer cannot start; its resources were checked before."""
    options, code = options_of(inputs), inputs.get("code")
    if is_lammps(inputs.get("parameters")) and code is not None and "resources" in options:
        launcher_of(code.computer, options)


def launcher_of(computer: Computer, options: Mapping[str, Any]) -> tuple[list[str], int]:
    """Return the command that starts a program on the ranks of a job, and how many they are.

    :param options: ``metadata.options`` of the job; one process needs no command.
    :raises ValueError: one line, if the computer has no such command.
    """
    scheduler, resources = computer.get_scheduler(), dict(options["resources"])
    scheduler.preprocess_resources(resources, computer.get_default_mpiprocs_per_machine())
    resource = scheduler.create_job_resource(**resources)
    ranks = int(resource.get_tot_num_mpiprocs())
    if ranks == 1:
        return [], 1
    words = {**dict(resource.items()), "tot_num_mpiprocs": ranks}
    command = [argument.format(**words) for argument in computer.get_mpirun_command() if argument]
    if not command:
        raise ValueError(
            f"resources ask for {ranks} ranks of LAMMPS, but computer {computer.label!r} has no command that starts "
            "them: give it one with set_mpirun_command, or ask for one process"
        )
    return [*command, *(options.get("mpirun_extra_params") or [])], ranks
