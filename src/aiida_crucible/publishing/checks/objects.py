"""Files against their checksums: those of the folder, the objects of the repository, weights, digests of nodes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiida import __version__ as aiida_version
from aiida.orm import CalcJobNode, Node, QueryBuilder
from aiida.repository import Repository

from aiida_crucible.compat.aiida_archive import REPO_FOLDER, digest_as_if
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.weights import key_of_weights, weights_are_missing
from aiida_crucible.publishing.checks.outcome import Outcome, described, named
from aiida_crucible.publishing.closure import is_own
from aiida_crucible.publishing.files import MANIFEST, files_of, read_manifest
from aiida_crucible.publishing.opening import Opened
from aiida_crucible.publishing.weights import read_stand_in
from crucible_engine.families.weights import digest
from crucible_engine.wire.schema import CHECKPOINT_FILE

PIECE = 2**20
"""Bytes that are read at a time."""


def check_manifest(folder: Path | None) -> Outcome:
    """Check the files of an export against its checksums, and that there are no others."""
    outcome = Outcome("files of the folder have their checksums")
    if folder is None:
        outcome.unchecked["an archive alone has none"] += 1
        return outcome
    present = set(files_of(folder)) - {MANIFEST}
    if not (folder / MANIFEST).is_file():
        outcome.differences.append(f"{MANIFEST}: it is missing")
        return outcome
    try:
        stated = read_manifest(folder)
    except ValueError as error:
        outcome.differences.append(f"{MANIFEST}: {error}")
        return outcome
    for name in sorted(present | set(stated)):
        outcome.judge(_of_file(folder, name, stated.get(name), name in present))
    return outcome


def _of_file(folder: Path, name: str, stated: str | None, is_there: bool) -> str | None:
    if stated is None:
        return f"{name}: {MANIFEST} does not know it"
    if not is_there:
        return f"{name}: it is missing"
    found = digest(folder / name)
    return None if found == stated else f"{name}: its sha256 is {found[:12]}…, {MANIFEST} has {stated[:12]}…"


def files_by_key() -> dict[str, list[tuple[Node, str]]]:
    """Return nodes and names of their files by the object that holds the content, of the loaded profile."""
    found: dict[str, list[tuple[Node, str]]] = {}
    for node, content in QueryBuilder().append(Node, project=["*", "repository_metadata"]).iterall():
        for path, key in Repository.flatten(content).items():
            if key is not None:
                found.setdefault(key, []).append((node, path))
    return found


def check_objects(opened: Opened) -> Outcome:
    """Check that each object of the repository has the sha256 that it is named by, and that none is missing."""
    outcome = Outcome("objects of the repository have their sha256")
    holders = files_by_key()
    with zipfile.ZipFile(opened.archive) as archive:
        names = {
            name.removeprefix(f"{REPO_FOLDER}/"): name for name in archive.namelist() if name.startswith(REPO_FOLDER)
        }
        for key in sorted({*holders, *(key for key in names if key)}):
            where = ", ".join(f"{path!r} of {named(node)}" for node, path in holders.get(key, [])[:3]) or "of no node"
            if key not in names:
                outcome.differences.append(f"object {key[:12]}…, {where}: it is missing")
                continue
            try:
                found = _digest_of(archive, names[key])
            except (zipfile.BadZipFile, OSError, EOFError) as error:
                outcome.differences.append(f"object {key[:12]}…, {where}: it is damaged ({described(error)})")
                continue
            outcome.judge(None if found == key else f"object {key[:12]}…, {where}: its sha256 is {found[:12]}…")
    return outcome


def _digest_of(archive: zipfile.ZipFile, name: str) -> str:
    total = sha256()
    with archive.open(name) as stream:
        while piece := stream.read(PIECE):
            total.update(piece)
    return total.hexdigest()


def check_weights(jobs: list[CalcJobNode]) -> Outcome:
    """Check that models hold the weights that they name, and that jobs loaded these."""
    outcome = Outcome("weights are those of the models and of the jobs")
    for model in QueryBuilder().append(ModelData).all(flat=True):
        key, stated = key_of_weights(model), model.sha256
        if key is None:
            outcome.unchecked["released by name, not in any archive"] += 1
        elif key == stated:
            outcome.judge(_of_weights(model, key))
        elif read_stand_in(model) is not None:
            outcome.unchecked["left out for their licence"] += 1
        else:
            outcome.differences.append(
                f"{CHECKPOINT_FILE!r} of {named(model)}: its sha256 is {key[:12]}…, the node has {stated}"
            )
    for job in jobs:
        if "model" not in job.inputs or "results" not in job.outputs:
            outcome.unchecked["jobs without a model or results"] += 1
            continue
        stated, loaded = job.inputs.model.sha256, job.outputs.results.get_dict().get("model", {}).get("sha256")
        if stated is None or loaded is None:
            outcome.unchecked["the model or the job tells no sha256"] += 1
        else:
            same = f"`results` of {named(job)}: it loaded {loaded[:12]}…, its model has {stated[:12]}…"
            outcome.judge(None if stated == loaded else same)
    return outcome


def _of_weights(model: ModelData, key: str) -> str | None:
    total = sha256()
    try:
        with model.base.repository.open(CHECKPOINT_FILE, "rb") as stream:
            while piece := stream.read(PIECE):
                total.update(piece)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        return f"{CHECKPOINT_FILE!r} of {named(model)}: it is damaged ({described(error)})"
    found = total.hexdigest()
    return (
        None
        if found == key
        else f"{CHECKPOINT_FILE!r} of {named(model)}: its sha256 is {found[:12]}…, the node has {key[:12]}…"
    )


def check_digests(opened: Opened) -> Outcome:
    """Check that nodes have the digest that AiiDA gave them when they were stored."""
    outcome = Outcome("nodes have the digest that they were stored with")
    original = {
        model.uuid: {CHECKPOINT_FILE: str(model.sha256)}
        for model in QueryBuilder().append(ModelData).all(flat=True)
        if weights_are_missing(model) and read_stand_in(model) is not None
    }
    for node in nodes():
        stored = node.base.caching.get_hash()
        if stored is None:
            outcome.unchecked["stored without one"] += 1
            continue
        try:
            found = digest_as_if(node, original)
        except Exception as error:  # a class may read what is not there
            outcome.unchecked[f"it cannot be taken ({described(error)})"] += 1
            continue
        if found == stored:
            outcome.right += 1
        elif _release(opened.made_with) != _release(aiida_version):
            outcome.unchecked[f"made with AiiDA {opened.made_with}, this is {aiida_version}"] += 1
        else:
            outcome.differences.append(
                f"{named(node)}: attributes, files or inputs are not those that it was stored with"
            )
    return outcome


def _release(version: str) -> list[str]:
    return version.split(".")[:2]


def nodes() -> Iterator[Any]:
    """Yield all nodes of the loaded profile."""
    query = QueryBuilder().append(Node, tag="node")
    yield from query.order_by({"node": {"id": "asc"}}).all(flat=True)


def own_jobs() -> list[CalcJobNode]:
    """Return the jobs of the engine in the loaded profile."""
    return [node for node in nodes() if isinstance(node, CalcJobNode) and is_own(node)]
