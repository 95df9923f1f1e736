"""Folders that are whole or not there, their checksums, and zip files that are the same each time."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crucible_engine.families.weights import digest
from crucible_engine.wire.rules import first_line, shown

MANIFEST = "MANIFEST.sha256"
LARGEST_MANIFEST = 2**24
"""Bytes."""
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can say."""
STORED = (".aiida", ".png", ".gz", ".zip")
"""What is compressed already."""


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside a target, which becomes the target once all is written; else nothing stays.

    :param target: a folder that is empty or does not exist.
    """
    made = [parent for parent in (target.parent, *target.parent.parents) if not parent.exists()]
    work = target.parent / f".{target.name}.{secrets.token_hex(4)}.unfinished"
    try:
        work.mkdir(parents=True)
        yield work
        os.replace(work, target)  # noqa: PTH105
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        for parent in made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


def require_new(target: Path) -> None:
    """Refuse a target that holds something already.

    :raises ValueError: one line.
    """
    try:
        is_full = target.is_dir() and any(target.iterdir())
        is_other = target.exists() and not target.is_dir()
        archive = zip_of(target.absolute())
        has_archive = archive.exists()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{shown(str(target))} cannot be a folder ({first_line(error)}): give another --output"
        ) from None
    if is_full:
        raise ValueError(f"{target} exists and is not empty: give another folder with --output, or remove it")
    if is_other:
        raise ValueError(f"{target} is a file: give a folder with --output")
    if has_archive:
        raise ValueError(f"{archive} exists: give another folder with --output, or remove it")


def zip_of(folder: Path) -> Path:
    """Return the path of the zip file of an export's folder."""
    return folder.with_name(f"{folder.name}.zip")


def files_of(folder: Path) -> list[str]:
    """Return the paths of all files in a folder, relative to it, with ``/`` between names, sorted.

    :raises ValueError: one line, if there is a link or something that is no file.
    """
    found = []
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            mode = path.lstat().st_mode
            relative = path.relative_to(folder).as_posix()
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise ValueError(f"{relative!r} in {folder} is a link or no plain file, which no export has")
            if stat.S_ISREG(mode):
                found.append(relative)
    return sorted(found)


def write_manifest(folder: Path) -> None:
    """Write the checksums of all files of a folder, as ``sha256sum -c`` reads them."""
    lines = [f"{digest(folder / name)}  {name}\n" for name in files_of(folder) if name != MANIFEST]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, str]:
    """Return the checksums that a folder states, by path.

    :raises ValueError: one line, if the file is damaged.
    """
    path = folder / MANIFEST
    if path.stat().st_size > LARGEST_MANIFEST:
        raise ValueError(f"{MANIFEST} has more than {LARGEST_MANIFEST} bytes, which nobody needs")
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise ValueError(f"line {number} of {MANIFEST} is no checksum of a file, or is there twice")
        found[match[2]] = match[1]
    return found


def write_zip(folder: Path, target: Path, prefix: str) -> None:
    """Write the files of a folder into a zip file: sorted, with one time for all, so that the same files give the same.

    :param prefix: folder in the zip file that holds them; empty for none.
    """
    with zipfile.ZipFile(target, "x") as archive:
        for name in files_of(folder):
            add_member(archive, f"{prefix}/{name}" if prefix else name, folder / name)


def add_member(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Add a file to a zip file, in pieces."""
    member = zipfile.ZipInfo(name, FIXED_TIME)
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    member.create_system = 3
    member.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
    member.file_size = path.stat().st_size  # it tells whether 64 bits are needed
    with archive.open(member, "w") as target, path.open("rb") as source:
        shutil.copyfileobj(source, target)
