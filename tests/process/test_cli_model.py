"""``aiida-crucible model`` on a profile."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiida.orm import Dict, QueryBuilder
from click.testing import CliRunner

from aiida_crucible.cli import main
from aiida_crucible.nodes.model import ModelData


@pytest.fixture
def run(forgotten):
    """Return a function that runs a command and returns its exit status and what it wrote."""

    def run(*arguments):
        result = CliRunner().invoke(main, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


def models(family):
    return QueryBuilder().append(ModelData, filters={"attributes.family": family}).all(flat=True)


def test_added_model_is_listed_and_shown(run):
    assert run("model", "add", "chgnet", "--label", "mine")[0] == 0
    (node,) = models("chgnet")
    assert (node.family, node.name, node.label) == ("chgnet", "0.3.0", "mine")
    _, listed = run("model", "list", "--family", "chgnet")
    assert f"{node.pk}" in listed.splitlines()[-1]
    assert "sevennet" not in listed
    for name in (str(node.pk), node.uuid, "mine", "chgnet 0.3.0"):
        status, shown = run("model", "show", name)
        assert status == 0
        assert node.sha256 in shown
        assert "PBE+U" in shown


def test_same_potential_is_the_same_node(run):
    run("model", "add", "sevennet", "7net-l3i5")
    run("model", "add", "sevennet", "7net-l3i5", "--dtype", "float32")
    assert len(models("sevennet")) == 1


def test_a_potential_that_an_archive_brought_again_is_found(run):
    run("model", "add", "chgnet")
    (node,) = models("chgnet")
    node.clone().store()
    assert run("model", "show", "chgnet 0.3.0")[0] == 0


def test_settings_are_part_of_it(run):
    assert run("model", "add", "sevennet", "7net-mf-ompa", "--setting", "modal=mpa")[0] == 0
    (node,) = models("sevennet")
    assert node.settings["modal"] == "mpa"


def test_checkpoint_file_without_an_environment_says_what_is_unknown(run, tmp_path):
    path = tmp_path / "weights.model"
    path.write_bytes(b"PK\x03\x04weights")
    status, output = run("model", "add", "mace", str(path))
    assert status == 0
    assert "Its elements are unknown" in output
    (node,) = models("mace")
    assert node.is_checkpoint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "sevennet", "7net-l3i4"], "did you mean '7net-l3i5'"),
        (["add", "chgnet", "--setting", "modal=mpa"], "chgnet has no setting 'modal'"),
        (["add", "chgnet", "--dtype", "float16"], "does not compute in 'float16'"),
        (["add", "mace", "/nowhere/weights.model"], "checkpoint /nowhere/weights.model is not a file"),
        (["add", "chgnet", "--code", "chgnet"], "--code describes a checkpoint file"),
        (["add", "mace", "/x", "--computer", "moon"], "there is no computer 'moon'"),
        (["show", "chgnet 0.3.0"], "there is no model 'chgnet 0.3.0' in this profile"),
    ],
)
def test_mistake_is_one_line(run, arguments, message):
    status, output = run("model", *arguments)
    assert status == 1
    assert output.startswith("Error: ")
    assert message in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "junk"], "device 'junk' is unknown: give auto, cpu, cuda"),
        ([], "`aiida-crucible env create sevennet`"),
        (["--code", "nothing@here"], "nothing@here"),
    ],
)
def test_what_cannot_be_verified_leaves_no_model_behind(run, arguments, message):
    before = len(models("sevennet"))
    status, output = run("model", "verify", "sevennet", *arguments)
    assert status != 0
    assert message in output
    assert len(models("sevennet")) == before


def test_options_that_are_none_leave_no_model_behind(run, stand_in):
    status, output = run("model", "verify", "mace", "--code", stand_in.full_label, "--options", "{resources: 5}")
    assert status != 0 and "resources" in output, output
    assert models("mace") == []


@pytest.mark.parametrize(("options", "loaded", "again"), [((), "a", False), ((), "b", True), (("--again",), "a", True)])
def test_a_verification_is_made_again_on_request_or_where_something_else_is_loaded(
    run, stand_in, monkeypatch, options, loaded, again
):
    verified = SimpleNamespace(results=Dict({"model": {"sha256": 64 * "a"}}))
    found = SimpleNamespace(pk=1, ctime=datetime(2026, 1, 1), outputs=verified)
    monkeypatch.setattr("aiida_crucible.calculations.verifications.find_verification", lambda *given, **more: found)
    monkeypatch.setattr("aiida_crucible.environments.script_job.sha256_now", lambda *given: 64 * loaded)

    def submit(builder):
        raise ValueError(f"submitted with again={builder.again.value}")

    monkeypatch.setattr("aiida.engine.run_get_node", submit)
    _, said = run("model", "verify", "mace", "--code", stand_in.full_label, *options)
    assert f"submitted with again={again}" in said
    assert ("it is no longer sha256 aaaaaaaaaaaa" in said) == (loaded == "b")


def test_code_that_a_model_names_runs_once_it_is_trusted_by_name(run, stand_in, monkeypatch):
    factory = "factory=ase.calculators.emt:EMT"
    assert run("model", "add", "ase", "--setting", factory)[0] == 0
    (node,) = models("ase")
    assert run("model", "show", str(node.pk))[1].splitlines()[-1].split()[-1] == "no"

    def refuse(builder):
        raise ValueError("it was submitted")

    monkeypatch.setattr("aiida.engine.run_get_node", refuse)
    status, said = run("model", "verify", str(node.pk), "--code", stand_in.full_label)
    assert status != 0 and not node.trusted
    assert f"if you trust it, `aiida-crucible model verify {node.pk} --trust-code`" in " ".join(said.split())
    assert "it was submitted" in run("model", "verify", str(node.pk), "--code", stand_in.full_label, "--trust-code")[1]
    assert node.trusted
    assert run("model", "show", str(node.pk))[1].splitlines()[-1].split()[-1] == "yes"


def test_trust_is_given_when_a_model_is_added(run):
    assert run("model", "add", "ase", "--setting", "factory=ase.calculators.emt:EMT", "--trust-code")[0] == 0
    assert models("ase")[0].trusted
    status, said = run("model", "add", "chgnet", "--trust-code")
    assert status != 0 and "runs no code that its settings name" in said


def test_a_family_that_is_misspelt_is_suggested(run):
    status, output = run("model", "verify", "chgnett")
    assert status == 1
    assert "there is no model 'chgnett' in this profile: did you mean 'chgnet'?" in output


def test_every_member_of_a_committee_is_looked_at(run, tmp_path, monkeypatch):
    known = {"one.pt": ["Al", "Cu"], "two.pt": ["Ag", "Cu"], "three.pt": ["Al", "Cu"]}
    files = []
    for name in known:
        (tmp_path / name).write_text(f"nep4 2 Al Cu\n{name}\n")
        files.append(str(tmp_path / name))
    monkeypatch.setattr(
        "aiida_crucible.cli.model._describe", lambda reference, *_: {"elements": known[Path(reference.checkpoint).name]}
    )
    status, said = run("model", "add", "nep", files[0], "--with", files[2], "--with", files[1], "--code", "any")
    assert status == 1 and "members 1 and 3 do not know the same elements (Ag, Al only in one of them)" in said
    assert not models("nep")
    status, said = run("model", "add", "nep", files[0], "--with", files[2], "--code", "any")
    assert status == 0, said
    assert list(models("nep")[0].elements) == ["Al", "Cu"]
