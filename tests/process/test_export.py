"""What an export holds, what it leaves out, and that nothing half-made of it stays."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.manage.configuration import get_config
from aiida.orm import CalcFunctionNode, Node, QueryBuilder, SinglefileData, WorkChainNode, load_node
from ase.build import bulk
from click.testing import CliRunner
from engine_jobs import HELPERS
from published import tiny_report

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.cli import main
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.publishing.closure import collect
from aiida_crucible.publishing.environments import environments_of
from aiida_crucible.publishing.export import complete, maps_of, prepare, write_export
from aiida_crucible.publishing.privacy import find_private
from aiida_crucible.publishing.publication import Author, Publication, keep, kept_file
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain

RECORD = Publication("Copper relaxed", (Author("Ada Lovelace", "London", "0000-0002-1825-0097"),), "CC-BY-4.0")
FLAGS = ["--title", "Copper relaxed", "--author", "Ada Lovelace; London", "--licence", "CC-BY-4.0"]


@pytest.fixture(scope="module")
def relaxed(code, model):
    """Return a relaxation of copper."""
    inputs = {"code": code, "model": model, "structure": from_atoms(bulk("Cu", cubic=True))}
    builder = RelaxWorkChain.get_builder_from_protocol(**inputs, protocol="fast")
    return run_get_node(builder)[1]


@pytest.fixture(scope="module")
def exported(relaxed, tmp_path_factory):
    """Return the folder and the zip file of an export, and the profile's nodes before and after."""
    before = _content_of_profile()
    folder, archive = write_export(
        prepare([relaxed]), RECORD, tmp_path_factory.mktemp("exports") / "copper", tiny_report
    )
    return SimpleNamespace(folder=folder, zip=archive, before=before, after=_content_of_profile())


@pytest.fixture
def report(monkeypatch):
    """Let the command write the tiny report."""
    monkeypatch.setitem(sys.modules, "aiida_crucible.report.write", SimpleNamespace(write_report=tiny_report))


@pytest.fixture
def on_the_desk(tmp_path, monkeypatch):
    """Put the user into an empty folder; nothing is kept of an earlier export."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    kept_file().unlink(missing_ok=True)


def _content_of_profile():
    project = ["uuid", "label", "attributes", "extras", "repository_metadata"]
    return sorted(QueryBuilder().append(Node, project=project).all(), key=lambda row: row[0])


def invoke(*words, **more):
    return CliRunner().invoke(main, [str(word) for word in words], **more)


def one_line(result):
    """Return the line that a command ends with."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    return result.output.strip().splitlines()[-1]


@pytest.mark.slow
def test_the_folder_has_what_the_readme_says(exported):
    names = sorted(
        path.relative_to(exported.folder).as_posix() for path in exported.folder.rglob("*") if path.is_file()
    )
    assert names == [
        "MANIFEST.sha256", "README.md", "copper.aiida", "environments/python.packages.txt", "metadata.json",
        "metadata.yaml", "report-figures/bands.csv", "report-figures/bands.svg", "report.html",
    ]  # fmt: skip
    readme = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in readme for name in names)
    assert "Ada Lovelace, London, ORCID 0000-0002-1825-0097" in readme
    assert "verdi archive import copper.aiida" in readme


