"""AiiDA's cache hands back what the same engine computed from the same inputs, and nothing else."""

from __future__ import annotations

import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import CalcJobNode, FolderData, RemoteData
from aiida.plugins import CalculationFactory

from aiida_crucible.calculations.base import EngineCalculation
from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.calculations.parser import EngineParser
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from crucible_engine.wire.schema import PROTOCOL


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


TASKS = ("evaluate", "relax", "dynamics", "similarity", "verify")


@pytest.fixture
def job(localhost):
    """Return a function that stores a job of a task that ended with a status, and may continue another."""

    def make(task, status, continued=None, model=None):
        node = CalcJobNode(computer=localhost, process_type=f"aiida.calculations:crucible.{task}")
        if model is not None:
            node.base.links.add_incoming(model, link_type=LinkType.INPUT_CALC, link_label="model")
        if continued is not None:
            left = continued.outputs[CalculationFactory(f"crucible.{task}").CONTINUED_OUTPUT]
            node.base.links.add_incoming(left, link_type=LinkType.INPUT_CALC, link_label="restart_from")
        node.store()
        for label, left in (("retrieved", FolderData()), ("remote_folder", RemoteData("/here", computer=localhost))):
            left.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label=label)
            left.store()
        node.set_process_state("finished")
        node.set_exit_status(status)
        node.seal()
        return node

    return make


def test_code_of_the_users_own_may_have_changed(job):
    settings = {"factory": "ase.calculators.emt:EMT"}
    named = ModelData.get_or_create("ase", settings=settings, trust_code=True)
    assert job("evaluate", 0, model=ModelData.get_or_create("emt")).base.caching.is_valid_cache
    assert not job("evaluate", 0, model=named).base.caching.is_valid_cache


ENDINGS = {
    (0,): True,
    (500,): True,
    (302,): False,
    (400,): False,
    (401,): False,
    (402,): False,
    (403,): False,
    (400, 0): True,
    (402, 400, 0): True,
    (400, 500): True,
    (400, 400): False,
    (400, 302): False,
}
"""Exit statuses of a job and of those that continued it, and whether the first may stand for another."""
TOLD_APART = ("evaluate", "dynamics")
"""Tasks that are continued by their journal, and by their folder; the others are like the first."""


@pytest.mark.parametrize(
    ("task", "statuses"),
    [
        pytest.param(task, statuses, marks=() if task in TOLD_APART or len(statuses) == 3 else pytest.mark.long)
        for task in TASKS
        for statuses in ENDINGS
    ],
)
def test_what_was_cut_short_is_found_only_where_it_was_continued_to_the_end(task, statuses, job):
    first = last = job(task, statuses[0])
    for status in statuses[1:]:
        last = job(task, status, last)
    assert first.base.caching.is_valid_cache is ENDINGS[statuses]


@pytest.mark.slow
def test_no_iteration_is_answered_by_the_job_that_failed(code, model, copper, monkeypatch):
    """A job that leaves nothing to continue is run again with the very inputs of the one that failed."""
    killed = iter([True, True, False])
    parse = EngineParser.parse

    def fail(parser, **kwargs):
        code = parse(parser, **kwargs)
        return parser.exit_codes.ERROR_INTERRUPTED.format(detail="killed") if next(killed) else code

    monkeypatch.setattr(EngineParser, "parse", fail)
    monkeypatch.setattr(EvaluateBaseWorkChain, "continue_from", lambda chain, node: None)
    with enable_caching():
        inputs = {"code": code, "model": model, "structures": {"copper": copper}}
        _, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
        assert node.is_finished_ok, node.exit_message
        assert [source_of(called) for called in node.called] == [None, None, None]
        _, again = run_get_node(EvaluateCalculation, **inputs)
    assert source_of(again) == node.called[-1].uuid
