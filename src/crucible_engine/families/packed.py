"""Weights that are several files, as one: the parts of a saved model, or the members of a committee."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from crucible_engine.families import weights
from crucible_engine.families.facts import TORCH_FILE
from crucible_engine.wire.schema import Condition, EngineError
from crucible_engine.wire.value_types import parse_json

CONTENTS = "committee.json"
"""The part of a packed committee that says what it is; the files of the members follow it."""

FORMAT = 1
LOCAL_HEADER = 30
"""Bytes before the name of a part in a zip (PKWARE's APPNOTE 6.3, section 4.3.7)."""
FEWEST_MEMBERS = 2


def pack(folder: Path, parts: Sequence[str], target: Path) -> None:
    """Write the files of a folder, which make up weights together, as one file: the same bytes each time.

    :param parts: names of the files in the folder.
    :raises EngineError: ``CHECKPOINT_MISSING``, if one is not there.
    """
    absent = [part for part in parts if not (folder / part).is_file()]
    if absent:
        raise EngineError(
            Condition.CHECKPOINT_MISSING,
            f"folder {folder} has no {' and no '.join(absent)}: give the folder that holds {', '.join(parts)}",
        )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for part in parts:
            archive.writestr(zipfile.ZipInfo(part), (folder / part).read_bytes())


def pack_committee(members: Sequence[Path], family: str, target: Path) -> None:
    """Write files of weights as one file, a committee: the same bytes each time.

    :param members: files of one family's weights.
    :raises ValueError: one line, if there are too few of them, or two are the same.
    """
    if len(members) < FEWEST_MEMBERS:
        raise ValueError(f"a committee needs {FEWEST_MEMBERS} members or more: give the files of several models")
    digests = [weights.digest(member) for member in members]
    for number, digest in enumerate(digests):
        if digest in digests[:number]:
            raise ValueError(
                f"{members[number]} has the same content as {members[digests.index(digest)]}: a committee of the same "
                "model knows nothing of its error; train each from other random weights or on another part of the data"
            )
    contents = {"format": FORMAT, "family": family, "members": digests}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(CONTENTS), json.dumps(contents, sort_keys=True))
        for number, member in enumerate(members):
            archive.writestr(zipfile.ZipInfo(member_name(number)), member.read_bytes())


def members_of_committee(path: Path) -> list[str]:
    """Return the digests of a committee's members; none where a file is no committee.

    :raises ValueError: one line, if it is a damaged one.
    """
    if not is_packed(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return members_in(path, archive, None)
    except (EngineError, zipfile.BadZipFile, OSError, KeyError) as error:
        raise ValueError(f"checkpoint {path} is a damaged committee ({error}): make it again") from None


def is_packed(path: Path) -> bool:
    """Tell whether a file is a committee, be it whole or not: by the name of its first part."""
    try:
        with path.open("rb") as stream:
            start = stream.read(LOCAL_HEADER + len(CONTENTS))
    except OSError:
        return False
    return start.startswith(TORCH_FILE.starts) and start[LOCAL_HEADER:] == CONTENTS.encode()


def members_in(path: Path, archive: zipfile.ZipFile, family: str | None) -> list[str]:
    """Return the digests of the members of a committee.

    :raises EngineError: ``CHECKPOINT_UNREADABLE`` or ``CHECKPOINT_OF_ANOTHER_FAMILY``.
    """
    if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
        raise weights.unreadable(path, "the parts of the committee are compressed")
    try:
        contents = parse_json(archive.read(CONTENTS).decode())
        owner, digests = str(contents["family"]), [str(digest) for digest in contents["members"]]
    except (ValueError, KeyError, TypeError) as error:
        raise weights.unreadable(path, f"the committee does not say what it holds ({error})") from error
    if contents.get("format") != FORMAT or len(digests) < FEWEST_MEMBERS:
        raise weights.unreadable(path, "the committee is of another format")
    if family is not None and owner != family:
        raise EngineError(
            Condition.CHECKPOINT_OF_ANOTHER_FAMILY,
            f"checkpoint {path.name} is a committee of {owner}, none of {family}: choose that family",
        )
    return digests


def member_name(number: int) -> str:
    """Return the name of the part that holds a member, counted from 0."""
    return f"member-{number + 1:03d}"
