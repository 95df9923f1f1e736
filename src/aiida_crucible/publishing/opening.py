"""Opening what somebody else exported: looked at from outside first, and nothing of it is run or unpickled."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiida_crucible.compat.aiida_archive import DB_FILENAME, META_FILENAME, REPO_FOLDER, refuse_foreign_database
from aiida_crucible.nodes.bounds import (
    LARGEST_ANSWER,
    LARGEST_EXPANSION,
    LARGEST_TEXT,
    MOST_MEMBERS,
    read_bounded,
)
from aiida_crucible.nodes.file_digest import is_file, is_folder, missing_file
from aiida_crucible.publishing.files import files_of
from crucible_engine.wire.rules import first_line
from crucible_engine.wire.value_types import parse_json

MADE = "give what `aiida-crucible export` or `verdi archive create` made"
AGAIN = "it is not opened; get it again from where it was published"

ORDINARY = (0, stat.S_IFREG, stat.S_IFDIR)
"""File types that a member of a zip file may have."""
OBJECT = re.compile(rf"{REPO_FOLDER}/([0-9a-f]{{64}})?")


@dataclass(frozen=True)
class Opened:
    """An export that may be looked at.

    :param archive: the AiiDA archive.
    :param folder: with all files; ``None`` where only an archive was given.
    :param made_with: the version of AiiDA that the archive names.
    """

    archive: Path
    folder: Path | None
    made_with: str


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Yield an export: its folder, the zip file of that, or an AiiDA archive alone.

    :raises ValueError: one line that names the file, if it is none of these, damaged, or tries to do harm.
    """
    if is_folder(path):
        archive = _archive_in(path)
        yield Opened(archive, path, _inspect_archive(archive))
        return
    if not is_file(path):
        raise ValueError(missing_file(path))
    names = inspect_zip(path)
    if META_FILENAME in names or DB_FILENAME in names:
        yield Opened(path, None, _inspect_archive(path))
        return
    if not any(name.endswith(".aiida") for name in names):
        raise ValueError(
            f"{path} is a zip file without an AiiDA archive (.aiida): give what `aiida-crucible export` made"
        )
    with tempfile.TemporaryDirectory() as place:
        folder = _extract(path, Path(place))
        archive = _archive_in(folder)
        yield Opened(archive, folder, _inspect_archive(archive))


def inspect_zip(path: Path) -> list[str]:
    """Return the names in a zip file that can be read without harm.

    :raises ValueError: one line.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no zip file, or was cut short ({first_line(error)}): {MADE}") from None
    size = path.stat().st_size
    expanded = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS:
        raise ValueError(
            f"{path} has {len(members)} members, more than {MOST_MEMBERS}: nothing of that size is an export"
        )
    if sum(member.compress_size for member in members) > size:
        raise ValueError(f"{path} has members that share their bytes, as no writer makes them: {AGAIN}")
    if expanded > max(LARGEST_TEXT, LARGEST_EXPANSION * size):
        raise ValueError(f"{path} has {size} bytes and would become {expanded}: {AGAIN}")
    names = [member.filename for member in members]
    for member in members:
        _refuse_member(path, member)
    if len(set(names)) < len(names):
        raise ValueError(f"{path} has two members of one name: {AGAIN}")
    return names


def _refuse_member(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse a member that would be written elsewhere, is a link, or cannot be read."""
    name = member.filename
    parts = name.rstrip("/").split("/")
    if "\\" in name or "\0" in name or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{path} has a member {name[:100]!r}, which points outside of it: {AGAIN}")
    if stat.S_IFMT(member.external_attr >> 16) not in ORDINARY:
        raise ValueError(f"{path} has a member {name[:100]!r} that is a link or no plain file: {AGAIN}")
    if member.flag_bits & 1:
        raise ValueError(f"{path} has a member {name[:100]!r} that is encrypted: {AGAIN}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{path} has a member {name[:100]!r} of a compression that AiiDA does not use: it is not opened"
        )


def _extract(path: Path, place: Path) -> Path:
    """Write the members of an export's zip file, which has been looked at, and return the folder that holds them."""
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(place)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}): get it again from where it was published") from None
    inside = [each for each in place.iterdir() if not each.name.startswith("__MACOSX")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else place


def _archive_in(folder: Path) -> Path:
    """Return the AiiDA archive of an export's folder.

    :raises ValueError: one line, if there is none, or more than one.
    """
    # At the top alone: nobody waits until a whole disk is searched that was given by mistake.
    try:
        found = sorted(each.name for each in folder.iterdir() if each.name.endswith(".aiida"))
    except OSError as error:
        raise ValueError(f"{folder} cannot be looked into: {error.strerror}") from None
    if len(found) != 1:
        there = f"has {len(found)} AiiDA archives" if found else "has no AiiDA archive (.aiida)"
        raise ValueError(f"{folder} {there}: give a folder that `aiida-crucible export` made, or an archive itself")
    files_of(folder)  # refuses links
    return folder / found[0]


def _inspect_archive(path: Path) -> str:
    """Return the version of AiiDA that made an archive; everything AiiDA itself reads of it was looked at then.

    :raises ValueError: one line that names the file.
    """
    names = inspect_zip(path)
    missing = [name for name in (META_FILENAME, DB_FILENAME) if name not in names]
    if missing:
        raise ValueError(f"{path} is no AiiDA archive: it has no {missing[0]}; {MADE}")
    for name in names:
        if name not in (META_FILENAME, DB_FILENAME) and not OBJECT.fullmatch(name):
            raise ValueError(f"{path} has a member {name[:100]!r}, which no archive of AiiDA has: {AGAIN}")
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open(META_FILENAME) as stream:
                content = parse_json(read_bounded(stream, LARGEST_ANSWER).decode())
            with tempfile.NamedTemporaryFile() as copy:
                with archive.open(DB_FILENAME) as stream:
                    shutil.copyfileobj(stream, copy)
                copy.flush()
                refuse_foreign_database(Path(copy.name))
    except (zipfile.BadZipFile, EOFError, ValueError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as an archive: {error}; get it again from where it was published"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("export_version"), str):
        raise ValueError(f"{path} is no AiiDA archive: its {META_FILENAME} names no version")
    return str(content.get("aiida_version", ""))
