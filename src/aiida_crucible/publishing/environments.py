"""What each environment that ran consists of, as text files: its packages, and the lock that it was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from aiida.orm import AbstractCode, Dict

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.environments.codes import is_this_machine
from aiida_crucible.environments.local import MARKER_FILE, read_content
from aiida_crucible.environments.lock_record import LOCK_KEY, lock_of_today
from aiida_crucible.publishing.closure import Closure, results_by_code

UNKNOWN_PACKAGES = "only what the jobs reported is known: the environment was not at hand when this was written"
UNKNOWN_LOCK = "its lock is unknown: it was made before locks were kept with it, or without `aiida-crucible env create`"


@dataclass(frozen=True)
class Environment:
    """An environment that ran.

    :param name: of its files, without suffix.
    :param label: of its Code.
    :param made_by: what ``aiida-crucible env create`` noted of it; empty for another Python.
    :param packages: name → version of all that is installed, or of what is known.
    :param is_complete: whether that is all.
    :param lock: its text; ``None`` where unknown.
    :param reported: what its jobs said of it: words, without duplicates.
    """

    name: str
    label: str
    made_by: Mapping[str, Any]
    packages: Mapping[str, str]
    is_complete: bool
    lock: str | None
    reported: Sequence[str]

    def files(self) -> dict[str, str]:
        """Return the texts by file name."""
        heading = [f"# environment {self.label}"]
        if self.made_by:
            heading.append(
                f"# made by `aiida-crucible env create {self.made_by['family']}`, lock {self.made_by['lock']}"
            )
        heading += [f"# {line}" for line in self.reported]
        heading += [] if self.is_complete else [f"# {UNKNOWN_PACKAGES}"]
        heading += [f"# {UNKNOWN_LOCK}"] if self.lock is None else []
        lines = [f"{name}=={version}" for name, version in sorted(self.packages.items())]
        texts = {f"{self.name}.packages.txt": "\n".join([*heading, *lines, ""])}
        return texts if self.lock is None else {**texts, f"{self.name}.lock.txt": self.lock}


def environments_of(closure: Closure) -> list[Environment]:
    """Return the environments of an export, by name."""
    results = results_by_code(closure.jobs)
    found: list[Environment] = []
    for code in closure.codes:
        made_by = code.base.extras.get(ENVIRONMENT_KEY, {})
        digest = str(made_by.get("lock", ""))
        words = [code.label] if not digest or code.label.endswith(digest) else [code.label, digest]
        name = re.sub(r"[^A-Za-z0-9._+-]", "_", "-".join(words))
        if name in (each.name for each in found):
            name = f"{name}-{code.uuid[:8]}"
        of_jobs = results.get(code.uuid, [])
        packages, is_complete = _packages(code, of_jobs)
        kept = code.base.extras.get(LOCK_KEY, {}).get("lock")
        lock = kept or (lock_of_today(made_by) if made_by else None)
        found.append(Environment(name, code.label, made_by, packages, is_complete, lock, _reported(of_jobs)))
    return sorted(found, key=lambda each: each.name)


def _packages(code: AbstractCode, results: Sequence[Dict]) -> tuple[dict[str, str], bool]:
    """Return the packages of an environment, and whether these are all."""
    kept = code.base.extras.get(LOCK_KEY, {}).get("packages")
    if kept:
        return dict(kept), True
    if here := _installed_here(code):
        return here, True
    known: dict[str, set[str]] = {}
    for result in results:
        for name, version in result.get_dict().get("environment", {}).get("packages", {}).items():
            known.setdefault(name, set()).add(str(version))
    return {name: " or ".join(sorted(versions)) for name, versions in known.items()}, False


def _installed_here(code: AbstractCode) -> dict[str, str]:
    """Return the packages of an environment of this machine, which is looked at and not run; empty where it is none."""
    if code.computer is None or not is_this_machine(code.computer):
        return {}
    folder = Path(code.base.attributes.get("filepath_executable", "")).parent.parent
    if (folder / MARKER_FILE).is_file():
        return dict(read_content(folder)["packages"])
    places = [str(path) for path in sorted(folder.glob("lib/python3.*/site-packages"))]
    found = [each for each in distributions(path=places) if each.metadata["Name"]] if places else []
    return {each.metadata["Name"].lower().replace("_", "-"): each.version for each in found}


def _reported(results: Sequence[Dict]) -> list[str]:
    """Return what jobs said of their environment: Python, device, platform, engine protocol."""
    lines: dict[str, None] = {}
    for result in results:
        content = result.get_dict()
        ran = content.get("environment", {})
        words = [f"Python {ran['python']}"] if "python" in ran else []
        words += [str(ran[key]) for key in ("device", "platform") if key in ran]
        words += [f"{key} {ran[key]}" for key in ("cuda", "driver") if key in ran]
        lines[f"jobs ran with {', '.join(words)}; protocol {content.get('protocol')} of the engine"] = None
    return list(lines)
