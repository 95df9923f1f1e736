"""Files of weights without torch: whole, safe, and of which family."""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest

from crucible_engine.families import weights
from crucible_engine.wire.schema import Condition, EngineError


class RunsCode:
    def __reduce__(self):
        return Path.touch, (Path("code-ran"),)


def archive(path, content, protocol=2):
    """Write what looks like a torch checkpoint: a zip around a pickle."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(content, protocol=protocol))
        file.writestr("archive/data/0", b"\0" * 4096)
    return path


@pytest.fixture
def checkpoint(tmp_path):
    return archive(tmp_path / "good.pth", OrderedDict(energy=1.0))


def refusal(function, *arguments):
    with pytest.raises(EngineError) as caught:
        function(*arguments)
    assert "\n" not in caught.value.message
    return caught.value


def test_a_whole_checkpoint_passes(checkpoint):
    weights.require_whole(checkpoint)


def test_a_missing_file_is_named(tmp_path):
    error = refusal(weights.require_whole, tmp_path / "nowhere.pth")
    assert error.condition is Condition.CHECKPOINT_MISSING and "nowhere.pth" in error.message


@pytest.mark.parametrize("kept", [0, 3, 100, 1000, 4000])
def test_a_truncated_file_is_refused_wherever_it_ends(checkpoint, kept):
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    assert refusal(weights.require_whole, checkpoint).condition is Condition.CHECKPOINT_UNREADABLE


def test_every_flipped_byte_of_the_data_is_seen(checkpoint):
    content = checkpoint.read_bytes()
    start = content.index(b"\0" * 4096)
    for position in range(start, start + 4096, 512):
        damaged = bytearray(content)
        damaged[position] ^= 1
        checkpoint.write_bytes(bytes(damaged))
        assert "damaged" in refusal(weights.require_whole, checkpoint).message


def test_an_archive_of_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("notes.txt", "hello")
    assert "without torch's data" in refusal(weights.require_whole, path).message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused(checkpoint):
    with zipfile.ZipFile(checkpoint, "a") as file:
        file.writestr("archive/data.pkl", pickle.dumps(RunsCode()))
    assert "two parts of one name" in refusal(weights.require_whole, checkpoint).message


def test_a_name_in_another_case_is_the_same_name_for_torch(checkpoint):
    with zipfile.ZipFile(checkpoint, "a") as file:
        file.writestr("archive/DATA.PKL", pickle.dumps(RunsCode()))
    assert "two parts of one name" in refusal(weights.require_whole, checkpoint).message


def test_two_tables_of_contents_are_refused(tmp_path):
    """zipfile believes the table that lies before the end, torch the one whose place the end names."""
    first = archive(tmp_path / "first.pth", RunsCode()).read_bytes()
    second = archive(tmp_path / "second.pth", OrderedDict(energy=1.0)).read_bytes()
    path = tmp_path / "both.pth"
    path.write_bytes(first + second)
    assert "two tables of contents" in refusal(weights.require_whole, path).message
    with zipfile.ZipFile(path) as file:
        assert pickle.loads(file.read("archive/data.pkl")) == OrderedDict(energy=1.0)


def test_what_follows_the_end_is_refused(checkpoint):
    with zipfile.ZipFile(checkpoint, "a") as file:
        file.comment = b"more"
    assert "two tables of contents" in refusal(weights.require_whole, checkpoint).message


def test_a_bomb_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"0" * 10_000_000)
    assert path.stat().st_size < 20_000
    assert "compressed" in refusal(weights.require_whole, path).message


@pytest.mark.parametrize(("folder", "problem"), [("code/", None), ("", "compressed"), ("data/", "compressed")])
def test_code_alone_may_be_compressed_and_only_so_much_of_it(tmp_path, monkeypatch, folder, problem):
    path = archive(tmp_path / "compiled.pt", {})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/code/model.py", b"pass\n" * 10_000, zipfile.ZIP_DEFLATED)
    if problem:
        assert problem in refusal(weights.require_whole, path, folder).message
        return
    weights.require_whole(path, folder)
    monkeypatch.setattr(weights, "LARGEST_PICKLE", 1000)
    assert "its code has more than 1000 bytes" in refusal(weights.require_whole, path, folder).message


def test_what_is_left_of_an_archive_that_holds_one_was_truncated(tmp_path):
    inner = archive(tmp_path / "inner.npz", {}).read_bytes().replace(b"data.pkl", b"data.npy")
    path = tmp_path / "outer.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data/0", inner)
        file.writestr("archive/data.pkl", pickle.dumps({}))
    content = path.read_bytes()
    path.write_bytes(content[: content.index(inner) + len(inner) + 10])
    assert "it was truncated" in refusal(weights.require_whole, path).message


def test_a_part_whose_name_is_damaged_is_told(tmp_path, checkpoint):
    content = checkpoint.read_bytes()
    place = content.rindex(b"archive/data/0")
    # The flag says that the name is UTF-8.
    changed = bytearray(content)
    changed[place] = 0xFF
    changed[place - 37] |= 0x08
    checkpoint.write_bytes(changed)
    assert "damaged" in refusal(weights.require_whole, checkpoint).message


def test_a_pickle_without_end_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "LARGEST_PICKLE", 1000)
    path = tmp_path / "long.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"N0" * 501 + b"N.")
    assert "its pickle has more than 1000 bytes" in refusal(weights.require_whole, path).message


def test_the_look_at_a_pickle_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "LONGEST_SCAN", 10)
    path = tmp_path / "long.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"N0" * 10 + b"cos\nsystem\n.")
    assert weights.pickled_globals(path) == set()
    assert "what only unpickling makes" in weights.untrusted(path, "chgnet").message


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_would_run_code_is_never_run_for_its_message(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "evil.pth", {"model": RunsCode()}, protocol)
    error = weights.untrusted(path, "chgnet")
    assert error.condition is Condition.CHECKPOINT_UNTRUSTED and "set trust_pickle" in error.message
    assert not Path("code-ran").exists()


def test_names_hidden_from_the_reader_are_not_trusted(tmp_path):
    # From protocol 4 on a name may come out of the pickle's memo, where reading cannot follow it.
    path = archive(tmp_path / "hidden.pth", OrderedDict(a=1), protocol=4)
    assert "a name hidden in the pickle" in weights.untrusted(path, "chgnet").message


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("collections.OrderedDict", True),
        ("torch.FloatStorage", True),
        ("torch._utils._rebuild_tensor_v2", True),
        ("numpy.dtypes.Float64DType", True),
        ("torch.load", False),
        ("torch.hub.load", False),
        ("builtins.eval", False),
        ("os.system", False),
        ("torch.storage._load_from_bytes", False),
        ("numpy.load", False),
    ],
)
def test_what_may_be_unpickled(name, safe):
    assert weights.is_safe(name) is safe


def test_a_foreign_checkpoint_is_told_by_its_classes(tmp_path):
    path = tmp_path / "mace.model"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02cmace.modules.models\nScaleShiftMACE\n.")
    error = weights.another_family(path, "chgnet")
    assert error.condition is Condition.CHECKPOINT_OF_ANOTHER_FAMILY and "looks like one of mace" in error.message


def test_a_digest_that_differs_is_shown_beside_the_wanted_one(checkpoint):
    found = weights.digest(checkpoint)
    weights.require_digest(found, found, "chgnet 0.3.0")
    weights.require_digest(found, None, "chgnet 0.3.0")
    error = refusal(weights.require_digest, found, "0" * 64, "chgnet 0.3.0")
    assert error.condition is Condition.WEIGHTS_MISMATCH and found in error.message and "0" * 64 in error.message


def test_a_download_that_fails_says_what_to_do():
    def resolve():
        raise RuntimeError("failed") from OSError("no route to host")

    error = refusal(weights.downloaded, "medium-mpa-0", resolve)
    assert error.condition is Condition.CHECKPOINT_MISSING
    assert "no route to host" in error.message and "give the file as a checkpoint" in error.message


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (RuntimeError("Error(s) in loading state_dict:\n  Missing key(s): bond.weight"), "Missing key(s): bond.weight"),
        (EOFError(), "EOFError"),
        (ValueError("long " * 1000), "long …"),
    ],
)
def test_what_the_package_says_is_told_in_one_line(checkpoint, problem, said):
    def read():
        raise problem

    error = refusal(weights.read_checkpoint, checkpoint, "chgnet", read)
    assert error.condition is Condition.CHECKPOINT_UNREADABLE
    assert said in error.message
    assert len(error.message) < 400 + len(str(checkpoint))