@pytest.mark.slow
def test_sha256sum_agrees_with_the_manifest(exported):
    command = ["sha256sum", "--check", "--strict", "MANIFEST.sha256"]
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum here")
    done = subprocess.run(command, cwd=exported.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8


@pytest.mark.slow
def test_the_zip_file_has_the_same_files(exported):
    with zipfile.ZipFile(exported.zip) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        for name in names:
            assert archive.read(name) == (exported.folder.parent / name).read_bytes()
    assert len(names) == 9


@pytest.mark.slow
def test_the_metadata_are_complete(exported, relaxed):
    content = yaml.safe_load((exported.folder / "metadata.yaml").read_text(encoding="utf-8"))
    assert content == json.loads((exported.folder / "metadata.json").read_text(encoding="utf-8"))
    assert content["title"] == "Copper relaxed" and content["licence"] == "CC-BY-4.0"
    assert content["authors"] == [{"name": "Ada Lovelace", "affiliation": "London", "orcid": "0000-0002-1825-0097"}]
    assert content["processes"] == [{"uuid": relaxed.uuid, "title": f"RelaxWorkChain: {relaxed.label}"}]
    assert len(content["keywords"]) >= 3 and "https://doi.org/10.1038/s41597-020-00638-4" in content["references"]
    assert "Forces are of emt" in content["methods"] and content["software"]["aiida-core"]


@pytest.mark.slow
def test_the_profile_stays_as_it_was(exported):
    assert exported.before == exported.after


@pytest.mark.slow
def test_the_same_nodes_give_the_same_bytes(exported, relaxed, tmp_path):
    again, archive = write_export(prepare([relaxed]), RECORD, tmp_path / "copper", tiny_report)
    for path in sorted(exported.folder.rglob("*")):
        if path.is_file():
            assert (again / path.relative_to(exported.folder)).read_bytes() == path.read_bytes(), path
    assert archive.read_bytes() == exported.zip.read_bytes()


SEEN = """
import json
from aiida.orm import Group, QueryBuilder
group = QueryBuilder().append(Group, filters={"label": "copper"}).one()[0]
print(json.dumps([[each.uuid for each in group.nodes], node.outputs.summary.get_dict()["outcome"],
                  node.inputs.model.family, len(node.called_descendants)]))
"""


@pytest.mark.slow
def test_it_imports_with_all_that_a_replay_needs(exported, relaxed, tmp_path):
    command = [
        sys.executable,
        str(HELPERS / "imported_archive.py"),
        str(exported.folder / "copper.aiida"),
        relaxed.uuid,
        SEEN,
    ]
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    descendants = len(load_node(relaxed.uuid).called_descendants)
    assert json.loads(done.stdout) == [[relaxed.uuid], "converged", "emt", descendants]


@pytest.mark.slow
def test_private_values_are_found_and_kept_out_of_texts(exported, relaxed, code):
    found = find_private(collect([relaxed]))
    assert sys.executable in found.places["path"]
    workdir = code.computer.get_workdir()
    assert any(value.startswith(workdir) for value in found.places["path"])
    assert {"_aiidasubmit.sh", "_scheduler-stdout.txt"} <= set(found.places["file"])
    texts = [
        path.read_text("utf-8")
        for path in exported.folder.rglob("*")
        if path.suffix in (".md", ".yaml", ".txt", ".html")
    ]
    assert len(texts) == 4
    for value in found.places["path"]:
        assert not [text for text in texts if value in text]


def test_scrubbing_leaves_what_is_embedded_alone():
    from aiida_crucible.publishing.privacy import Findings

    found = Findings()
    found.add("host", "vm7", "x")
    found.add("path", "/home/ada/work", "x")
    found.add("path", "/home/ada", "x")
    found.add("person", "ada", "x")
    found.add("person", "root", "x")
    code = f"<script>var vm7 = ada</script> {'A' * 200}/vm7/ada"
    text = found.scrub(
        "on vm7 in /home/ada/work/a.txt of ada, root; vm75; src='data:image/png;base64,vm7/ada+vm7='" + code
    )
    assert text == "on [host] in [path]/a.txt of [person], root; vm75; src='data:image/png;base64,vm7/ada+vm7='" + code


@pytest.mark.slow
def test_consent_is_asked_before_anything_is_written(relaxed, on_the_desk, report):
    line = one_line(invoke("export", relaxed.pk, *FLAGS, "--output", "record"))
    assert "private values" in line and "--yes" in line
    assert not list(on_the_desk.iterdir())
    result = invoke("export", relaxed.pk, *FLAGS, "--output", "record", "--yes")
    assert result.exit_code == 0, result.output
    assert sys.executable in result.output and "InstalledCode" in result.output
    assert sorted(path.name for path in on_the_desk.iterdir()) == ["record", "record.zip"]
    line = one_line(invoke("export", relaxed.pk, *FLAGS, "--output", "record", "--yes"))
    assert "record exists and is not empty: give another folder with --output" in line


@pytest.mark.slow
def test_missing_metadata_are_named_in_one_line(relaxed, on_the_desk):
    line = one_line(invoke("export", relaxed.pk, "--yes"))
    assert line.startswith("Error: title and authors and licence of the record are missing: give --title")
    assert "--metadata FILE" in line
    assert not list(on_the_desk.iterdir())


@pytest.mark.slow
def test_metadata_come_from_a_file_and_flags_go_before_it(relaxed, on_the_desk, report):
    (on_the_desk / "record.yaml").write_text(
        "title: From the file\nauthors: ['Ada Lovelace; London', {name: Charles Babbage}]\nlicence: CC0-1.0\n"
    )
    result = invoke("export", relaxed.pk, "--metadata", "record.yaml", "--title", "From the flag", "--yes", "-o", "out")
    assert result.exit_code == 0, result.output
    content = yaml.safe_load((on_the_desk / "out" / "metadata.yaml").read_text(encoding="utf-8"))
    assert (content["title"], content["licence"]) == ("From the flag", "CC0-1.0")
    assert [each["name"] for each in content["authors"]] == ["Ada Lovelace", "Charles Babbage"]


@pytest.mark.slow
def test_on_a_terminal_it_is_asked_once(relaxed, on_the_desk, report, monkeypatch):
    monkeypatch.setattr("aiida_crucible.cli.publishing.export.is_interactive", lambda: True)
    authors = "Ada Lovelace; London; 0000-0002-1825-0090\nAda Lovelace; London; 0000-0002-1825-0097\n\n"
    answers = f"A title\n{authors}\nmetals, copper\ny\n"
    result = invoke("export", relaxed.pk, "-o", "first", input=answers)
    assert result.exit_code == 0, result.output
    assert "its last digit tells" in result.output
    content = yaml.safe_load((on_the_desk / "first" / "metadata.yaml").read_text(encoding="utf-8"))
    assert content["title"] == "A title" and content["keywords"][:2] == ["metals", "copper"]
    assert str(kept_file()).startswith(str(get_config().dirpath))
    result = invoke("export", relaxed.pk, "-o", "second", "--title", "Another", "--yes")
    assert result.exit_code == 0, result.output
    content = yaml.safe_load((on_the_desk / "second" / "metadata.yaml").read_text(encoding="utf-8"))
    assert content["authors"][0]["orcid"] == "0000-0002-1825-0097" and content["title"] == "Another"


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 2])
def test_a_full_disk_leaves_nothing_behind(relaxed, on_the_desk, report, monkeypatch, size):
    """Where the archive is written, and where the zip file is."""
    from aiida_crucible.publishing import export as module

    written = []

    def full(*arguments):
        written.append(arguments)
        raise OSError(28, "No space left on device", "copper.zip")

    monkeypatch.setattr(module, "write_archive" if size == 0 else "write_zip", full)
    line = one_line(invoke("export", relaxed.pk, *FLAGS, "-o", "deep/er/copper", "--yes"))
    assert line == "Error: the disk is full: copper.zip"
    assert written
    assert not list(on_the_desk.iterdir())


