"""Conformance of how weights are read: their digest; checkpoint files that are missing, broken, foreign or hostile."""

import contextlib
import hashlib
import io
import pickle
import zipfile
from pathlib import Path

from conformance_cases import checkpoint_of
from conformance_suite import check

from crucible_engine.families.facts import TORCH_FILE
from crucible_engine.families.load import import_adapter
from crucible_engine.families.registry import find_named
from crucible_engine.wire.schema import Condition, EngineError


@check
def the_digest_is_that_of_the_weights(suite):
    model = suite.model()
    assert model.sha256 and len(model.sha256) == 64
    if suite.case.weights:
        assert model.sha256 == find_named(suite.case.family, suite.case.weights).sha256
    else:
        assert model.sha256 == hashlib.sha256(checkpoint_of(suite.case, suite.folder).read_bytes()).hexdigest()
    message = suite.refuse(Condition.WEIGHTS_MISMATCH, sha256="0" * 64)
    assert model.sha256 in message and "0" * 64 in message


def _own_checkpoint(suite):
    """Return a readable checkpoint file of the case's family, whether made here or shipped with the package."""
    if suite.case.weights is None:
        return checkpoint_of(suite.case, suite.folder)
    return Path(import_adapter(suite.family).load.weights_path(suite.case.weights))


def _refuse_file(suite, condition, path, **changes):
    return suite.refuse(condition, name=None, checkpoint=str(path), **changes)


@check
def a_checkpoint_that_is_missing_is_refused(suite):
    if suite.family.weights_file is not None:
        assert "nowhere" in _refuse_file(suite, Condition.CHECKPOINT_MISSING, suite.folder / "nowhere.pth")


@check
def a_checkpoint_that_is_broken_is_refused(suite):
    if suite.family.weights_file is None:
        return
    suite.model()
    whole = _own_checkpoint(suite).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    broken = {"truncated": whole[: len(whole) // 2], "empty": b"", "a text": b"not weights", "damaged": bytes(damaged)}
    for what, content in broken.items():
        path = suite.folder / f"{suite.case.name}-broken"
        path.write_bytes(content)
        if suite.family.weights_file is TORCH_FILE:
            message = _refuse_file(suite, Condition.CHECKPOINT_UNREADABLE, path)
            assert what not in ("truncated", "damaged") or what in message, message
        else:
            _refuse_file(suite, {Condition.CHECKPOINT_UNREADABLE, Condition.CHECKPOINT_OF_ANOTHER_FAMILY}, path)
    path.unlink()


@check
def a_checkpoint_of_another_family_is_refused(suite):
    if suite.family.weights_file is not TORCH_FILE:
        return
    import torch

    path = suite.folder / f"{suite.case.name}-foreign"
    for content in ({"model": torch.zeros(2)}, {"config": {}, "epoch": 1}, {"some": {"thing": 1}}, [1, 2]):
        torch.save(content, path)
        _refuse_file(suite, Condition.CHECKPOINT_OF_ANOTHER_FAMILY, path)
    path.unlink()


@check
def a_pickle_that_runs_code_is_refused(suite):
    if suite.family.weights_file is not TORCH_FILE:
        return
    import torch

    marker, path = suite.folder / "code-ran", suite.folder / f"{suite.case.name}-pickle"
    torch.save({"model": _RunsCode(marker), "config": _RunsCode(marker)}, path)
    if suite.case.trust_pickle:
        # Whatever has no class of the package in it is none of its checkpoints; it is not even read.
        _refuse_file(suite, Condition.CHECKPOINT_OF_ANOTHER_FAMILY, path, trust_pickle=False)
        message = _refuse_file(suite, Condition.CHECKPOINT_UNTRUSTED, _own_checkpoint(suite), trust_pickle=False)
    else:
        message = _refuse_file(suite, Condition.CHECKPOINT_UNTRUSTED, path, trust_pickle=False)
    assert "trust_pickle" in message, message
    assert not marker.exists(), "the pickle's code ran"
    path.unlink()


class _RunsCode:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@check
def a_pickle_among_the_parts_is_refused(suite):
    wanted = suite.family.weights_file
    if wanted is None or not wanted.parts:
        return
    import torch

    suite.model()
    marker, path = suite.folder / "code-ran", suite.folder / f"{suite.case.name}-parts"
    evil = io.BytesIO()
    torch.save({"model": _RunsCode(marker)}, evil)
    with zipfile.ZipFile(checkpoint_of(suite.case, suite.folder)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in parts:
        if name.endswith(".json"):
            continue
        with zipfile.ZipFile(path, "w") as archive:
            for part, content in parts.items():
                archive.writestr(part, evil.getvalue() if part == name else content)
        message = _refuse_file(suite, Condition.CHECKPOINT_UNTRUSTED, path, trust_pickle=False)
        assert "trust_pickle" in message, message
        assert not marker.exists(), "the pickle's code ran"
    path.unlink()


@check
def a_decoy_hides_no_pickle(suite):
    """torch takes DATA.PKL for data.pkl; it reads the table of contents that the file's end names."""
    if suite.family.weights_file is not TORCH_FILE:
        return
    from crucible_engine.families.torch_checkpoint import read_content

    suite.model()
    marker, path = suite.folder / "code-ran", suite.folder / f"{suite.case.name}-decoy"
    whole, evil = _own_checkpoint(suite).read_bytes(), pickle.dumps(_RunsCode(marker), protocol=2)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    upper = _zip({name.replace("data.pkl", "DATA.PKL"): content for name, content in parts.items()}, evil, "DATA.PKL")
    renamed = _zip({**parts, f"{next(iter(parts)).partition('/')[0]}/decoy.pkl": b"\x80\x02N."}, evil, "data.pkl")
    lower = _zip(parts, evil, "data.pkl")
    legacy = pickle.dumps(_RunsCode(marker))
    for content in (upper, renamed, lower, lower + whole, whole + lower, legacy):
        path.write_bytes(content)
        refused = {
            Condition.CHECKPOINT_UNTRUSTED,
            Condition.CHECKPOINT_UNREADABLE,
            Condition.CHECKPOINT_OF_ANOTHER_FAMILY,
        }
        _refuse_file(suite, refused, path, trust_pickle=False)
        # The looks at the file beforehand are for messages: without them it runs as little.
        with contextlib.suppress(EngineError):
            read_content(path, suite.case.family, trusted=False)
        assert not marker.exists(), "the pickle's code ran"
    path.unlink()


def _zip(parts, pickled, name):
    """Return an archive of the parts, with another pickle in the place of one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, pickled if part.endswith(f"/{name}") else content)
    return buffer.getvalue()


@check
def a_compiled_archive_is_refused(suite):
    if suite.family.weights_file is not TORCH_FILE:
        return
    import torch

    path = suite.folder / f"{suite.case.name}-compiled"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    refused = {Condition.CHECKPOINT_UNREADABLE, Condition.CHECKPOINT_OF_ANOTHER_FAMILY}
    _refuse_file(suite, refused, path, trust_pickle=False)
    path.unlink()


@check
def two_pickles_under_one_name_are_refused(suite):
    if suite.family.weights_file is not TORCH_FILE:
        return
    suite.model()
    path = suite.folder / f"{suite.case.name}-double"
    path.write_bytes(_own_checkpoint(suite).read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        archive.writestr(name, b"\x80\x02N.")
    _refuse_file(suite, Condition.CHECKPOINT_UNREADABLE, path)
    path.unlink()
