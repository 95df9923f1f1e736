"""What is given as an export and would fill a disk, write elsewhere or is none, is refused in one line."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
import zlib

import pytest

from aiida_crucible.publishing import opening
from aiida_crucible.publishing.files import new_folder, read_manifest, write_manifest, write_zip
from aiida_crucible.publishing.opening import opened

METADATA = json.dumps({"export_version": "main_0001", "aiida_version": "2.9"}).encode()


def zip_file(path, members):
    """Write a zip file of members, names or ``ZipInfo`` with their bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return path


def refused(path):
    """Return the line with which a file or folder is refused."""
    with pytest.raises(ValueError) as caught, opened(path):
        pass
    line = str(caught.value)
    assert "\n" not in line and str(path) in line
    return line


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../evil", "C:/evil", "a\\..\\evil", "./a", "a//b"])
def test_a_member_that_points_elsewhere(tmp_path, name):
    path = zip_file(tmp_path / "x.zip", [("x/x.aiida", b""), (zipfile.ZipInfo(name), b"evil")])
    assert "points outside of it" in refused(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.zip"]


def test_a_member_that_is_a_link(tmp_path):
    link = zipfile.ZipInfo("x/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "a link or no plain file" in refused(
        zip_file(tmp_path / "x.zip", [("x/x.aiida", b""), (link, b"/etc/passwd")])
    )


@pytest.mark.parametrize("name", ["x.zip", "x.aiida"])
def test_a_bomb(tmp_path, monkeypatch, name):
    monkeypatch.setattr(opening, "LARGEST_TEXT", 2**20)
    members = (
        [("metadata.json", METADATA), ("db.sqlite3", b"\0" * 2**24)]
        if name == "x.aiida"
        else [("x.aiida", b"\0" * 2**24)]
    )
    line = refused(zip_file(tmp_path / name, members))
    assert "would become 16777" in line


def test_members_that_share_their_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LARGEST_TEXT", 2**10)
    assert "share their bytes" in refused(_overlapping(tmp_path / "x.zip", 40))


def _overlapping(path, count):
    """Write a zip file whose table names one piece many times."""
    content = os.urandom(2**12)
    crc = zlib.crc32(content)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, len(content), len(content), 1, 0) + b"a"
    table = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, crc, len(content), len(content), 5, 0, 0, 0, 0, 0, 0)
        + b"a%04d" % index
        for index in range(count)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(table), len(local) + len(content), 0)
    path.write_bytes(local + content + table + end)
    return path


def test_two_members_of_one_name(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_file(tmp_path / "x.zip", [("x.aiida", b"a"), ("x.aiida", b"b")])
    assert "two members of one name" in refused(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is no zip file"), (b"PK\3\4 something", "is no zip file"), (os.urandom(1000), "is no zip file")],
    ids=["empty", "begins like one", "noise"],
)
def test_what_is_no_archive(tmp_path, content, said):
    path = tmp_path / "x.aiida"
    path.write_bytes(content)
    assert said in refused(path)


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "record.aiida").write_bytes(b"")
    assert "did you mean" in refused(tmp_path / "recrod.aiida")


def test_a_zip_file_or_folder_without_an_archive(tmp_path):
    assert "without an AiiDA archive" in refused(zip_file(tmp_path / "x.zip", [("a.txt", b"")]))
    (tmp_path / "folder").mkdir()
    assert "has no AiiDA archive" in refused(tmp_path / "folder")
    for name in ("a.aiida", "b.aiida"):
        (tmp_path / "folder" / name).write_bytes(b"")
    assert "has 2 AiiDA archives" in refused(tmp_path / "folder")


def test_a_link_in_a_folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.aiida").symlink_to("/etc/passwd")
    assert "is a link" in refused(folder)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("metadata.json", METADATA)], "has no db.sqlite3"),
        ([("db.sqlite3", b"")], "has no metadata.json"),
        ([("metadata.json", METADATA), ("db.sqlite3", b"x" * 5000)], "its data base is damaged"),
        ([("metadata.json", b"[" * 5000), ("db.sqlite3", b"")], "cannot be read as an archive"),
        ([("metadata.json", b"{}"), ("db.sqlite3", b"")], "names no version"),
        ([("metadata.json", METADATA), ("db.sqlite3", b""), ("setup.py", b"")], "which no archive of AiiDA has"),
    ],
)
def test_an_archive_that_is_none(tmp_path, members, said):
    assert said in refused(zip_file(tmp_path / "x.aiida", members))


@pytest.mark.parametrize("text", ["no checksum\n", f"{'0' * 64}  a\n{'1' * 64}  a\n", f"{'0' * 63}  a\n"])
def test_a_manifest_that_is_none(tmp_path, text):
    (tmp_path / "MANIFEST.sha256").write_text(text)
    with pytest.raises(ValueError, match="is no checksum of a file, or is there twice"):
        read_manifest(tmp_path)


def test_a_manifest_reads_back(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a file.txt").write_bytes(b"content")
    write_manifest(tmp_path)
    assert read_manifest(tmp_path) == {
        "sub/a file.txt": "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    }


def test_a_zip_file_does_not_know_the_time(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "folder" / name).write_text(name)
    for number in (1, 2):
        os.utime(tmp_path / "folder" / "a.txt", (10**9 * number, 10**9 * number))
        write_zip(tmp_path / "folder", tmp_path / f"{number}.zip", "folder")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_folder_is_whole_or_not_there(tmp_path):
    target = tmp_path / "a" / "b"
    with pytest.raises(KeyboardInterrupt), new_folder(target) as folder:
        (folder / "file").write_text("half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with new_folder(target) as folder:
        (folder / "file").write_text("whole")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert (target / "file").read_text() == "whole"
