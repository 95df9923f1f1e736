"""Exports to check, and changes that are planted in them as somebody might who has the file in an editor."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import zipfile
from pathlib import Path

from aiida_crucible.publishing.files import write_manifest

MEMBERS = ("metadata.json", "db.sqlite3")


def tiny_report(nodes, path):
    """Write a page and a figure with the same content for the same nodes, as the report does."""
    path.write_text(f"<html>{', '.join(node.uuid for node in nodes)} ran at {nodes[0].process_label}</html>")
    folder = path.with_name(f"{path.stem}-figures")
    folder.mkdir()
    digest = hashlib.sha256("".join(node.uuid for node in nodes).encode()).hexdigest()
    (folder / "bands.svg").write_text(f"<svg>{digest}</svg>")
    (folder / "bands.csv").write_text(f"digest\n{digest}\n")
    return [path, folder / "bands.csv", folder / "bands.svg"]


class Planted:
    """A copy of an export in which something may be changed; the manifest is written anew, as a forger would."""

    def __init__(self, folder: Path, copy: Path) -> None:
        shutil.copytree(folder, copy)
        self.folder = copy
        (self.archive,) = copy.glob("*.aiida")

    def rewrite(self, change) -> None:
        """Let a function change the members (name → bytes) of the archive."""
        with zipfile.ZipFile(self.archive) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        with zipfile.ZipFile(self.archive, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (*MEMBERS, *sorted(set(members) - set(MEMBERS))):
                if name in members:
                    archive.writestr(name, members[name])
        write_manifest(self.folder)

    def in_database(self, statement, *values) -> None:
        """Execute SQL in the data base of the archive."""

        def change(members):
            path = self.folder / "planted.sqlite3"
            path.write_bytes(members["db.sqlite3"])
            with sqlite3.connect(path) as connection:
                connection.execute(statement, values)
            connection.close()
            members["db.sqlite3"] = path.read_bytes()
            path.unlink()

        self.rewrite(change)

    def query(self, statement, *values):
        """Return the rows of a query in the data base of the archive."""
        path = self.folder.with_suffix(".sqlite3")
        with zipfile.ZipFile(self.archive) as archive:
            path.write_bytes(archive.read("db.sqlite3"))
        connection = sqlite3.connect(path)
        rows = connection.execute(statement, values).fetchall()
        connection.close()
        path.unlink()
        return rows

    def change_attributes(self, uuid, change) -> None:
        """Let a function change the attributes of a node in place."""
        ((text,),) = self.query("SELECT attributes FROM db_dbnode WHERE uuid = ?", uuid)
        content = json.loads(text)
        change(content)
        self.in_database("UPDATE db_dbnode SET attributes = ? WHERE uuid = ?", json.dumps(content), uuid)

    def key_of(self, uuid, name) -> str:
        """Return the object that holds a file of a node."""
        ((text,),) = self.query("SELECT repository_metadata FROM db_dbnode WHERE uuid = ?", uuid)
        return json.loads(text)["o"][name]["k"]

    def change_file(self, uuid, name, change, rename=False) -> None:
        """Let a function change the bytes of a file of a node; ``rename`` gives the object its new name."""
        key = self.key_of(uuid, name)
        with zipfile.ZipFile(self.archive) as archive:
            content = change(archive.read(f"repo/{key}"))
        new = hashlib.sha256(content).hexdigest() if rename else key

        def forge(members):
            del members[f"repo/{key}"]
            members[f"repo/{new}"] = content

        self.rewrite(forge)
        if rename:
            ((text,),) = self.query("SELECT repository_metadata FROM db_dbnode WHERE uuid = ?", uuid)
            self.in_database(
                "UPDATE db_dbnode SET repository_metadata = ? WHERE uuid = ?", text.replace(key, new), uuid
            )
