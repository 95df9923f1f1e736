"""Devices: what may be asked for, and what the engine says where it is not there."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import pytest

from crucible_engine.wire.devices import require_device
from crucible_engine.wire.schema import Condition, EngineError


@pytest.fixture
def torch_support(monkeypatch):
    """Return the module with a torch in its place that has Apple's device and two of NVIDIA's."""
    torch = SimpleNamespace(
        __version__="2.13.0",
        float32=None,
        float64=None,
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True)),
        cuda=SimpleNamespace(is_available=lambda: True, device_count=lambda: 2),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.delitem(sys.modules, "crucible_engine.families.torch_support", raising=False)
    yield importlib.import_module("crucible_engine.families.torch_support")
    sys.modules.pop("crucible_engine.families.torch_support")


def test_every_device_that_torch_offers_may_be_asked_for(torch_support):
    for device in (*torch_support.available_devices(), "auto"):
        require_device(device)
        torch_support.resolve_device(device, "float32")


@pytest.mark.parametrize("device", ["xpu", "xpu:0", "gpu", "cuda:", "cuda:x", "mps:0", "", "CPU"])
def test_no_other_may(device):
    with pytest.raises(ValueError, match="is unknown: give auto, cpu, cuda, cuda:N or mps"):
        require_device(device)


def test_a_device_without_double_precision_is_refused_for_it_alone(torch_support):
    assert torch_support.resolve_device("mps", "float32") == "mps"
    with pytest.raises(EngineError) as caught:
        torch_support.resolve_device("mps", "float64")
    assert caught.value.condition is Condition.DEVICE_UNAVAILABLE
    assert caught.value.message == (
        "device 'mps' has no double precision, in which this job computes (float64): give cpu or cuda, or a model with "
        "dtype float32"
    )


def test_a_device_that_is_not_there_is_named_with_those_that_are(torch_support):
    with pytest.raises(EngineError, match="offer cpu, mps, cuda:0, cuda:1, cuda"):
        torch_support.resolve_device("cuda:2", "float32")
