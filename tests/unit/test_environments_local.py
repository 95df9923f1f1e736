"""``ensure`` without AiiDA, with a fake uv."""

from __future__ import annotations

import pytest
from fake_uv import CUDA_PLAN, FakeUv

from aiida_crucible.environments import CudaRefusedError, ModelEnvironmentError, ensure, local


@pytest.fixture
def uv(tmp_path, monkeypatch):
    fake = FakeUv(tmp_path)
    monkeypatch.setattr(local, "find_uv", lambda: str(fake.path))
    monkeypatch.setattr(local, "has_gpu", lambda: False)
    monkeypatch.setenv(local.ROOT_VARIABLE, str(fake.root))
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    return fake


def test_ensure_twice_makes_one(uv):
    lines = []
    python = ensure("chgnet", report=lines.append)
    assert python.exists()
    assert python.parent.parent.parent == uv.root
    assert any(line.startswith("creating ") for line in lines)
    calls = uv.calls
    assert ensure("chgnet", report=lines.append) == python
    assert uv.calls == calls


def test_root_follows_the_users_data_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(local.ROOT_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert local.default_root() == tmp_path / "aiida-crucible" / "environments"


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("error: failed to write: No space left on device (os error 28)", "the disk is full"),
        ("error: Failed to fetch\n  cause: dns error", "package index cannot be reached"),
        ("error: something new", "uv cannot install the packages of chgnet: something new"),
    ],
)
def test_failure_is_one_clear_line(uv, failure, message):
    uv.set("failure", f"{failure}\n")
    with pytest.raises(ModelEnvironmentError, match=message) as caught:
        ensure("chgnet", report=lambda _: None)
    assert len(str(caught.value).splitlines()) == 1


def test_refusal_of_cuda_can_be_told_from_other_failures(uv):
    if local.Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has an NVIDIA driver, so that CUDA is welcome")
    uv.set("unreachable")
    uv.set("plan", CUDA_PLAN)
    with pytest.raises(CudaRefusedError, match="this machine has no GPU"):
        ensure("chgnet", report=lambda _: None)
    assert ensure("chgnet", accept_cuda=True, report=lambda _: None).exists()


def test_path_that_is_no_python_is_refused(uv, tmp_path):
    with pytest.raises(ModelEnvironmentError, match="is no Python that runs"):
        ensure("chgnet", python=str(tmp_path / "python"))


def test_environments_here_are_listed_and_removed(uv):
    folder = ensure("emt", report=lambda _: None).parent.parent
    ((listed, content),) = local.environments_here()
    assert (listed, content["family"]) == (folder, "emt")
    local.remove(folder)
    assert not list(local.environments_here())
    assert not folder.exists()
