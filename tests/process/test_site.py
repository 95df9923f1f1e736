"""A site of archives: a page for each process, the same bytes each time, and nothing of the user's profile touched."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from aiida.engine import run_get_node
from aiida.orm import Int, Node, QueryBuilder
from aiida.tools.archive import create_archive
from ase.build import bulk
from browser import look_at
from click.testing import CliRunner

from aiida_crucible.cli import main
from aiida_crucible.compat.aiida_archive import add_group, archive_as_profile
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.site.build import build_site
from aiida_crucible.site.entries import reportable_processes
from aiida_crucible.site.reports import FEWEST
from aiida_crucible.site.table import believed_share
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain

pytestmark = pytest.mark.slow

METALS = ("Al", "Cu", "Ni")
OVERRIDES = {"phonon": {"parameters": {"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4]}}}


@pytest.fixture(scope="module")
def archives(code, model, tmp_path_factory):
    """Return an archive for each metal, and one of a relaxation that another of them holds too."""
    folder = tmp_path_factory.mktemp("archives")
    paths = []
    for symbol in METALS:
        builder = ReliabilityWorkChain.get_builder_from_protocol(
            code, model, from_atoms(bulk(symbol, cubic=True)), "fast", overrides=OVERRIDES
        )
        _, node = run_get_node(builder)
        paths.append(_archived(folder / f"{symbol}.aiida", node))
    structure = from_atoms(bulk("Ag", cubic=True))
    relaxed = [
        run_get_node(RelaxWorkChain.get_builder_from_protocol(code, model, structure, "fast"))[1] for _ in range(2)
    ]
    paths += [_archived(folder / "one.aiida", relaxed[0]), _archived(folder / "both.aiida", *relaxed)]
    return paths


def _archived(path, *nodes):
    create_archive(list(nodes), filename=path)
    return path


@pytest.fixture(scope="module")
def site(archives, tmp_path_factory):
    before = QueryBuilder().append(Node).count()
    folder = tmp_path_factory.mktemp("sites") / "site"
    entries = build_site(archives, folder, "Metals")
    assert QueryBuilder().append(Node).count() == before
    return folder, entries


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_process_has_one_page_and_a_cell_that_leads_there(site):
    folder, entries = site
    assert len(entries) == len(METALS) + 2
    text = (folder / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="(reports/[^"]+)"', text)
    assert sorted(links) == sorted(f"reports/{entry.key}.html" for entry in entries)
    assert all((folder / link).is_file() for link in links)
    assert {entry.material for entry in entries} == {"Al (Fm-3m)", "Cu (Fm-3m)", "Ni (Fm-3m)", "Ag (Fm-3m)"}


def test_the_first_page_is_small_and_the_pages_share_what_is_large(site):
    folder, _ = site
    assert (folder / "index.html").stat().st_size < 1e6
    for page in (folder / "reports").iterdir():
        assert page.stat().st_size < 1.5e6
        assert 'src="../plotly.min.js"' in page.read_text(encoding="utf-8")


def test_the_same_archives_give_the_same_bytes_in_any_order_and_by_several_processes(site, archives, tmp_path):
    # Three copies are more archives and no more pages.
    copies = [Path(shutil.copy(archives[0], tmp_path / f"Al-{number}.aiida")) for number in range(3)]
    assert len([*archives, *copies]) >= FEWEST
    told = []
    build_site([*archives[::-1], *copies], tmp_path / "again", "Metals", told.append, n_processes=2)
    assert [line.partition(" ")[0] for line in told] == sorted(path.name for path in [*archives, *copies])
    again, before = contents(tmp_path / "again"), contents(site[0])
    assert again.keys() == before.keys()
    assert {name for name in before if again[name] != before[name]} == {"index.html"}  # which names the copies
    build_site(archives[::-1], tmp_path / "third", "Metals")
    assert contents(tmp_path / "third") == before


def test_an_archive_that_one_of_several_processes_cannot_read_is_one_line(archives, tmp_path):
    broken = tmp_path / "broken.aiida"
    broken.write_text("no archive")
    with pytest.raises(ValueError, match=r"broken\.aiida.* is no zip file"):
        build_site([*archives, broken], tmp_path / "site", "Metals", n_processes=2)
    assert not (tmp_path / "site").exists()


def test_a_site_is_exchanged_and_nothing_else_is_overwritten(archives, tmp_path):
    build_site(archives[:3], tmp_path / "site", "Three")
    (tmp_path / "site" / ".git").mkdir()
    (tmp_path / "site" / "CNAME").write_text("example.org")
    assert len(list((tmp_path / "site" / "reports").iterdir())) == 3
    build_site(archives[:1], tmp_path / "site", "Another")
    assert len(list((tmp_path / "site" / "reports").iterdir())) == 1
    assert (tmp_path / "site" / ".git").is_dir()
    assert (tmp_path / "site" / "CNAME").read_text() == "example.org"
    assert "Another" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    (tmp_path / "mine" / "reports").mkdir(parents=True)
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is not empty and holds no site"):
        build_site(archives[:1], tmp_path / "mine", "One")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "precious"


def test_a_browser_opens_it_and_its_pages(site, tmp_path):
    folder, entries = site
    for page in (folder / "index.html", folder / "reports" / f"{entries[0].key}.html"):
        seen = look_at(page, tmp_path)
        assert seen["390-light"]["said"] == seen["1440-dark"]["said"] == []
        assert seen["390-light"]["sticks_out"] == seen["1440-light"]["sticks_out"] == []
        assert seen["1440-light"]["drawn"] == seen["1440-light"]["figures"]


def test_an_archive_with_a_group_of_an_export_shows_what_that_names_and_no_more(archives, tmp_path):
    database, archive = tmp_path / "db.sqlite3", tmp_path / "copper.aiida"
    with zipfile.ZipFile(archives[1]) as source, zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        database.write_bytes(source.read("db.sqlite3"))
        with archive_as_profile(archives[1]):
            processes = {node.inputs.structure.get_formula(): node.uuid for node in reportable_processes()}
        assert set(processes) == {"Al4", "Cu4"}, "the one whose verification is shared is in it as well"
        add_group(database, "copper", [processes["Cu4"]])
        target.write(database, "db.sqlite3")
        for name in source.namelist():
            if name != "db.sqlite3":
                target.writestr(name, source.read(name))
    entries = build_site([archive], tmp_path / "site", "Copper")
    assert [entry.material for entry in entries] == ["Cu (Fm-3m)"]


def test_metadata_of_an_export_stand_in_the_table_and_what_is_none_is_refused(archives, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "copper.aiida").write_bytes(archives[1].read_bytes())
    (folder / "metadata.yaml").write_text("title: <b>Copper</b>\nauthors: [{name: Ada Lovelace}]\nlicence: CC-BY-4.0\n")
    build_site([folder], tmp_path / "site", "Copper")
    text = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Copper&lt;/b&gt;</td><td>Ada Lovelace</td><td>CC-BY-4.0" in text
    (folder / "metadata.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(ValueError, match="constructor for the tag"):
        build_site([folder], tmp_path / "other", "Copper")
    assert not (tmp_path / "other").exists()


def test_what_is_no_archive_of_ours_is_refused_in_one_line(tmp_path, archives):
    other = tmp_path / "other.aiida"
    create_archive([Int(1).store()], filename=other)
    text = tmp_path / "text.aiida"
    text.write_text("no archive")
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("metadata.json", json.dumps({}))
    for path, message in (
        (other, "holds no process of aiida-crucible"),
        (text, "is no zip file"),
        (bare, "is no AiiDA archive"),
        (tmp_path / "missing.aiida", "missing.aiida"),
    ):
        result = CliRunner().invoke(main, ["site", str(archives[0]), str(path), "-o", str(tmp_path / "site")])
        assert result.exit_code == 1
        assert message in result.output
        assert not (tmp_path / "site").exists()


def test_one_trusted_material_is_less_than_nine_of_ten():
    one, many, none = ({"yes": yes, "no": no} for yes, no in ((1, 0), (9, 1), (0, 0)))
    assert believed_share(none) == 0.0
    # Wilson's interval for one of one begins at 1 / (1 + 1.96²), for nine of ten at 0.596.
    assert believed_share(one) == pytest.approx(0.2065, abs=1e-4)
    assert believed_share(many) == pytest.approx(0.5958, abs=1e-4)
