"""The AiiDA archive of an export: AiiDA's own, then without some weights, with a group, and the same each time."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiida.tools.archive import create_archive

from aiida_crucible.compat.aiida_archive import (
    DB_FILENAME,
    META_FILENAME,
    REPO_FOLDER,
    add_group,
    quietly,
    stand_in_for,
    write_in_order,
)
from aiida_crucible.publishing.closure import Closure
from aiida_crucible.publishing.files import add_member
from aiida_crucible.publishing.weights import LeftOut
from crucible_engine.wire.schema import CHECKPOINT_FILE


def write_archive(closure: Closure, target: Path, label: str, left_out: Sequence[LeftOut] = ()) -> None:
    """Write the archive of processes and all that they come from and have made.

    The profile stays as it is: the group is only in the archive, and a file of weights is exchanged for its stand-in
    there.

    :param target: the file, which does not exist.
    :param label: of the group that holds the processes.
    :param left_out: weights that may not travel.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        place = Path(folder)
        made = place / "made.aiida"
        with quietly():
            create_archive(list(closure.processes), filename=made, include_authinfos=False)
        with zipfile.ZipFile(made) as source:
            database = place / f"unordered-{DB_FILENAME}"
            with source.open(DB_FILENAME) as stream, database.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            metadata = json.loads(source.read(META_FILENAME))
            add_group(database, label, [node.uuid for node in closure.processes])
            texts = {sha256(each.stand_in()).hexdigest(): each.stand_in() for each in left_out}
            for each in left_out:
                stand_in_for(database, each.model, CHECKPOINT_FILE, sha256(each.stand_in()).hexdigest())
            write_in_order(database, place / DB_FILENAME)
            own = {META_FILENAME: _metadata(metadata, closure)}
            _write(source, target, own=own, database=place / DB_FILENAME, texts=texts, left_out=left_out)


def _write(
    source: zipfile.ZipFile,
    target: Path,
    *,
    own: Mapping[str, bytes],
    database: Path,
    texts: Mapping[str, bytes],
    left_out: Sequence[LeftOut],
) -> None:
    """Write the members sorted: AiiDA looks for its two among the first."""
    removed = {f"{REPO_FOLDER}/{each.sha256}" for each in left_out}
    kept = {name for name in source.namelist() if name not in (DB_FILENAME, META_FILENAME, *removed)}
    new = {**own, **{f"{REPO_FOLDER}/{key}": text for key, text in texts.items()}}
    with zipfile.ZipFile(target, "x") as archive:
        for name in (DB_FILENAME, META_FILENAME, *sorted((kept | set(new)) - {META_FILENAME})):
            if name == DB_FILENAME:
                add_member(archive, name, database)
                continue
            stream = io.BytesIO(new[name]) if name in new else source.open(name)
            with stream, tempfile.NamedTemporaryFile(dir=database.parent) as piece:
                shutil.copyfileobj(stream, piece)
                piece.flush()
                add_member(archive, name, Path(piece.name))


def _metadata(content: Mapping[str, Any], closure: Closure) -> bytes:
    """Return AiiDA's own words on an archive, without the time and the order of this moment."""
    started = {kind: sorted(found) for kind, found in content["creation_parameters"]["entities_starting_set"].items()}
    creation = {**content["creation_parameters"], "entities_starting_set": started}
    latest = max(node.ctime for node in closure.processes)
    return json.dumps({**content, "ctime": latest.isoformat(), "creation_parameters": creation}).encode()
