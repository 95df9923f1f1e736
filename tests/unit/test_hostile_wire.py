"""What the two sides of the wire and a computer's files say: bounded, and nothing of it runs."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from aiida_crucible.calculations.exit_codes import RESULTS_UNREADABLE
from aiida_crucible.calculations.output_files import OutputError, read_records, read_results
from aiida_crucible.environments import local
from aiida_crucible.monitoring.progress import last_line, read_remote
from aiida_crucible.nodes import bounds
from crucible_engine.job import program as engine
from crucible_engine.tasks.dynamics.stream import Records
from crucible_engine.wire.journal import _FRAME, _MARK, _TEXT_LENGTH, JournalWriter, Record
from crucible_engine.wire.schema import JOB_FILE, RESULTS_FILE
from crucible_engine.wire.value_types import parse_json

DEEP = "[" * 100_000 + "]" * 100_000


class RunsCode:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize(
    "text", [DEEP, json.dumps({"a": json.loads("[" * 80 + "]" * 80)}), '{"a":' * 3000 + "1" + "}" * 3000]
)
def test_deep_json_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="more than 64 levels") as caught:
        parse_json(text)
    assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="more than 64 levels") as refused:
        read_results(text)
    assert refused.value.failure is RESULTS_UNREADABLE


def test_depth_is_counted_whatever_the_interpreter_bears(monkeypatch):
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was read, by a reader that calls itself"))
    with pytest.raises(ValueError, match="more than 64 levels"):
        parse_json(DEEP)


def test_usual_depth_is_read():
    content = json.loads("[" * 60 + "1" + "]" * 60)
    assert parse_json(json.dumps(content)) == content


@pytest.mark.parametrize("text", ["[" * 100, '"' + "[" * 100, '\\"' + "{" * 100, "é[" * 70])
def test_brackets_in_words_are_no_levels(text):
    assert parse_json(json.dumps({"word": text})) == {"word": text}


def test_a_stream_is_read_up_to_its_bound():
    assert bounds.read_bounded(io.BytesIO(b"x" * 10), 10) == b"x" * 10
    with pytest.raises(ValueError, match="more than 10 bytes"):
        bounds.read_bounded(io.BytesIO(b"x" * 11), 10)


@pytest.mark.parametrize("line", [DEEP, "1" * 5000, '{"time": 1}', "\\", "[]"])
def test_a_progress_line_that_is_none_is_passed_over(line):
    good = json.dumps({"time": 1.0, "done": 1, "total": 2})
    assert last_line(f"{good}\n{line}\n") == json.loads(good)


def test_no_more_of_a_progress_file_is_fetched_than_its_end(tmp_path):
    """The command is run as a computer would run it."""
    import subprocess

    class Transport:
        def exec_command_wait(self, command):
            self.said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
            return self.said.returncode, self.said.stdout, self.said.stderr

        def isfile(self, path):
            return False

    good = json.dumps({"time": 1.0, "done": 1, "total": 2})
    (tmp_path / "progress.jsonl").write_text("x" * 1_000_000 + "\n" + good + "\n")
    transport = Transport()
    assert read_remote(transport, str(tmp_path)) == json.loads(good)
    assert len(transport.said.stdout) <= bounds.LARGEST_SAYING


def test_what_an_environment_says_of_itself_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "LARGEST_ANSWER", 100)
    (tmp_path / "crucible.json").write_text(json.dumps({"packages": "x" * 100}))
    with pytest.raises(ValueError, match="more than 100 bytes"):
        local.read_content(tmp_path)


def record_of(layout, data=b""):
    """Return a record of a journal with a right checksum, whatever is in it."""
    text = json.dumps({"kind": "evaluations", "fields": {}, "arrays": layout}).encode()
    payload = _TEXT_LENGTH.pack(len(text)) + text + data
    return _FRAME.pack(_MARK, len(payload), zlib.crc32(payload)) + payload


def check_nothing(record):
    """Take any record: what is tested is how it is read."""


@pytest.mark.parametrize(
    "layout", [[["energies", "|O", [1]]], [["energies", "<f8", [2**40]]], [["energies", "<f8", [2**32, 2**32]]]]
)
def test_a_journal_holds_no_objects_and_no_more_than_its_bytes(tmp_path, layout):
    path, marker = tmp_path / "journal", tmp_path / "ran"
    with contextlib.closing(JournalWriter(path, {"task": "evaluate"})) as journal:
        journal.append(Record("evaluations", {}, {"energies": np.zeros(1)}))
    with path.open("ab") as stream:
        stream.write(record_of(layout, pickle.dumps(RunsCode(marker))))
    with contextlib.suppress(ValueError):
        assert len(read_records(path, check_nothing)) <= 2
    assert not marker.exists()


def test_a_record_that_announces_more_than_there_is_ends_the_journal(tmp_path):
    path = tmp_path / "journal"
    with contextlib.closing(JournalWriter(path, {"task": "evaluate"})) as journal:
        journal.append(Record("evaluations", {}, {"energies": np.zeros(1)}))
    with path.open("ab") as stream:
        stream.write(_FRAME.pack(_MARK, 2**60, 0))
    assert len(read_records(path, check_nothing)) == 1


def test_a_stream_of_objects_is_none(tmp_path):
    path, marker = tmp_path / "frames-0.npy", tmp_path / "ran"
    np.save(path, np.array([RunsCode(marker)] * 3, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError):
        Records(path, 3).read(0, 3)
    assert not marker.exists()


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "1" * 5000])
def test_a_job_that_is_none_is_refused_in_one_line(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / JOB_FILE).write_text(text)
    assert engine.main([str(tmp_path)]) == 0
    results = json.loads((tmp_path / RESULTS_FILE).read_text())
    assert results["condition"] == "invalid-job" and "\n" not in results["message"]


def test_a_job_of_any_size_is_not_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "LARGEST_JOB", 1000)
    (tmp_path / JOB_FILE).write_text(" " * 1001)
    assert engine.main([str(tmp_path)]) == engine.USAGE_ERROR
    assert "it has more than 1000 bytes" in capsys.readouterr().err
