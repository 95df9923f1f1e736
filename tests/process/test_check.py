"""An export that is as it was written passes; one change of a number, a byte or a figure is found and named."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage import get_manager
from ase.build import bulk
from click.testing import CliRunner
from published import Planted, tiny_report

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.cli import main
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.publishing.checks.run import check_export
from aiida_crucible.publishing.export import prepare, write_export
from aiida_crucible.publishing.publication import Author, Publication
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain

pytestmark = pytest.mark.slow

RECORD = Publication("Copper", (Author("Ada Lovelace"),), "CC-BY-4.0")
FILES, OBJECTS, WEIGHTS, DIGESTS, JOBS, FUNCTIONS, REPORT = range(7)


@pytest.fixture(scope="module")
def exports(code, model, stand_in, tmp_path_factory):
    """Return exports of a relaxation, of phonons, of a job with weights that travel and with some that do not.

    They are paths and UUIDs: the profile is another one while an export is checked, so that no node is handed on.
    """
    place = tmp_path_factory.mktemp("exports")
    inputs = {"code": code, "model": model, "structure": from_atoms(bulk("Cu"))}
    _, relaxed = run_get_node(RelaxWorkChain.get_builder_from_protocol(**inputs, protocol="fast"))
    _, phonons = run_get_node(PhononWorkChain.get_builder_from_protocol(**inputs, protocol="fast"))
    (place / "mine.model").write_bytes(b"PK\x03\x04" + os.urandom(64))
    weights = ModelData.get_or_create("mace", checkpoint=place / "mine.model")
    structures = {"copper": from_atoms(bulk("Cu", cubic=True))}
    _, evaluated = run_get_node(EvaluateCalculation, code=stand_in, model=weights, structures=structures)
    for node in (relaxed, phonons, evaluated):
        assert node.is_finished_ok, node.exit_message
    relaxing, evaluating = (
        next(each for each in node.called_descendants if each.process_label == f"{task}Calculation")
        for node, task in ((relaxed, "Relax"), (phonons, "Evaluate"))
    )
    paths = {
        name: write_export(prepare([node], name == "weights"), RECORD, place / name, tiny_report)
        for name, node in (
            ("relaxed", relaxed), ("phonons", phonons), ("weights", evaluated), ("without", evaluated)
        )
    }  # fmt: skip
    with_report, _ = write_export(prepare([phonons]), RECORD, place / "with_report")
    return SimpleNamespace(
        with_report=with_report,
        **{name: folder for name, (folder, _) in paths.items()},
        zip=paths["relaxed"][1],
        job=relaxing.uuid,
        results=relaxing.outputs.results.uuid,
        retrieved=relaxing.outputs.retrieved.uuid,
        parameters=relaxing.inputs.parameters.uuid,
        relaxation=relaxed.outputs.summary.uuid,
        summary=phonons.outputs.summary.uuid,
        constants=phonons.outputs.force_constants.uuid,
        properties=evaluating.outputs.properties.uuid,
        model=weights.uuid,
    )


@pytest.fixture
def planted(exports, tmp_path):
    """Return a copy of the export of a relaxation."""
    return Planted(exports.relaxed, tmp_path / "planted")


@pytest.fixture
def planted_phonons(exports, tmp_path):
    """Return a copy of the export of phonons."""
    return Planted(exports.phonons, tmp_path / "planted")


def lines_of(path):
    """Return the differences by kind of check."""
    return [outcome.differences for outcome in check_export(path, write_report=tiny_report)]


def found_in(lines):
    """Return the kinds of check that found something."""
    return {kind for kind, found in enumerate(lines) if found}


def test_what_was_exported_passes(exports):
    before = get_manager().get_profile().uuid
    for path in (exports.relaxed, exports.zip, exports.relaxed / "relaxed.aiida"):
        outcomes = check_export(path, write_report=tiny_report)
        assert [outcome.differences for outcome in outcomes] == [[]] * 7
    assert get_manager().get_profile().uuid == before
    outcomes = check_export(exports.phonons, write_report=tiny_report)
    rights = [outcome.right for outcome in outcomes]
    assert all(rights), rights
    assert not outcomes[FUNCTIONS].unchecked and outcomes[FUNCTIONS].right >= 8  # what phonons have
    assert outcomes[REPORT].right == 3
    reasons = " ".join(outcomes[JOBS].unchecked)
    assert "kept in nodes alone" in reasons and "cannot be parsed" not in reasons


def test_the_command_tells_a_table_and_its_status(exports, planted, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiida_crucible.report.write", SimpleNamespace(write_report=tiny_report))
    result = CliRunner().invoke(main, ["check", str(exports.zip)])
    assert result.exit_code == 0, result.output
    assert (
        result.output.endswith("nothing differs\n")
        and "analyses and verdicts follow from their inputs" in result.output
    )
    (planted.folder / "report.html").write_text("<html>yes, it can be trusted</html>")
    result = CliRunner().invoke(main, ["check", str(planted.folder)])
    assert result.exit_code == 1
    told = [line for line in result.output.splitlines() if line.startswith("differs: ")]
    assert len(told) == 2 and all(line.startswith("differs: report.html: ") for line in told)


def _first_number(content, key=""):
    """Return the path of the first number with a fraction in nested content, and what holds it."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for name, value in items:
        where = f"{key}.{name}" if key and isinstance(content, dict) else f"{key}[{name}]" if key else str(name)
        if isinstance(value, float):
            return where, content, name
        if isinstance(value, dict | list):
            found = _first_number(value, where)
            if found is not None:
                return found
    return None


