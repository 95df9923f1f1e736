"""What is used of AiiDA's archive format and management beyond their documented interface.

The tables are those of ``aiida.storage.sqlite_zip.models``; ``test_compat`` names what a release has moved.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiida.common.hashing import make_hash
from aiida.manage import Profile, get_manager
from aiida.orm import Node, ProcessNode, User
from aiida.orm.implementation.utils import clean_value as clean_value
from aiida.storage.sqlite_zip import models
from aiida.storage.sqlite_zip.backend import SqliteZipBackend
from aiida.storage.sqlite_zip.utils import DB_FILENAME as DB_FILENAME
from aiida.storage.sqlite_zip.utils import META_FILENAME as META_FILENAME
from aiida.storage.sqlite_zip.utils import REPO_FOLDER as REPO_FOLDER
from aiida.tools.graph.graph_traversers import get_nodes_export

TABLES = frozenset(models.SqliteBase.metadata.tables)
"""Tables of an archive's data base."""


GROUP_DESCRIPTION = "processes of an export of aiida-crucible"
"""Of the group that names what an archive is about, among all that it has to hold."""


def nodes_of_archive(starting: Collection[int]) -> frozenset[int]:
    """Return the PKs of the nodes that an archive of some nodes holds: all that they come from, and have made."""
    return frozenset(get_nodes_export(starting)["nodes"])


@contextmanager
def quietly() -> Iterator[None]:
    """Keep AiiDA's own reports on making an archive from the terminal."""
    logger = logging.getLogger("aiida.export")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def add_group(database: Path, label: str, members: Collection[str]) -> None:
    """Write a group of nodes into the data base of an archive, which the profile that it came from need not have.

    :param database: its file.
    :param label: of the group.
    :param members: UUIDs of nodes of the archive.
    """
    name = uuid.uuid5(uuid.NAMESPACE_OID, "\n".join([label, *sorted(members)]))
    marks = ",".join("?" * len(members))
    with sqlite3.connect(database) as connection:
        ids = connection.execute(f"SELECT id, ctime, user_id FROM db_dbnode WHERE uuid IN ({marks})", list(members))
        rows = sorted(ids.fetchall())
        (group,) = connection.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM db_dbgroup").fetchone()
        connection.execute(
            "INSERT INTO db_dbgroup (id, uuid, label, type_string, time, description, extras, user_id) "
            "VALUES (?, ?, ?, 'core', ?, ?, '{}', ?)",
            (group, str(name), label, max(row[1] for row in rows), GROUP_DESCRIPTION, rows[0][2]),
        )
        connection.executemany(
            "INSERT INTO db_dbgroup_dbnodes (dbnode_id, dbgroup_id) VALUES (?, ?)", [(row[0], group) for row in rows]
        )
    connection.close()


def stand_in_for(database: Path, node: str, name: str, key: str) -> None:
    """Let a file of a node be another object of the repository, in the data base of an archive.

    :param node: its UUID.
    :param name: of the file, at the top of its repository.
    :param key: of the other object.
    """
    with sqlite3.connect(database) as connection:
        (text,) = connection.execute("SELECT repository_metadata FROM db_dbnode WHERE uuid = ?", (node,)).fetchone()
        content = json.loads(text)
        content["o"][name]["k"] = key
        connection.execute("UPDATE db_dbnode SET repository_metadata = ? WHERE uuid = ?", (json.dumps(content), node))
    connection.close()


def write_in_order(source: Path, target: Path) -> None:
    """Copy the data base of an archive so that the same content gives the same bytes.

    AiiDA's links, and the constraints and indices of its tables, come in the order of sets, another one each time.

    :param target: does not exist.
    """
    connection = sqlite3.connect(target)
    connection.execute("ATTACH DATABASE ? AS source", (str(source),))
    with connection:
        schema = "SELECT name, sql FROM source.sqlite_master WHERE type = ? AND sql NOT NULL ORDER BY name"
        for name, statement in connection.execute(schema, ("table",)).fetchall():
            connection.execute(_with_sorted_constraints(statement))
            columns = "input_id, output_id, label, type" if name == "db_dblink" else "*"
            into = f"({columns})" if columns != "*" else ""
            order = "ORDER BY 1, 2, 3, 4" if into else "ORDER BY 1"
            connection.execute(f'INSERT INTO main."{name}" {into} SELECT {columns} FROM source."{name}" {order}')
        for _, statement in connection.execute(schema, ("index",)).fetchall():
            connection.execute(statement)
    connection.execute("DETACH DATABASE source")
    connection.execute("VACUUM")
    connection.close()


def _with_sorted_constraints(statement: str) -> str:
    head, mark, rest = statement.partition("\tCONSTRAINT ")
    if not mark:
        return statement
    body, _, tail = (mark + rest).rpartition("\n)")
    parts = sorted(part.strip() for part in body.split(", \n"))
    return head + ", \n".join(f"\t{part}" for part in parts) + "\n)" + tail


def refuse_foreign_database(database: Path) -> None:
    """Refuse a data base that is damaged, or holds what AiiDA does not put into one: triggers, views, other tables.

    :raises ValueError: one line.
    """
    try:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            entries = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
            (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ValueError(f"its data base is damaged ({error})") from None
    if sound != "ok":
        raise ValueError(f"its data base is damaged ({' '.join(str(sound).split())[:200]})")
    for kind, name, table in entries:
        if kind not in ("table", "index") or table not in (*TABLES, "alembic_version"):
            raise ValueError(f"its data base has a {kind} {name!r}, which no archive of AiiDA has")


@contextmanager
def archive_as_profile(archive: Path) -> Iterator[Profile]:
    """Look at an archive as if it were the profile that is loaded; nothing can be stored in it.

    The profile that was loaded before is loaded again afterwards; nodes of it that are in hand are then to be loaded
    anew.
    """
    manager = get_manager()
    before = manager.get_profile()
    options = {"warnings.development_version": False}
    profile = SqliteZipBackend.create_profile(archive, options)
    try:
        manager.load_profile(profile, allow_switch=True)
        user = User.collection.query().first(flat=True)
        # New nodes, which are not stored, have to be somebody's.
        profile.default_user_email = None if user is None else user.email
        manager.get_profile_storage().reset_default_user()
        yield profile
    finally:
        manager.unload_profile()
        if before is not None:
            manager.load_profile(before, allow_switch=True)


def digest_as_if(node: Node, keys: Mapping[str, Mapping[str, str]]) -> str:
    """Return the digest that AiiDA's caching would give a node whose files are others, or those of its inputs are.

    :param keys: UUID of a node → name of a file at the top of its repository → key of what stands there.
    """
    objects = node.base.caching.get_objects_to_hash()
    if node.uuid in keys:
        repository = node.base.repository
        named = {name: repository.get_object(name).key for name in repository.list_object_names()}
        objects["repository_hash"] = make_hash({"__dirnames__": [], **named, **keys[node.uuid]})
    if keys and isinstance(node, ProcessNode):
        for entry in node.base.links.get_incoming().all():
            if entry.node.uuid in keys and entry.link_label in objects["inputs"]:
                objects["inputs"][entry.link_label] = digest_as_if(entry.node, keys)
    return str(make_hash(objects))
