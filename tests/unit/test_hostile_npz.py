"""Arrays from elsewhere: no pickle, no bomb, nothing larger than what was asked for."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from ase.build import bulk
from numpy.lib import format as npy

from aiida_crucible.calculations.dynamics import parser as dynamics_files
from aiida_crucible.calculations.exit_codes import ARRAYS_UNREADABLE
from aiida_crucible.calculations.output_files import OutputError, read_arrays
from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.job.preflight import survey_structures
from crucible_engine.tasks.dynamics.output import read_result
from crucible_engine.wire.arrays import read_arrays as read_own_arrays
from crucible_engine.wire.schema import STATE_FILE, Condition, EngineError
from crucible_engine.wire.structures import write_structures


class RunsCode:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def header(shape, descr="<f8"):
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def hostile(path, kind):
    """Write one of the kinds of hostile files, and return the folder that appears if its code runs."""
    marker = path.parent / "ran"
    if kind == "pickle":
        np.savez(path, energies=np.array([RunsCode(marker)], dtype=object))
    elif kind == "bomb":
        np.savez_compressed(path, energies=np.zeros(50_000_000, dtype=np.uint8))
        assert path.stat().st_size < 100_000
    else:
        with zipfile.ZipFile(path, "w") as archive:
            shapes = {"huge": (2**40,), "overflow": (2**62, 4), "negative": (-1,), "short": (2,)}
            archive.writestr("energies.npy", header(shapes[kind]) + b"\0" * 8)
    return marker


KINDS = {
    "pickle": "is of type object",
    "bomb": "compressed, which nothing here writes",
    "huge": "another size than it announces",
    "overflow": "another size than it announces",
    "negative": "another size than it announces",
    "short": "another size than it announces",
}


@pytest.fixture(params=KINDS)
def case(request, tmp_path):
    path = tmp_path / "arrays.npz"
    marker = hostile(path, request.param)
    tracemalloc.start()
    yield path, KINDS[request.param]
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < 10_000_000, "it was read"
    assert not marker.exists(), "its code ran"


def test_the_engine_reads_no_hostile_arrays(case):
    path, said = case
    with pytest.raises(ValueError, match=said):
        read_own_arrays(path)


def test_the_parser_reads_no_hostile_arrays(case):
    path, said = case
    with pytest.raises(OutputError, match=said) as caught:
        read_arrays(path, 2**40)
    assert caught.value.failure is ARRAYS_UNREADABLE and "\n" not in caught.value.detail


def test_no_hostile_checkpoint_is_continued(case):
    path, said = case
    path.rename(path.with_name(STATE_FILE))
    with pytest.raises(EngineError, match=said) as caught:
        Checkpoints(path.parent, {}).read()
    assert caught.value.condition is Condition.INVALID_JOB
    assert dynamics_files.read_checkpoint(path.parent, 2**40) == (None, {})


def test_no_hostile_result_of_a_replica_is_read(case):
    path, said = case
    path.rename(path.with_name("result-0.npz"))
    with pytest.raises(ValueError, match=said):
        read_result(path.parent, 0)
    assert dynamics_files.read_streams(path.parent, ["replica_0"], 2**40) == {}


def test_the_engine_reads_no_hostile_structures(case):
    path, said = case
    sound = path.with_name("structures.npz")
    write_structures(sound, [bulk("Cu")], ["copper"])
    with zipfile.ZipFile(path) as evil, zipfile.ZipFile(sound) as good, zipfile.ZipFile(f"{path}.mixed", "w") as mixed:
        for name in good.namelist():
            if name != "positions.npy":
                mixed.writestr(name, good.read(name))
        kept = evil.infolist()[0]
        if kept.compress_type == zipfile.ZIP_STORED:
            mixed.writestr("positions.npy", evil.read(kept))
    if kept.compress_type != zipfile.ZIP_STORED:
        path.rename(f"{path}.mixed")
    with pytest.raises(EngineError, match=said) as caught:
        survey_structures(path.with_name(f"{path.name}.mixed"))
    assert caught.value.condition is Condition.INVALID_JOB


def test_more_than_was_promised_is_not_read(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, energies=np.zeros(1_000_000))
    with pytest.raises(OutputError, match="what was asked for has no more than"):
        read_arrays(path, 1000)
    assert read_arrays(path, 8_000_000)["energies"].shape == (1_000_000,)


def test_series_of_objects_or_of_too_much_are_left_out(tmp_path):
    np.save(tmp_path / "series-0.npy", np.array([RunsCode(tmp_path / "ran")], dtype=object), allow_pickle=True)
    np.save(tmp_path / "series-1.npy", np.zeros(1_000_000))
    (tmp_path / "series-2.npy").write_bytes(npy.magic(1, 0) + header((2**40,))[8:] + b"\0" * 8)
    assert dynamics_files.read_streams(tmp_path, [], 1000) == {}
    assert not (tmp_path / "ran").exists()
