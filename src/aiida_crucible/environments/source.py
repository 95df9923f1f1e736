"""The source of a package that is on no index: whether a path holds it, and the digest of what it holds.

One reader serves this machine and others: it goes to another computer as text, and into the recipe, which compares what
it builds with what the environment is named after. So it imports the standard library alone, of any Python 3.
"""

import hashlib
import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path

ARCHIVES = (".zip", ".tar.gz", ".tgz")
LEFT_OUT = (".git", "__pycache__")
"""Folders that no build reads: their content changes by itself."""
DESCRIPTIONS = ("pyproject.toml", "setup.cfg", "setup.py")
LARGEST_DESCRIPTION = 1000000
"""Bytes that are read of one."""


def read_source(path, package):
    # type: (str, str) -> tuple[str, str]
    """Return the absolute path of a source, and the hexadecimal sha256 that follows all that is in it.

    :param path: a folder, or an archive of one, which may begin with ``~``.
    :param package: name of the distribution that it has to be of.
    :raises ValueError: one line, if it is not there or not the source of that package.
    """
    place = Path(path).expanduser().absolute()
    wanted = "give the folder with its pyproject.toml, or a .zip or .tar.gz of it"
    if place.is_dir():
        texts = [_read(place / name) for name in DESCRIPTIONS]
    elif place.is_file() and place.name.endswith(ARCHIVES):
        try:
            texts = _described_in_archive(place)
        except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise ValueError(f"--source {place} is no archive that can be read ({error}): {wanted}") from None
    elif place.is_file():
        raise ValueError(f"--source {place} is neither a folder nor an archive: {wanted}")
    else:
        raise ValueError(f"--source {place} is not there: {wanted}")
    if not any(_names(text, package) for text in texts):
        raise ValueError(f"--source {place} is no source of {package}: {wanted}")
    return str(place), _digest(place)


def _names(text, package):
    # type: (str, str) -> bool
    """Tell whether a description is of a package."""
    found = re.findall(r"^\s*(?:setup\()?name\s*=\s*[\"']?([\w.-]+)", text, re.MULTILINE)
    return any(re.sub(r"[-_.]+", "-", name).lower() == package for name in found)


def _read(path):
    # type: (Path) -> str
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return stream.read(LARGEST_DESCRIPTION).decode("utf-8", "replace")


def _described_in_archive(path):
    # type: (Path) -> list[str]
    """Return the descriptions at the top of an archive, or in the folder there that has all else."""
    texts = []
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for item in archive.infolist():
                if _is_description(item.filename):
                    with archive.open(item) as stream:
                        texts.append(stream.read(LARGEST_DESCRIPTION).decode("utf-8", "replace"))
        return texts
    with tarfile.open(str(path), "r:gz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() and _is_description(member.name) else None
            if content is not None:
                texts.append(content.read(LARGEST_DESCRIPTION).decode("utf-8", "replace"))
    return texts


def _is_description(name):
    # type: (str) -> bool
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return len(parts) in (1, 2) and parts[-1] in DESCRIPTIONS


def _digest(place):
    # type: (Path) -> str
    """Return the sha256 of a file, or of the names and contents of all files of a folder, in order."""
    if place.is_file():
        return _digest_of_file(place)
    state = hashlib.sha256()
    for folder, folders, names in os.walk(str(place)):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                relative = path.relative_to(place).as_posix()
                state.update(f"{_digest_of_file(path)}  {relative}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _digest_of_file(path):
    # type: (Path) -> str
    state = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            state.update(chunk)
    return state.hexdigest()


def main():
    # type: () -> None
    """Print the path and the digest, or after ``problem`` what is wrong."""
    try:
        place, digest = read_source(*sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.stdout.write(f"problem={error}\n")
    else:
        sys.stdout.write(f"path={place}\ndigest={digest}\n")


if __name__ == "__main__":
    main()
