"""See whether an environment works, with a probe that runs as a job of its computer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida.orm import ProcessNode

from aiida_crucible.environments.codes import RegisteredEnvironment
from aiida_crucible.environments.script_job import run_script
from crucible_engine.families.facts import Family
from crucible_engine.tasks.registry import find_environment

ANSWER_FILE = "probe.json"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    :param name: the check.
    :param status: ``passed``, ``failed`` or ``not-applicable``.
    :param message: one line.
    """

    name: str
    status: str
    message: str


@dataclass(frozen=True)
class CheckResult:
    """What a probe found.

    :param findings: one a check, in their order.
    :param process: the job that ran the probe.
    """

    findings: tuple[Finding, ...]
    process: ProcessNode

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(item.status != "failed" for item in self.findings)


def check_environment(environment: RegisteredEnvironment, options: Mapping[str, Any] | None = None) -> CheckResult:
    """Run the probe in an environment, on its computer, with provenance.

    :param environment: the environment.
    :param options: options of the job (queue, account, wall time …).
    :raises ModelEnvironmentError: if the job itself fails: its PK is in the message.
    """
    answer, node = run_script(environment.code, "probe.py", _request(environment), ANSWER_FILE, options)
    return CheckResult(tuple(Finding(**item) for item in answer), node)


def _request(environment: RegisteredEnvironment) -> dict[str, Any]:
    family = find_environment(environment.content["family"])
    default = family.names.get(family.default_name or "") if isinstance(family, Family) else None
    return {
        "family": family.name,
        "package": family.package,
        "import_name": family.import_name,
        "version": environment.content["version"],
        "torch": environment.content["torch"],
        "weights": default.name if default is not None and default.shipped else None,
        "dtype": family.default_dtype if isinstance(family, Family) else None,
    }
