"""A checkpoint file comes to a computer once, whole or not at all, and into no job's provenance."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode
from aiida.transports.plugins.local import LocalTransport

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.calculations.staging import forget_staging, stage_checkpoint
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain


@pytest.mark.slow
def test_jobs_link_to_one_file(stand_in, checkpoint_model, copper, localhost):
    inputs = {"code": stand_in, "model": checkpoint_model, "structures": {"copper": copper}}
    outputs, node = run_get_node(EvaluateCalculation, **inputs)
    assert node.is_finished_ok, node.exit_message
    link = Path(outputs["remote_folder"].get_remote_path(), "checkpoint.model")
    staged = Path(localhost.get_workdir(), "crucible", "checkpoints", checkpoint_model.sha256)
    assert link.readlink() == staged
    assert "checkpoint.model" not in node.base.repository.list_object_names()
    assert "checkpoint.model" not in outputs["retrieved"].list_object_names()
    assert outputs["results"]["model"]["sha256"] == checkpoint_model.sha256
    brought_at = staged.stat().st_mtime_ns
    assert stage_checkpoint(checkpoint_model, localhost) == staged
    forget_staging(checkpoint_model, localhost)
    assert stage_checkpoint(checkpoint_model, localhost) == staged
    assert staged.stat().st_mtime_ns == brought_at
    assert [path.name for path in staged.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("where", ["putfile", "rename"])
def test_interrupted_upload_leaves_nothing(where, checkpoint_model, localhost, monkeypatch):
    whole = getattr(LocalTransport, where)

    def interrupted(self, source, target, *arguments, **keywords):
        if where == "putfile":
            Path(target).write_bytes(Path(source).read_bytes()[:5])
        raise OSError("the line broke")

    monkeypatch.setattr(LocalTransport, where, interrupted)
    with pytest.raises(OSError, match="the line broke"):
        stage_checkpoint(checkpoint_model, localhost)
    folder = Path(localhost.get_workdir(), "crucible", "checkpoints")
    assert not (folder / checkpoint_model.sha256).exists()
    assert list(folder.glob(f".{checkpoint_model.sha256}*")) == []
    monkeypatch.setattr(LocalTransport, where, whole)
    assert Path(stage_checkpoint(checkpoint_model, localhost)).is_file()


def test_quicker_job_wins(checkpoint_model, localhost, monkeypatch):
    """Another job stages the same file between our upload and our renaming, on a transport that replaces no file."""

    def refuse(self, source, target):
        Path(target).write_bytes(Path(source).read_bytes())
        raise OSError("Destination already exists")

    monkeypatch.setattr(LocalTransport, "rename", refuse)
    staged = Path(stage_checkpoint(checkpoint_model, localhost))
    assert staged.is_file()
    assert list(staged.parent.glob(f".{checkpoint_model.sha256}*")) == []


@pytest.mark.slow
def test_cleaned_file_is_brought_again(stand_in, checkpoint_model, copper, localhost):
    Path(stage_checkpoint(checkpoint_model, localhost)).unlink()
    inputs = {"code": stand_in, "model": checkpoint_model, "structures": {"copper": copper}}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.is_finished_ok, node.exit_message
    first, second = (job for job in node.called if isinstance(job, CalcJobNode))
    assert first.exit_status == EvaluateCalculation.exit_codes.ERROR_CHECKPOINT_MISSING.status
    assert outputs["results"].uuid == second.outputs.results.uuid


@pytest.mark.slow
def test_file_that_stays_on_the_computer_is_used_in_place(stand_in, copper, localhost, tmp_path):
    path = tmp_path / "shared.model"
    path.write_bytes(b"PK\x03\x04weights of the group")
    model = ModelData.get_or_create("mace", checkpoint=path, computer=localhost)
    inputs = {"code": stand_in, "model": model, "structures": {"copper": copper}}
    outputs, node = run_get_node(EvaluateCalculation, **inputs)
    assert node.is_finished_ok, node.exit_message
    assert Path(outputs["remote_folder"].get_remote_path(), "checkpoint.model").readlink() == path
    path.unlink()
    _, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.exit_status == EvaluateBaseWorkChain.exit_codes.ERROR_UNRECOVERABLE.status
    assert len(node.called) == 1


def test_dry_run_touches_no_computer(stand_in, checkpoint_model, copper, localhost, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs = {"code": stand_in, "model": checkpoint_model, "structures": {"copper": copper}}
    run_get_node(EvaluateCalculation, **inputs, metadata={"dry_run": True, "store_provenance": False})
    assert not Path(localhost.get_workdir(), "crucible", "checkpoints", checkpoint_model.sha256).exists()
    assert list(tmp_path.glob("submit_test/*/job.json"))