def test_a_number_of_an_analysis(exports, planted_phonons):
    key = None

    def change(content):
        nonlocal key
        key, holder, name = _first_number(content)
        holder[name] *= 1.001

    planted_phonons.change_attributes(exports.summary, change)
    lines = lines_of(planted_phonons.folder)
    assert found_in(lines) == {DIGESTS, FUNCTIONS}
    (line,) = lines[FUNCTIONS]
    assert exports.summary[:8] in line and f"{key}: stored" in line and "`summary` of analyse_phonons" in line
    assert len(lines[DIGESTS]) == 1 and exports.summary[:8] in lines[DIGESTS][0]


def test_a_number_of_a_job(exports, planted):
    def change(content):
        content["peak_memory"] += 1.0

    planted.change_attributes(exports.results, change)
    lines = lines_of(planted.folder)
    assert found_in(lines) == {DIGESTS, JOBS}
    (line,) = lines[JOBS]
    assert exports.results[:8] in line and "peak_memory: stored" in line and exports.job[:8] in line


def test_a_parameter_of_a_job(exports, planted):
    planted.change_attributes(exports.parameters, lambda content: content.update(max_steps=7))
    lines = lines_of(planted.folder)
    assert {DIGESTS, JOBS} <= found_in(lines)
    assert any("'job.json' of" in line and exports.job[:8] in line and "parameters is" in line for line in lines[JOBS])


def _another_force(content):
    forces = np.load(io.BytesIO(content))
    forces[1, 0, 0] += 0.01
    stream = io.BytesIO()
    np.save(stream, forces)
    return stream.getvalue()


def test_a_number_in_an_array_file(exports, planted_phonons):
    planted_phonons.change_file(exports.properties, "forces.npy", _another_force)
    lines = lines_of(planted_phonons.folder)
    assert found_in(lines) == {OBJECTS, FUNCTIONS}
    (line,) = lines[OBJECTS]
    assert "'forces.npy' of ArrayData" in line and exports.properties[:8] in line
    assert any(exports.summary[:8] in each for each in lines[FUNCTIONS])


def test_a_number_in_an_array_file_whose_object_is_named_anew(exports, planted_phonons):
    planted_phonons.change_file(exports.properties, "forces.npy", _another_force, rename=True)
    lines = lines_of(planted_phonons.folder)
    assert found_in(lines) == {DIGESTS, FUNCTIONS}
    assert any(exports.properties[:8] in line for line in lines[DIGESTS])
    assert any(exports.summary[:8] in line for line in lines[FUNCTIONS])


