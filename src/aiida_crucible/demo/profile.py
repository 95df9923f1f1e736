"""An AiiDA profile of the demonstration's own, so that the user's is never touched."""

from __future__ import annotations

import os
from pathlib import Path

PROFILE = "crucible-demo"
CACHED = ["aiida.calculations:crucible.*"]
"""What AiiDA need not compute twice, as identifiers of ``caching.enabled_for``."""


def open_profile(folder: Path) -> None:
    """Load the profile that lives in a folder; whatever of it is missing is made.

    It is what ``verdi presto`` would set up: SQLite, no service, the computer ``localhost``. With caching.

    :param folder: ``AIIDA_PATH`` from here on, for this process and those that it starts.
    :raises ValueError: one line, if the folder cannot be made, or holds somebody else's AiiDA.
    """
    configuration = folder.resolve() / ".aiida"
    try:
        # AiiDA would warn of the folder that it makes.
        configuration.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ValueError(f"{configuration} cannot be made ({error.strerror}): choose another folder") from error
    os.environ["AIIDA_PATH"] = str(folder.resolve())

    from aiida.manage.configuration import create_profile, get_config, load_profile, reset_config

    from aiida_crucible.compat.aiida_engine import use_configuration

    use_configuration(configuration)
    reset_config()
    config = get_config(create=True)
    if PROFILE not in config.profile_names:
        if config.profile_names:
            raise ValueError(f"{configuration} holds profiles of another AiiDA: choose another folder for the demo")
        create_profile(
            config, name=PROFILE, email="aiida@localhost", storage_backend="core.sqlite_dos", storage_config={}
        )
        config.set_default_profile(PROFILE, overwrite=True).store()
    config.set_option("runner.poll.interval", 1, scope=PROFILE)
    config.set_option("caching.enabled_for", CACHED, scope=PROFILE)
    config.store()
    load_profile(PROFILE, allow_switch=True)
    _ensure_localhost(folder.resolve() / "scratch")


def _ensure_localhost(scratch: Path) -> None:
    from aiida.common.exceptions import NotExistent
    from aiida.orm import Computer, load_computer

    try:
        computer = load_computer("localhost")
    except NotExistent:
        computer = Computer(
            label="localhost",
            hostname="localhost",
            description="This machine, for the demonstration of aiida-crucible",
            transport_type="core.local",
            scheduler_type="core.direct",
            workdir=str(scratch),
        ).store()
    if not computer.is_configured:
        computer.set_minimum_job_poll_interval(0.25)
        computer.set_default_mpiprocs_per_machine(1)
        # A login shell reads the user's files again for each of a job's commands, and nothing here needs them.
        computer.configure(safe_interval=0, use_login_shell=False)
