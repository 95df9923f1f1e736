"""A package that is on no index: what is taken for its source, and what the recipe builds."""

from __future__ import annotations

import shutil

import pytest
from fake_uv import FakeUv

from aiida_crucible.environments import ModelEnvironmentError, local
from aiida_crucible.environments.source import read_source
from aiida_crucible.environments.specification import Source


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "a source"
    path.mkdir()
    (path / "pyproject.toml").write_text('[project]\nname = "gptff"\n')
    (path / "code.py").write_text("x = 1\n")
    return path


@pytest.fixture
def uv(tmp_path):
    (tmp_path / "uv").mkdir()
    return FakeUv(tmp_path / "uv")


def test_digest_follows_the_content_and_nothing_else(folder, tmp_path):
    digest = read_source(str(folder), "gptff")[1]
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / ".git").mkdir()
    (tmp_path / "copy" / ".git" / "index").write_text("changes by itself")
    assert read_source(str(tmp_path / "copy"), "gptff")[1] == digest
    (folder / "code.py").write_text("x = 2\n")
    assert read_source(str(folder), "gptff")[1] != digest


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_is_read(folder, tmp_path, kind):
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path, folder.name)
    assert read_source(archive, "gptff")[0] == archive
    with pytest.raises(ValueError, match="is no source of chgnet"):
        read_source(archive, "chgnet")


def test_what_is_no_source_is_one_line(tmp_path):
    (tmp_path / "broken.zip").write_text("no archive")
    (tmp_path / "text.txt").write_text("a text")
    (tmp_path / "empty").mkdir()
    faults = {"nowhere": "is not there", "broken.zip": "is no archive", "text.txt": "neither a folder nor an archive"}
    for name, message in {**faults, "empty": "is no source of gptff"}.items():
        with pytest.raises(ModelEnvironmentError, match=message) as caught:
            local.specify("gptff", source=str(tmp_path / name))
        assert len(str(caught.value).splitlines()) == 1


def test_source_is_asked_for_where_it_is_needed_alone(folder):
    with pytest.raises(ModelEnvironmentError, match="gptff is on no package index: download its source from https://"):
        local.specify("gptff")
    with pytest.raises(ModelEnvironmentError, match="needs no source"):
        local.specify("chgnet", source=str(folder))
    before = local.specify("gptff", source=str(folder)).folder
    (folder / "more.py").touch()
    assert local.specify("gptff", source=str(folder)).folder != before


def test_source_is_built_last_from_a_copy(folder, uv):
    status, _, error = uv.run(uv.recipe("gptff", source=Source(*read_source(str(folder), "gptff"))))
    assert status == 0, error
    locked, torch, built = (call for call in uv.calls if call.startswith("pip install") and "--dry-run" not in call)
    assert "--require-hashes" in locked
    assert "torch==" in torch
    assert "--no-deps --no-build-isolation --no-cache ./source" in built
    assert f"building gptff from {folder}" in error


def test_source_that_has_changed_meanwhile_makes_nothing(folder, uv):
    script = uv.recipe("gptff", source=Source(*read_source(str(folder), "gptff")))
    (folder / "code.py").write_text("x = 2\n")
    status, _, error = uv.run(script)
    assert status != 0
    assert error.splitlines()[-1].endswith("has changed since its environment was named: create it anew")
    assert not [path for path in uv.root.iterdir() if not path.name.startswith(".")]