def test_a_number_of_a_result_that_an_array_holds(exports, planted_phonons):
    def change(content):
        constants = np.load(io.BytesIO(content))
        constants[(0,) * constants.ndim] *= 1.01
        stream = io.BytesIO()
        np.save(stream, constants)
        return stream.getvalue()

    planted_phonons.change_file(exports.constants, "force_constants.npy", change, rename=True)
    lines = lines_of(planted_phonons.folder)
    assert found_in(lines) == {DIGESTS, FUNCTIONS}
    (line,) = lines[FUNCTIONS]
    assert exports.constants[:8] in line and "force_constants[0, 0" in line


def test_a_verdict_in_what_a_job_retrieved(exports, planted):
    def change(content):
        results = json.loads(content)
        results["outcome"] = "runaway"
        return json.dumps(results).encode()

    planted.change_file(exports.retrieved, "results.json", change, rename=True)
    lines = lines_of(planted.folder)
    assert found_in(lines) == {DIGESTS, JOBS}
    assert any("outcome: stored 'converged', made anew 'runaway'" in line for line in lines[JOBS])


def test_an_object_that_is_gone(exports, planted):
    key = planted.key_of(exports.retrieved, "stdout.txt")
    planted.rewrite(lambda members: members.pop(f"repo/{key}"))
    lines = lines_of(planted.folder)
    assert any(key[:12] in line and line.endswith("it is missing") for line in lines[OBJECTS])