@pytest.mark.slow
def test_a_small_disk_leaves_nothing_behind(relaxed, small_disk, report):
    line = one_line(invoke("export", relaxed.pk, *FLAGS, "-o", small_disk / "copper", "--yes"))
    assert line.startswith("Error: the disk is full")
    assert not list(small_disk.iterdir())


@pytest.mark.slow
def test_what_cannot_be_exported_is_said(localhost, model, on_the_desk):
    running = WorkChainNode(process_type="aiida.workflows:crucible.relax").store()
    running.set_process_state("running")
    assert "still runs (running): wait for its end" in one_line(invoke("export", running.pk, *FLAGS, "--yes"))
    other = CalcFunctionNode(process_type="aiida.calculations:core.arithmetic.add").store()
    other.set_process_state("finished")
    other.set_exit_status(0)
    assert "is of another plugin" in one_line(invoke("export", other.pk, *FLAGS, "--yes"))
    assert "no process" in one_line(invoke("export", model.pk, *FLAGS, "--yes"))
    assert "there is no process '999999'" in one_line(invoke("export", 999999, *FLAGS))
    assert "licence 'CC-BY-5.0' is unknown: did you mean 'CC-BY-4.0'?" in one_line(
        invoke("export", other.pk, "--licence", "CC-BY-5.0")
    )
    assert not list(on_the_desk.iterdir())


