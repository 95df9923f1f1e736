"""The Codes of environments: register, find, list, retire."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.orm import AbstractCode, Computer, InstalledCode, QueryBuilder, load_code, load_computer

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.environments.lock_record import LOCK_KEY, record_of
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.environments.specification import Specification, TorchBuild, normalise_python, source_of
from crucible_engine.tasks.registry import ENVIRONMENTS
from crucible_engine.tasks.registry import find_environment as find_description
from crucible_engine.wire.rules import suggestion

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

ROOT_PROPERTY = "crucible_environments"
"""Property of a Computer: the folder for its environments."""


@dataclass(frozen=True)
class RegisteredEnvironment:
    """An environment as its Code knows it.

    :param code: the Code.
    :param content: ``family``, ``package``, ``version``, ``lock`` and ``source`` (digests), ``torch``, ``python``,
        ``megabytes``, ``build`` and ``release`` (see :class:`TorchBuild`).
    """

    code: InstalledCode
    content: Mapping[str, Any]

    @property
    def folder(self) -> PurePosixPath:
        """Absolute path of its folder on the computer."""
        return PurePosixPath(self.code.filepath_executable).parent.parent

    @property
    def state(self) -> str:
        """Whether it can be used.

        ``retired``, ``unreachable`` (its computer is not configured, as those of an imported archive), ``missing``
        (seen on this machine only), ``unknown`` (the package that brought its family is gone), ``outdated`` (its lock
        has changed) or ``ready``.
        """
        if self.code.is_hidden:
            return "retired"
        if not self.code.computer.is_configured:
            return "unreachable"
        if is_this_machine(self.code.computer) and not Path(self.code.filepath_executable).exists():
            return "missing"
        if self.content["family"] not in ENVIRONMENTS:
            return "unknown"
        build = TorchBuild(self.content["build"], self.content["release"])
        source = source_of(self.content)
        try:
            today = Specification(self.content["family"], normalise_python(self.content["python"]), build, source)
        except (
            ModelEnvironmentError
        ):  # the family's package came from elsewhere, or its Python is not supported, by now
            return "outdated"
        return "ready" if today.digest == self.content["lock"] else "outdated"


def register(
    computer: Computer,
    executable: str,
    specification: Specification,
    content: Mapping[str, Any],
    label: str | None = None,
) -> InstalledCode:
    """Return the Code of an environment, which from now on is what ``label@computer`` means.

    A Code never changes its executable: what jobs ran with stays true. The Code that had the label before gets its
    digest appended to its name and is hidden. An environment that has a Code of another label keeps it, and gets one
    more.

    :param computer: where the environment lies.
    :param executable: absolute path of its Python.
    :param specification: what it was made from.
    :param content: what it says of itself (``crucible.json``).
    :param label: the Code's label; by default the family's name.
    :raises ModelEnvironmentError: if the label belongs to a Code that is no environment.
    """
    label = specification.family if label is None else label
    require_free_label(computer, label)
    # A retired Code comes back; one in use is somebody's.
    own = [code for code in codes_of(computer, executable) if code.label == label or code.is_hidden]
    code = min(own, key=lambda code: code.label != label, default=None)
    for holder in _codes_at(computer, {"label": label}):
        if code is None or holder.pk != code.pk:
            retire(holder)
    if code is None:
        code = InstalledCode(label=label, computer=computer, filepath_executable=executable)
        code.description = _describe(specification, content)
        code.store()
    code.label, code.is_hidden = label, False
    code.base.extras.set(ENVIRONMENT_KEY, _content_of_code(specification, content))
    code.base.extras.set(LOCK_KEY, record_of(specification, content))
    return code


def find_environment(name: str, computer: Computer | None = None) -> RegisteredEnvironment:
    """Return the environment that a user names.

    :param name: a label (``chgnet``), a full label (``chgnet@localhost``), a PK or a UUID.
    :param computer: where to look for a label.
    :raises ModelEnvironmentError: if there is none, or more than one.
    """
    label, _, at = name.partition("@")
    known = list(registered_environments())
    matches = [
        item
        for item in known
        if name in (str(item.code.pk), item.code.uuid)
        or (
            label == item.code.label
            and (not at or at == item.code.computer.label)
            and (computer is None or computer.pk == item.code.computer.pk)
        )
    ]
    # An imported archive brings Codes of computers that this profile cannot reach.
    matches = [item for item in matches if item.code.computer.is_configured] or matches
    if len(matches) == 1:
        return matches[0]
    if matches:
        choices = ", ".join(item.code.full_label for item in matches)
        raise ModelEnvironmentError(f"environment {name!r} is on several computers: choose one of {choices}")
    where = "" if computer is None else f" on {computer.label}"
    raise ModelEnvironmentError(
        f"there is no environment {name!r}{where}: {missing_code(name, [item.code.label for item in known])}"
    )


def find_code(name: str) -> AbstractCode:
    """Return the Code that a user names: an environment, or any other.

    :param name: a label, a full label, a PK or a UUID.
    :raises ModelEnvironmentError: if there is none.
    """
    try:
        code: AbstractCode = load_code(name)
    except MultipleObjectsError:
        return find_environment(name).code
    except (NotExistent, OverflowError, ValueError):  # the last two are of what no database holds
        known = [f"{label}@{computer}" for computer, label in _codes("label")]
        raise ModelEnvironmentError(f"there is no code {name!r} in this profile: {missing_code(name, known)}") from None
    return code


def as_code(code: AbstractCode | str) -> AbstractCode:
    """Return the code, loaded where its label was given.

    :raises ValueError: one line, if there is none of that label, or more than one.
    """
    if not isinstance(code, str):
        return code
    try:
        loaded: AbstractCode = load_code(code)
    except (NotExistent, OverflowError):
        known = [f"{label}@{computer}" for computer, label in _codes("label")]
        raise ValueError(f"there is no code {code!r} in this profile: {missing_code(code, known)}") from None
    except MultipleObjectsError:
        found = [(computer, node) for computer, node in _codes("*") if node.label == code]
        # An imported archive brings codes of computers that this profile cannot reach.
        reachable = [node for computer, node in found if load_computer(computer).is_configured]
        if len(reachable) == 1:
            return reachable[0]
        choices = ", ".join(f"{code}@{computer}" for computer, _ in found)
        raise ValueError(f"code {code!r} is on several computers: choose one of {choices}") from None
    return loaded


def _codes(project: str) -> list[Any]:
    """Return computer's label and what is asked for of each code of this profile."""
    query = QueryBuilder().append(Computer, tag="computer", project="label")
    found: list[Any] = query.append(AbstractCode, with_computer="computer", project=project).all()
    return found


