"""What an environment is made of: the locks, the digest, the choice of torch."""

from __future__ import annotations

import re

import pytest

from aiida_crucible.environments import ModelEnvironmentError, Specification, TorchBuild
from aiida_crucible.environments import specification as module
from aiida_crucible.environments.specification import (
    environments_with_a_lock,
    fitting_python,
    locked_version,
    normalise_python,
    read_lock,
    read_torch_lock,
)
from crucible_engine.tasks.registry import find_environment

FAMILIES = environments_with_a_lock()
CPU = TorchBuild("cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_lock_pins_everything_but_the_build_of_torch(family):
    lines = [line for line in read_lock(family).splitlines() if not line.startswith(("#", "    --hash="))]
    assert all(re.match(r"[a-z0-9.-]+==\S+( ; .+)?( \\)?$", line) for line in lines), "no index and no loose pin"
    names = {line.split("==")[0] for line in lines}
    owner = find_environment(family)
    needed = {owner.package, "spglib"} - ({owner.package} if owner.source else set())
    assert needed | {"ase"} <= names
    cuda = {name for name in names if re.match(r"nvidia-(?!ml-py)|cuda-|triton", name)}
    assert not cuda
    assert "+" not in (locked_version(family, "torch") or "")


@pytest.mark.parametrize("family", [*FAMILIES, "torch"])
def test_every_package_has_hashes(family):
    """That of torch is in a lock of its own: its build follows from the machine."""
    text = read_torch_lock() if family == "torch" else read_lock(family).replace("torch==2.13.0\n", "")
    packages = re.sub(r"#.*\n", "", text).replace("\\\n", "").splitlines()
    assert len(packages) > 4
    assert all(
        re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ; [^#]+?)? ( *--hash=sha256:[0-9a-f]{64})+ *", line) for line in packages
    )


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"analysis", "deepmd", "emt", "nep"}))
def test_torch_is_the_same_release_for_all_and_no_build(family):
    assert locked_version(family, "torch") == "2.13.0"


def test_a_python_that_a_family_has_no_packages_for_is_refused_or_another_one_taken():
    with pytest.raises(
        ModelEnvironmentError, match=r"family matgl has no packages for Python 3\.13: choose 3\.10 or 3\.11"
    ):
        Specification("matgl", "3.13", CPU)
    assert [fitting_python("matgl", found) for found in ("3.10", "3.11", "3.12", "3.9")] == [
        "3.10",
        "3.11",
        "3.11",
        "3.11",
    ]
    assert [fitting_python("chgnet", found) for found in ("3.13", "3.9")] == ["3.13", "3.12"]


def test_digest_follows_all_that_changes_the_content(monkeypatch):
    base = Specification("chgnet", "3.11", CPU)
    others = [
        Specification("chgnet", "3.12", CPU),
        Specification("chgnet", "3.11", TorchBuild("cuda")),
        Specification("chgnet", "3.11", TorchBuild("cpu", "2.6.0")),
        Specification("mace", "3.11", CPU),
    ]
    digests = {item.digest for item in [base, *others]}
    assert len(digests) == 5
    assert base.folder == f"chgnet-{base.digest}"
    monkeypatch.setattr(module, "read_lock", lambda family: read_lock(family).replace("==", "===", 1))
    assert base.digest not in digests


def test_digest_ignores_torch_where_there_is_none():
    assert Specification("emt", "3.11", CPU).digest == Specification("emt", "3.11", TorchBuild("cuda")).digest


def test_a_toolset_has_torch_for_a_gpu_alone():
    requirements = {
        build: Specification("analysis", "3.11", build).torch_requirement
        for build in (CPU, TorchBuild("cuda"), TorchBuild("cpu", "2.6.0"))
    }
    release = locked_version("chgnet", "torch")
    assert list(requirements.values()) == [None, f"torch=={release}", "torch==2.6.0"]
    assert len({Specification("analysis", "3.11", build).digest for build in requirements}) == 3


@pytest.mark.parametrize(
    ("choice", "has_gpu", "expected"),
    [
        (None, False, TorchBuild("cpu")),
        (None, True, TorchBuild("cuda")),
        ("cpu", True, TorchBuild("cpu")),
        ("cuda", False, TorchBuild("cuda")),
        ("cu128", False, TorchBuild("cu128")),
        ("2.6.0", False, TorchBuild("cpu", "2.6.0")),
        ("2.6.0", True, TorchBuild("cuda", "2.6.0")),
    ],
)
def test_choice_of_torch(choice, has_gpu, expected):
    assert TorchBuild.parse(choice, has_gpu) == expected


@pytest.mark.parametrize("choice", ["gpu", "cu", "2", "latest", "2.6.0; rm -rf /"])
def test_unknown_torch_is_refused(choice):
    with pytest.raises(ModelEnvironmentError, match="give cpu, cuda"):
        TorchBuild.parse(choice, has_gpu=False)


def test_python_outside_the_locks_is_refused():
    with pytest.raises(ModelEnvironmentError, match=r"Python 3.9 is outside the locks: choose one of 3.10, .* 3.13"):
        Specification("chgnet", "3.9", CPU)


@pytest.mark.parametrize(("version", "minor"), [("3.11", "3.11"), ("3.11.7", "3.11"), ("3.13.0rc1", "3.13")])
def test_minor_version(version, minor):
    assert normalise_python(version) == minor


def test_what_is_no_version_is_refused():
    with pytest.raises(ModelEnvironmentError, match="no Python version"):
        normalise_python("three")


def test_misspelt_family_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match="did you mean 'chgnet'"):
        Specification("chgnett", "3.11", CPU)


def test_family_without_a_package_of_its_own():
    with pytest.raises(ModelEnvironmentError, match="no environment of its own"):
        Specification("ase", "3.11", CPU)
