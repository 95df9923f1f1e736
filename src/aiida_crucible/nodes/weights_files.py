"""A file of weights on its way into a model's node: a file, a folder of parts, or a committee of several."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from aiida_crucible.nodes.file_digest import is_file, is_folder, missing_file
from crucible_engine.families.facts import ENSEMBLE
from crucible_engine.families.packed import pack, pack_committee
from crucible_engine.families.registry import FAMILIES, Family
from crucible_engine.families.weights import start_of
from crucible_engine.wire.rules import shown
from crucible_engine.wire.schema import EngineError


@contextlib.contextmanager
def weights_file(path: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Give a checkpoint as one file: itself, or packed for a while where it is a folder of the parts of a model.

    :param parts: names of the files that such a folder has; empty where the family has files alone.
    :raises ValueError: one line, if there is no such file or folder.
    """
    if is_file(path):
        yield path
    elif parts and is_folder(path):
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "packed.zip"
            try:
                pack(path, parts, packed)
            except EngineError as error:
                raise ValueError(f"checkpoint {path} is none: {error.message}") from None
            yield packed
    else:
        raise ValueError(f"checkpoint {missing_file(path)} (or say on which computer it lies)")


@contextlib.contextmanager
def packed_committee(family: Family, files: Sequence[str | Path], ensemble: object, *others: object) -> Iterator[Path]:
    """Give a committee as one file for a while.

    :param ensemble: members of each file's own ensemble that are asked for; there can be none.
    :param others: what cannot be given with it.
    """
    if ensemble is not None:
        raise ValueError(f"a committee's files are its members: leave the setting {ENSEMBLE!r} out")
    if any(other is not None for other in others):
        raise ValueError("a committee is made of files on this machine: leave name, checkpoint and computer out")
    if family.weights_file is None:
        raise ValueError(f"family {family.name!r} has no checkpoint files: no committee can be made of them")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        members = []
        for file in files:
            checked("committee", file, str | PurePath, "a list of paths")
            member = stack.enter_context(weights_file(Path(file).expanduser(), family.weights_file.parts))
            require_checkpoint(family, str(file), start_of(member))
            members.append(member)
        packed = folder / "committee.zip"
        pack_committee(members, family.name, packed)
        yield packed


def require_checkpoint(family: Family, path: str, start: bytes) -> None:
    """Refuse a file that the family cannot load.

    :param start: its first bytes.
    """
    wanted = family.weights_file
    if wanted is None or wanted.begins(start):
        return
    others = [other.name for other in FAMILIES.values() if other.weights_file and other.weights_file.begins(start)]
    instead = (
        f"it looks like one of {others[0]}: choose that family" if len(others) == 1 else "give the file of a model"
    )
    raise ValueError(
        f"checkpoint {path} is none of {family.name}: it does not begin like {wanted.description}; {instead}"
    )


def check_trust(family: Family, trust_pickle: bool, trust_code: bool) -> None:
    """Refuse trust that is no switch, or that means nothing to a family.

    :raises ValueError: one line.
    """
    checked("trust_pickle", trust_pickle, bool, "True or False")
    checked("trust_code", trust_code, bool, "True or False")
    if trust_code and not family.runs_code:
        raise ValueError(f"family {family.name!r} runs no code that its settings name: leave trust_code out")
    if trust_pickle and family.weights_file is None:
        instead = "say trust_code instead" if family.runs_code else "leave trust_pickle out"
        raise ValueError(f"family {family.name!r} has no checkpoint that could be unpickled: {instead}")


def checked(name: str, value: Any, kind: Any, wanted: str) -> Any:
    """Return the value if it is of a kind; a truthy word in place of a switch would do what nobody meant."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {shown(value)}: give {wanted}")
    return value
