"""AiiDA's cache hands back what the same engine computed from the same inputs, and nothing else."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_crucible.calculations.base import EngineCalculation
from aiida_crucible.calculations.evaluate import EvaluateCalculation
from aiida_crucible.data.model import ModelData
from aiida_crucible.parsers.base import EngineParser
from crucible_engine.schema import PROTOCOL


@pytest.fixture
def inputs(stand_in, checkpoint_model, copper):
    """Return inputs with a checkpoint file: where it was brought to is no part of what is hashed."""
    return {"code": stand_in, "model": checkpoint_model, "structures": {"copper": copper}}


def source_of(node):
    return node.base.caching.get_cache_source()


@pytest.mark.slow
def test_cache_follows_the_engines_protocol(inputs, monkeypatch):
    assert EngineCalculation.CACHE_VERSION == EngineParser.CACHE_VERSION == PROTOCOL
    _, first = run_get_node(EvaluateCalculation, **inputs)
    with enable_caching():
        _, again = run_get_node(EvaluateCalculation, **inputs)
        assert source_of(again) == first.uuid
        assert again.outputs.properties.get_array("energies") == first.outputs.properties.get_array("energies")
        _, spelt_out = run_get_node(EvaluateCalculation, **inputs, parameters={"stress": True})
        assert source_of(spelt_out) == first.uuid
        monkeypatch.setattr(EngineCalculation, "CACHE_VERSION", PROTOCOL + 1)
        _, newer = run_get_node(EvaluateCalculation, **inputs)
        assert source_of(newer) is None


@pytest.mark.slow
def test_failures_below_400_are_computed_again(code, copper):
    inputs = {"code": code, "model": ModelData.get_or_create("chgnet"), "structures": {"copper": copper}}
    _, failed = run_get_node(EvaluateCalculation, **inputs)
    assert failed.exit_status == EvaluateCalculation.exit_codes.ERROR_PACKAGE_MISSING.status
    assert "chgnet" in failed.exit_message
    with enable_caching():
        _, again = run_get_node(EvaluateCalculation, **inputs)
    assert source_of(again) is None
