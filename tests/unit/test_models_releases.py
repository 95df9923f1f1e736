"""Weights that are right in some releases of their package, and weights that no package brings."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from crucible_engine.families.base import Identity
from crucible_engine.families.calculators import CalculatorModel
from crucible_engine.families.file_loader import FileLoader, by_hand
from crucible_engine.families.registry import find_family, find_named
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

M3GNET = "M3GNet-MP-2021.2.8-PES"


def load(path, monkeypatch, version):
    """Load a file that has the digest of M3GNet's weights, where matgl is of a version."""
    digest = find_named("matgl", M3GNET).sha256
    monkeypatch.setattr("crucible_engine.families.weights.digest", lambda _: digest)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: version)
    loader = FileLoader(lambda name: path, lambda file, identity, trusted: CalculatorModel(None, identity))
    return loader(ModelReference("matgl", checkpoint=str(path)), "cpu")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights"
    path.write_text("weights")
    return path


@pytest.mark.parametrize("version", ["2.0.4", "2.0.4+local", "2.9"])
def test_weights_load_in_a_release_that_they_are_right_in(file, monkeypatch, version):
    assert isinstance(load(file, monkeypatch, version).identity, Identity)


@pytest.mark.parametrize("version", ["1.3.0", "3.0.0", "4.1.2"])
def test_a_release_that_reads_them_wrongly_is_refused_by_name(file, monkeypatch, version):
    with pytest.raises(EngineError, match=rf"matgl {version} reads the weights {M3GNET} .* env create matgl") as raised:
        load(file, monkeypatch, version)
    assert raised.value.condition is Condition.WEIGHTS_MISMATCH


@pytest.mark.parametrize(("family", "name"), [("nep", "nep89"), ("deepmd", "UniPero"), ("gptff", "gptff_v2")])
def test_weights_that_no_package_brings_say_where_they_are(family, name):
    with pytest.raises(FileNotFoundError, match=r"fetch .*github"):
        by_hand(find_family(family))(name)
    loader = FileLoader(by_hand(find_family(family)), lambda *_: None)
    with pytest.raises(EngineError, match="give the file as a checkpoint") as raised:
        loader(ModelReference(family, name=name), "cpu")
    assert raised.value.condition is Condition.CHECKPOINT_MISSING and "\n" not in raised.value.message


def test_another_device_than_the_cpu_is_refused(file):
    with pytest.raises(EngineError, match="nep runs on the cpu only") as raised:
        FileLoader(lambda name: Path(), lambda *_: None)(ModelReference("nep", checkpoint=str(file)), "cuda")
    assert raised.value.condition is Condition.DEVICE_UNAVAILABLE