def missing_code(name: str, known: list[str]) -> str:
    """Return what to do where there is no Code of a name.

    :param name: a label, alone or with ``@`` and its computer's.
    :param known: the labels that there are, in the same form.
    """
    label, _, at = name.partition("@")
    if label in ENVIRONMENTS:
        where = f" --computer {at}" if at not in ("", "localhost") else ""
        return f"`aiida-crucible env create {label}{where}` makes it"
    if not known:
        return "none is registered in this profile: `aiida-crucible env create FAMILY` makes one"
    # A computer that they share makes no two labels alike.
    near = difflib.get_close_matches(label, [other.partition("@")[0] for other in known], n=1)
    matches = [other for other in known if other.partition("@")[0] in near]
    hint = f"did you mean {matches[0]!r}?" if matches else f"known are {', '.join(sorted(set(known)))}"
    return f"{hint} (see `aiida-crucible env list` and `verdi code list`)"


def registered_environments(include_retired: bool = False) -> Iterator[RegisteredEnvironment]:
    """Yield the environments of this profile, oldest first."""
    query = QueryBuilder().append(InstalledCode, filters={"extras": {"has_key": ENVIRONMENT_KEY}})
    query.order_by({InstalledCode: {"id": "asc"}})
    for code in query.all(flat=True):
        if include_retired or not code.is_hidden:
            yield RegisteredEnvironment(code, code.base.extras.get(ENVIRONMENT_KEY))


def retire(code: InstalledCode) -> None:
    """Free a Code's label and hide it; whatever ran with it keeps it."""
    digest = code.base.extras.get(ENVIRONMENT_KEY)["lock"]
    code.label = f"{code.label.removesuffix(f'-{digest}')}-{digest}"
    code.is_hidden = True


def find_computer(label: str) -> Computer:
    """Return a configured computer.

    :raises ModelEnvironmentError: if there is none of that label, or it is not configured.
    """
    try:
        computer = load_computer(label)
    except (NotExistent, OverflowError):
        known = QueryBuilder().append(Computer, project="label").all(flat=True)
        hint = suggestion(label, known) if known else "set one up with `verdi computer setup`"
        raise ModelEnvironmentError(f"there is no computer {label!r} in this profile: {hint}") from None
    if not computer.is_configured:
        raise ModelEnvironmentError(
            f"computer {label!r} is not configured: `verdi computer configure {computer.transport_type} {label}`"
        )
    return computer


def is_this_machine(computer: Computer) -> bool:
    """Return whether a computer is the machine that runs this."""
    return bool(computer.transport_type == "core.local")


def require_free_label(computer: Computer, label: str) -> None:
    """Refuse a label that no environment's Code can have.

    :raises ModelEnvironmentError: if it is no label, or belongs to a Code that is no environment.
    """
    if not LABEL.fullmatch(label):
        raise ModelEnvironmentError(
            f"label {label!r} is no Code's: begin with a letter (a to z) or digit and go on with those and . _ + - "
            "(--label)"
        )
    for holder in _codes_at(computer, {"label": label}):
        if ENVIRONMENT_KEY not in holder.base.extras.all:
            raise ModelEnvironmentError(
                f"code {holder.full_label!r} exists and is none of aiida-crucible's: choose another label with --label"
            )


def _codes_at(computer: Computer, filters: Mapping[str, Any]) -> list[InstalledCode]:
    query = QueryBuilder().append(Computer, filters={"id": computer.pk}, tag="computer")
    codes: list[InstalledCode] = query.append(InstalledCode, filters=filters, with_computer="computer").all(flat=True)
    return codes


def codes_of(computer: Computer, executable: str) -> list[InstalledCode]:
    """Return the Codes of an environment, retired ones among them.

    :param executable: absolute path of its Python.
    """
    filters = {"attributes.filepath_executable": executable, "extras": {"has_key": ENVIRONMENT_KEY}}
    return _codes_at(computer, filters)


def _content_of_code(specification: Specification, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "family": specification.family,
        "package": (package := find_description(specification.family).package),
        "version": content["packages"][package.lower().replace("_", "-")],
        "lock": specification.digest,
        "torch": content["torch"],
        "python": content["python"],
        "build": specification.torch.build,
        "release": specification.torch.release,
        "megabytes": content["megabytes"],
        **({} if specification.source is None else {"source": specification.source.digest}),
    }


def _describe(specification: Specification, content: Mapping[str, Any]) -> str:
    facts = _content_of_code(specification, content)
    torch = f", torch {facts['torch']}" if facts["torch"] else ""
    return (
        f"Python {facts['python']} with {facts['package']} {facts['version']}{torch}; "
        f"made by `aiida-crucible env create` from lock {facts['lock']}"
    )
