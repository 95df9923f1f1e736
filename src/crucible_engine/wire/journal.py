"""The journal of a job: every finished piece of work, appended at once, so that a killed job keeps what it had.

A file is a sequence of records, the first of which (the header) says whose work it is. A record is::

    b"CRJ1"   length of the payload (uint64)   CRC-32 of the payload (uint32)   payload

all little-endian; the payload is the length of a JSON text (uint32), the text, and the bytes of the arrays that the
text lists one after the other. No pickle is involved.

What is guaranteed: when :meth:`JournalWriter.append` returns, the record has been handed to the operating system, and
no death of the process, SIGKILL included, can take it back. A record that was being written meanwhile is recognised
as damaged and ignored. A machine that loses power loses at most the records of the last :data:`SYNC_INTERVAL`
seconds before the last append, because the disk itself is asked to keep them (fsync) no more often than that.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.wire.schema import Condition, EngineError
from crucible_engine.wire.value_types import parse_json, require_fields

SYNC_INTERVAL = 1.0
"""Seconds between two requests that the disk keeps what was appended."""

_FRAME = struct.Struct("<4sQI")
_TEXT_LENGTH = struct.Struct("<I")
_MARK = b"CRJ1"
_HEADER = "header"
_NUMBERS_AND_TEXT = re.compile(r"[<>|][biufcU]\d{1,9}")
"""Types of arrays as ``numpy.dtype.str`` writes them."""


@dataclass(frozen=True)
class Record:
    """One finished piece of work.

    :param kind: what it is, in the task's words.
    :param fields: JSON-serializable scalars.
    :param arrays: arrays by name; of numbers, booleans or text, never of objects.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class JournalWriter:
    """Appends records to a journal; continues one that the same work has begun.

    :param header: whose work it is; only a journal with an equal header is continued.
    :raises EngineError: ``INVALID_JOB``, if the file holds the journal of other work.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        found, end = _inspect(path)
        if found is not None and found != header:
            raise EngineError(
                Condition.INVALID_JOB,
                f"{path.name} was begun by another job, with other {', '.join(differing(found, header))}: "
                "restart from the job that wrote it, or remove it",
            )
        self._stream = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._stream.truncate(end)
        self._stream.seek(end)
        self._synced = time.monotonic()
        if found is None:
            self.append(Record(_HEADER, header))
            self.sync()

    def append(self, record: Record) -> None:
        """Append a record and hand it to the operating system.

        :raises OSError: if it cannot be written; the journal then ends with the record before.
        :raises TypeError: if an array holds Python objects.
        """
        payload = _encode(record)
        start = self._stream.tell()
        remaining = memoryview(_FRAME.pack(_MARK, len(payload), zlib.crc32(payload)) + payload)
        try:
            while remaining:
                remaining = remaining[self._stream.write(remaining) :]
        except OSError:
            self._stream.truncate(start)
            self._stream.seek(start)
            raise
        if time.monotonic() - self._synced > SYNC_INTERVAL:
            self.sync()

    def sync(self) -> None:
        """Ask the disk to keep everything that was appended."""
        os.fsync(self._stream.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close the file."""
        try:
            self.sync()
        finally:
            self._stream.close()


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names of the entries that two dicts do not have alike, sorted."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def require_records(path: Path, check: Callable[[Record], None]) -> None:
    """Check that every record of a journal is what the job would have written.

    :raises EngineError: ``INVALID_JOB``, for the first that is not.
    """
    for number, record in enumerate(read_journal(path)[1], start=1):
        try:
            check(record)
        except ValueError as error:
            raise EngineError(
                Condition.INVALID_JOB,
                f"record {number} of {path.name} is none of this job's, {error}: remove the file and start anew",
            ) from error


def read_journal(path: Path) -> tuple[dict[str, Any], Iterator[Record]]:
    """Return the header of a journal and its records, which are read one after the other.

    The records end before the first damaged one: what follows it was never promised.

    :raises ValueError: if the file has no intact header, and so is no journal.
    """
    records = (record for record, _ in _read(path))
    header = next(records, None)
    if header is None:
        raise ValueError(f"{path.name} is no journal of crucible_engine, or its first record is damaged")
    return header.fields, records


def locate_records(path: Path) -> Iterator[tuple[int, Record]]:
    """Yield every intact record after the header with its position in the file, for :func:`read_record`."""
    position = 0
    for record, end in _read(path):
        if position:
            yield position, record
        position = end


def read_record(path: Path, position: int) -> Record:
    """Return the record at a position that :func:`locate_records` gave.

    :raises ValueError: if it is damaged meanwhile.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(position)
        payload = _read_payload(stream, size)
    record = None if payload is None else _decode(payload)
    if record is None:
        raise ValueError(f"{path.name} has no intact record at byte {position}")
    return record


def _inspect(path: Path) -> tuple[dict[str, Any] | None, int]:
    """Return the header of a journal (``None`` if it has none) and where its intact part ends, in bytes."""
    header, end = None, 0
    if path.exists():
        for record, position in _read(path):
            header, end = (record.fields if header is None else header), position
    return header, end


def _read(path: Path) -> Iterator[tuple[Record, int]]:
    """Yield every intact record with the position of its end; nothing of a file that does not begin with a header."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        while (payload := _read_payload(stream, size)) is not None:
            is_first = stream.tell() == _FRAME.size + len(payload)
            record = _decode(payload)
            if record is None or is_first != (record.kind == _HEADER):
                return
            yield record, stream.tell()


def _read_payload(stream: IO[bytes], size: int) -> bytes | None:
    frame = stream.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    mark, length, checksum = _FRAME.unpack(frame)
    if mark != _MARK or length > size - stream.tell():
        return None
    payload = stream.read(length)
    return payload if zlib.crc32(payload) == checksum else None


def _encode(record: Record) -> bytes:
    arrays = {name: np.ascontiguousarray(array) for name, array in record.arrays.items()}
    if any(array.dtype.hasobject for array in arrays.values()):
        raise TypeError("Python objects do not go into a journal: it holds no pickle")
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    text = json.dumps({"kind": record.kind, "fields": record.fields, "arrays": layout}).encode()
    return b"".join([_TEXT_LENGTH.pack(len(text)), text, *(array.tobytes() for array in arrays.values())])


@dataclass(frozen=True)
class _Text:
    """The JSON text of a record; of each array the name, the type and the shape."""

    kind: str
    fields: dict[str, Any]
    arrays: list[tuple[str, str, list[int]]]


def _decode(payload: bytes) -> Record | None:
    """Return the record; ``None`` for a payload that holds none, although its checksum is right."""
    if len(payload) < _TEXT_LENGTH.size:
        return None
    (length,) = _TEXT_LENGTH.unpack_from(payload)
    position = _TEXT_LENGTH.size + length
    try:
        content = parse_json(payload[_TEXT_LENGTH.size : position].decode())
        require_fields(_Text, content, "record")
    except ValueError:
        return None
    arrays = {}
    for name, dtype, shape in content["arrays"]:
        count = math.prod(shape)
        if not _NUMBERS_AND_TEXT.fullmatch(dtype) or min(shape, default=0) < 0:
            return None
        try:
            arrays[name] = np.frombuffer(payload, dtype=dtype, count=count, offset=position).reshape(shape)
        except (ValueError, TypeError, OverflowError):  # there is no such type, or the payload is too short for it
            return None
        position += arrays[name].nbytes
    return Record(content["kind"], content["fields"], arrays)
