"""The journal keeps every finished record and never shows half of one."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from crucible_engine.wire.journal import JournalWriter, Record, read_journal
from crucible_engine.wire.schema import Condition, EngineError

HEADER = {"task": "evaluate", "structures": "abc"}


def record(index: int) -> Record:
    rng = np.random.default_rng(index)
    arrays = {"forces": rng.normal(size=(index + 1, 3)), "counts": np.arange(3), "labels": np.array(["x", "yz"])}
    return Record("evaluations", {"start": index, "note": "Å"}, arrays)


def write(path, count: int):
    """Write a journal; return its bytes and where each record ends, the header's first."""
    writer = JournalWriter(path, HEADER)
    ends = [path.stat().st_size]
    for index in range(count):
        writer.append(record(index))
        ends.append(path.stat().st_size)
    writer.close()
    return path.read_bytes(), ends


def read(path):
    header, records = read_journal(path)
    return header, list(records)


def assert_is(found: Record, index: int) -> None:
    wanted = record(index)
    assert (found.kind, found.fields) == (wanted.kind, wanted.fields)
    assert list(found.arrays) == list(wanted.arrays)
    for name, array in wanted.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_what_was_appended_is_read_bit_by_bit(tmp_path):
    write(tmp_path / "journal.bin", 5)
    header, records = read(tmp_path / "journal.bin")
    assert header == HEADER
    for index, found in enumerate(records):
        assert_is(found, index)
    assert len(records) == 5


@pytest.mark.slow
def test_cut_at_any_byte_it_shows_the_whole_records_before(tmp_path):
    content, ends = write(tmp_path / "whole.bin", 3)
    path = tmp_path / "cut.bin"
    for length in range(ends[0], len(content)):
        path.write_bytes(content[:length])
        _, records = read(path)
        assert len(records) == sum(end <= length for end in ends[1:])
        for index, found in enumerate(records):
            assert_is(found, index)


def test_a_changed_byte_hides_its_record_and_what_follows(tmp_path):
    content, ends = write(tmp_path / "whole.bin", 3)
    path = tmp_path / "changed.bin"
    for position in range(ends[1], ends[2]):
        changed = bytearray(content)
        changed[position] ^= 0x10
        path.write_bytes(changed)
        assert len(read(path)[1]) == 1, f"byte {position}"


def test_a_damaged_tail_is_cut_before_work_goes_on(tmp_path):
    path = tmp_path / "journal.bin"
    content, ends = write(path, 3)
    path.write_bytes(content[: ends[3] - 7])
    writer = JournalWriter(path, HEADER)
    assert path.stat().st_size == ends[2]
    writer.append(record(2))
    writer.close()
    assert path.read_bytes() == content


@pytest.mark.parametrize("length", [0, 1, 20])
def test_without_an_intact_header_it_begins_anew(tmp_path, length):
    path = tmp_path / "journal.bin"
    content, ends = write(path, 1)
    path.write_bytes(content[:length])
    with pytest.raises(ValueError, match="no journal"):
        read_journal(path)
    JournalWriter(path, HEADER).close()
    assert path.read_bytes() == content[: ends[0]]


def test_the_journal_of_other_work_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "journal.bin"
    content, _ = write(path, 2)
    with pytest.raises(EngineError, match="other structures:") as caught:
        JournalWriter(path, {**HEADER, "structures": "other"})
    assert caught.value.condition is Condition.INVALID_JOB
    assert path.read_bytes() == content


def test_a_record_that_does_not_fit_leaves_the_ones_before(tmp_path, monkeypatch):
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path, HEADER)
    writer.append(record(0))
    size = path.stat().st_size

    class FullDisk:
        def __init__(self, stream):
            self.stream = stream

        def write(self, data):
            self.stream.write(data[:11])
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.stream, name)

    stream = writer._stream
    monkeypatch.setattr(writer, "_stream", FullDisk(stream))
    with pytest.raises(OSError, match="No space left"):
        writer.append(record(1))
    assert path.stat().st_size == size
    monkeypatch.setattr(writer, "_stream", stream)
    writer.append(record(1))
    assert_is(read(path)[1][1], 1)


def test_objects_are_never_pickled(tmp_path):
    writer = JournalWriter(tmp_path / "journal.bin", HEADER)
    with pytest.raises(TypeError, match="no pickle"):
        writer.append(Record("evaluations", {}, {"objects": np.array([object()], dtype=object)}))
    assert read(tmp_path / "journal.bin")[1] == []