def test_a_byte_of_weights(exports, tmp_path):
    planted = Planted(exports.weights, tmp_path / "planted")
    planted.change_file(exports.model, "checkpoint.model", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    lines = lines_of(planted.folder)
    assert {OBJECTS, WEIGHTS} <= found_in(lines)
    assert any("'checkpoint.model' of ModelData" in line and exports.model[:8] in line for line in lines[WEIGHTS])


def test_a_byte_of_weights_whose_object_is_named_anew(exports, tmp_path):
    planted = Planted(exports.weights, tmp_path / "planted")
    planted.change_file(
        exports.model, "checkpoint.model", lambda content: content[:-1] + bytes([content[-1] ^ 1]), rename=True
    )
    lines = lines_of(planted.folder)
    assert {WEIGHTS, DIGESTS} <= found_in(lines) and OBJECTS not in found_in(lines)
    assert any(exports.model[:8] in line for line in lines[WEIGHTS])


def test_weights_that_were_left_out_are_told_and_are_no_difference(exports):
    outcomes = check_export(exports.without, write_report=tiny_report)
    assert [outcome.differences for outcome in outcomes] == [[]] * 7
    assert outcomes[WEIGHTS].unchecked == {"left out for their licence": 1}
    assert not outcomes[DIGESTS].unchecked


def test_a_model_that_claims_other_weights_than_the_job_loaded(exports, tmp_path):
    planted = Planted(exports.without, tmp_path / "planted")
    planted.change_attributes(exports.model, lambda content: content.update(sha256="0" * 64))
    lines = lines_of(planted.folder)
    assert any("it loaded" in line for line in lines[WEIGHTS])
    assert DIGESTS in found_in(lines)


@pytest.mark.parametrize("name", ["report-figures/bands.svg", "report-figures/bands.csv", "report.html"])
def test_a_figure(planted, name):
    path = planted.folder / name
    path.write_text(path.read_text() + " ")
    lines = lines_of(planted.folder)
    assert found_in(lines) == {FILES, REPORT}
    assert [line.partition(":")[0] for line in (*lines[FILES], *lines[REPORT])] == [name, name]


def test_the_report_itself_comes_out_again_and_one_byte_of_it_is_found(exports, tmp_path):
    (whole,) = check_export(exports.with_report)[REPORT:]
    assert whole.right >= 5 and not whole.differences and not whole.unchecked, (whole.differences, whole.unchecked)
    planted = Planted(exports.with_report, tmp_path / "planted")
    picture = min((planted.folder / "report-figures").glob("*.png"))
    content = bytearray(picture.read_bytes())
    content[len(content) // 2] ^= 1
    picture.write_bytes(content)
    lines = [outcome.differences for outcome in check_export(planted.folder)]
    assert found_in(lines) == {FILES, REPORT}
    assert all(line.startswith(f"report-figures/{picture.name}: ") for line in (*lines[FILES], *lines[REPORT]))
    page = (exports.with_report / "report.html").read_text(encoding="utf-8")
    assert sys.executable not in page and str(tmp_path.parent) not in page


def test_a_figure_with_a_manifest_to_match(planted):
    from aiida_crucible.publishing.files import write_manifest

    (planted.folder / "report-figures" / "bands.svg").write_text("<svg/>")
    write_manifest(planted.folder)
    lines = lines_of(planted.folder)
    assert found_in(lines) == {REPORT}
    assert lines[REPORT][0].startswith("report-figures/bands.svg: ")


def test_files_that_are_missing_or_of_nobody(planted):
    (planted.folder / "README.md").unlink()
    (planted.folder / "run_me.sh").write_text("true")
    assert lines_of(planted.folder)[FILES] == [
        "README.md: it is missing",
        "run_me.sh: MANIFEST.sha256 does not know it",
    ]


def test_a_function_of_somebody_else_is_not_run(exports, planted):
    """A process type may name any importable function: only ours are looked up."""
    planted.in_database(
        "UPDATE db_dbnode SET process_type = 'aiida.calculations:crucible.../../os' WHERE process_type = ?",
        "aiida.calculations:crucible.summarise_relaxation",
    )
    outcomes = check_export(planted.folder, write_report=tiny_report)
    assert any("cannot be computed again" in reason for reason in outcomes[FUNCTIONS].unchecked)


def test_a_pickle_in_an_array_is_not_read(exports, planted_phonons, tmp_path):
    marker = tmp_path / "ran"

    class RunsCode:
        def __reduce__(self):
            return marker.touch, ()

    stream = io.BytesIO()
    np.save(stream, np.array([RunsCode()], dtype=object), allow_pickle=True)
    planted_phonons.change_file(exports.properties, "forces.npy", lambda content: stream.getvalue(), rename=True)
    outcomes = check_export(planted_phonons.folder, write_report=tiny_report)
    assert not marker.exists()
    assert any("allow_pickle" in reason or "Object arrays" in reason for reason in outcomes[FUNCTIONS].unchecked)


def test_an_archive_of_another_release_is_told(planted):
    def change(members):
        content = json.loads(members["metadata.json"])
        members["metadata.json"] = json.dumps({**content, "aiida_version": "1.6.0"}).encode()

    planted.change_attributes(_some_dict(planted), lambda content: content.update(more=1))
    planted.rewrite(change)
    outcomes = check_export(planted.folder, write_report=tiny_report)
    assert any("made with AiiDA 1.6.0" in reason for reason in outcomes[DIGESTS].unchecked)


def _some_dict(planted):
    return planted.query("SELECT uuid FROM db_dbnode WHERE node_type = 'data.core.dict.Dict.' ORDER BY id DESC")[0][0]


def test_an_archive_without_our_processes(planted):
    planted.in_database(
        "UPDATE db_dbnode SET process_type = 'aiida.workflows:other.relax' WHERE process_type LIKE 'aiida.%'"
    )
    with pytest.raises(ValueError, match="holds no process of aiida-crucible"):
        check_export(planted.folder)


def test_an_archive_of_an_older_format(planted):
    def change(members):
        content = json.loads(members["metadata.json"])
        members["metadata.json"] = json.dumps({**content, "export_version": "0.12"}).encode()

    planted.rewrite(change)
    result = CliRunner().invoke(main, ["check", str(planted.archive)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    assert "verdi archive migrate" in result.output.splitlines()[-1]


def test_a_truncated_archive_or_a_damaged_data_base(planted, tmp_path):
    whole = planted.archive.read_bytes()
    cut = tmp_path / "cut.aiida"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="was cut short"):
        check_export(cut)
    with zipfile.ZipFile(planted.archive) as archive:
        database = archive.read("db.sqlite3")
    planted.rewrite(lambda members: members.update({"db.sqlite3": database[: len(database) // 2]}))
    with pytest.raises(ValueError, match="its data base is damaged"):
        check_export(planted.archive)


def test_a_trigger_or_view_in_the_data_base(planted):
    planted.in_database("CREATE VIEW sneaky AS SELECT 1")
    with pytest.raises(ValueError, match="its data base has a view 'sneaky'"):
        check_export(planted.folder)