@pytest.mark.slow
def test_what_failed_early_is_exported_and_said(code, model, tmp_path):
    from aiida_crucible.publishing.export import REPORT

    node = WorkChainNode(process_type="aiida.workflows:crucible.relax")
    node.set_process_label("RelaxWorkChain")
    node.base.links.add_incoming(model, link_type=LinkType.INPUT_WORK, link_label="model")
    node.store()
    node.set_process_state("finished")
    node.set_exit_status(401)
    node.set_exit_message("the job failed")
    node.seal()

    def nothing_to_show(nodes, path):
        raise ValueError("it has nothing to show")

    prepared = prepare([node])
    assert prepared.closure.failures() == [f"RelaxWorkChain<{node.pk}> failed (exit status 401: the job failed)"]
    folder, _ = write_export(prepared, RECORD, tmp_path / "failed", nothing_to_show)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "failed (exit status 401: the job failed): what it did until then is in the archive." in readme
    assert "There is no report: it has nothing to show." in readme and not (folder / REPORT).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("licence", "include", "travels"),
    [(None, False, False), (None, True, True), ("MIT", False, True), ("ASL (academic use only)", True, False)],
)
def test_weights_travel_where_their_licence_allows(stand_in, copper, tmp_path, licence, include, travels):
    path = tmp_path / "mine.model"
    path.write_bytes(b"PK\x03\x04" + os.urandom(64))
    model = ModelData.get_or_create("mace", checkpoint=path, **({"licence": licence} if licence else {}))
    node = run_get_node(EvaluateCalculation, code=stand_in, model=model, structures={"copper": copper})[1]
    prepared = prepare([node], include)
    assert [each.sha256 for each in prepared.left_out] == ([] if travels else [model.sha256])
    folder, _ = write_export(prepared, RECORD, tmp_path / "record", tiny_report)
    with zipfile.ZipFile(folder / "record.aiida") as archive:
        assert (f"repo/{model.sha256}" in archive.namelist()) is travels
        assert travels or not any(archive.read(name) == path.read_bytes() for name in archive.namelist())
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert (model.sha256 in readme.partition("## Weights")[2]) is not travels
    ran = _run_elsewhere(folder / "record.aiida", model.uuid, tmp_path, path)
    assert ran["refused"] is (None if travels else ran["refused"])
    if not travels:
        assert ran["refused"].startswith(f"the weights of model mace {model.sha256[:12]} were left out of the archive")
    assert ran["found"] is travels and ran["whole"] and ran["family"] == "mace"


ELSEWHERE = """
import json
from aiida_crucible.calculations.validation import check_trust
from aiida_crucible.nodes.model import ModelData
try:
    check_trust(node)
    refused = None
except ValueError as error:
    refused = str(error)
mine = ModelData.get_or_create("mace", checkpoint={path!r})
check_trust(mine)
content = mine.base.repository.get_object_content("checkpoint.model", mode="rb")
print(json.dumps({{"refused": refused, "family": node.family, "found": mine.uuid == node.uuid,
                   "whole": content == open({path!r}, "rb").read()}}))
"""


def _run_elsewhere(archive, uuid, place, checkpoint):
    """Return what a profile that imported the archive says of a model, before and after its file is given."""
    command = [
        sys.executable,
        str(HELPERS / "imported_archive.py"),
        str(archive),
        uuid,
        ELSEWHERE.format(path=str(checkpoint)),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "AIIDA_PATH": str(place)}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_an_environment_tells_its_packages_and_its_lock(relaxed, code):
    (found,) = environments_of(collect([relaxed]))
    assert found.is_complete and found.packages["numpy"] == np.__version__
    assert found.lock is None and "its lock is unknown" in found.files()["python.packages.txt"]
    code.base.extras.set("crucible_environment", {"family": "emt", "lock": "0123456789ab", "python": "3.11.7"})
    code.base.extras.set("crucible_lock", {"packages": {"ase": "3.26"}, "lock": "ase==3.26 --hash=sha256:00\n"})
    try:
        (found,) = environments_of(collect([relaxed]))
        texts = found.files()
    finally:
        for key in ("crucible_environment", "crucible_lock"):
            code.base.extras.delete(key)
    assert texts["python-0123456789ab.lock.txt"] == "ase==3.26 --hash=sha256:00\n"
    assert texts["python-0123456789ab.packages.txt"].endswith("\nase==3.26\n")


def test_a_map_is_written_under_a_name_that_the_archive_opens(localhost):
    node = CalcFunctionNode(process_type="aiida.calculations:crucible.draw_configuration_space").store()
    drawn = SinglefileData(io.BytesIO(b'{"meta": {}}'), filename="configuration_space.json")
    drawn.base.links.add_incoming(node, LinkType.CREATE, "chemiscope")
    drawn.store()
    node.set_process_state("finished")
    node.set_exit_status(0)
    node.seal()
    assert maps_of(collect([node])) == {"configuration_space.chemiscope.json": b'{"meta": {}}'}


@pytest.mark.slow
def test_the_authors_own_words_stay(relaxed):
    given = Publication("T", (Author("A"),), "MIT", description="mine", keywords=("copper",), references=("10.1/x",))
    found = complete(given, prepare([relaxed]))
    assert found.description == "mine" and found.keywords[0] == "copper" and found.references[0] == "10.1/x"
    assert keep(given).is_file()
    kept_file().unlink()
