"""Rows of a benchmark as nodes: collected, aggregated with provenance, told on the command line."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, WorkChainNode
from click.testing import CliRunner
from plumpy import ProcessState
from synthetic_rows import GIVEN, OWN_CONSTANTS, compared, row, scored

from aiida_crucible.cli import main
from aiida_crucible.nodes.benchmark import jobs_that_run, rows_of
from aiida_crucible.workflows.benchmark.calcfunctions import aggregate_benchmark

NUMBERS = itertools.count()


def four():
    return [
        row("A", group="F", harmonic=compared(1.0, 2.0), scores=scored(0.2, {GIVEN: 0.3, OWN_CONSTANTS: 0.2})),
        row("B", group="Cl", harmonic=compared(4.0, 1.0), scores=scored(0.8, {GIVEN: 0.4, OWN_CONSTANTS: 0.7})),
        row("C", harmonic=compared(2.0, 3.0), scores=scored(0.3, {GIVEN: 0.8}), state="partial",
            missing={OWN_CONSTANTS.label: "the phonons are no numbers"}),
        row("D", state="failed", missing={"harmonic": "not relaxed within 500 steps"}),
    ]  # fmt: skip


@pytest.fixture
def workchain(forgotten):
    """Return a function that makes the node of a WorkChain with rows."""

    def make(rows=(), state=ProcessState.FINISHED, caller=None, label="BenchmarkWorkChain", kind="crucible.benchmark"):
        node = WorkChainNode(process_type=f"aiida.workflows:{kind}")
        node.set_process_label(label)
        node.set_process_state(state)
        if state is ProcessState.FINISHED:
            node.set_exit_status(0)
        if caller is not None:
            node.base.links.add_incoming(caller, link_type=LinkType.CALL_WORK, link_label=f"batch_{next(NUMBERS)}")
        node.store()
        for index, values in enumerate(rows):
            output = Dict(values).store()
            output.base.links.add_incoming(node, link_type=LinkType.RETURN, link_label=f"rows__row_{index}")
        return node

    return make


def names(rows):
    return sorted(one["material"] for one in rows)


def run(*arguments):
    result = CliRunner().invoke(main, ["benchmark", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_rows_of_a_finished_benchmark_are_its_own(workchain):
    node = workchain(four())
    workchain([row("stale")], caller=node)
    assert names(rows_of(node)) == ["A", "B", "C", "D"]


def test_rows_of_an_unfinished_one_are_those_of_its_batches_whatever_calls_them(workchain):
    node = workchain(state=ProcessState.WAITING)
    middle = workchain(state=ProcessState.WAITING, caller=node)
    workchain(four()[:2], caller=middle)
    workchain(four()[2:3], caller=node)
    workchain([row("other")])
    assert names(rows_of(node)) == ["A", "B", "C"]


def test_rows_of_the_reference_by_itself_do_not_count(workchain):
    node = workchain([row("A")], state=ProcessState.KILLED)
    workchain([row("A", model="reference", protocol="reference"), row("B")], caller=node)
    assert names(rows_of(node)) == ["A", "B"]


def test_of_two_rows_of_a_material_the_newest_counts(workchain):
    node = workchain(state=ProcessState.KILLED)
    workchain([row("A", state="failed", missing={"harmonic": "killed"}), row("A", model="mace")], caller=node)
    workchain([row("A")], caller=node)
    assert sorted((one["model"], one["state"]) for one in rows_of(node)) == [
        ("chgnet", "complete"), ("mace", "complete"),
    ]  # fmt: skip


def test_jobs_that_run(workchain, localhost):
    node = workchain(state=ProcessState.WAITING)
    batch = workchain(state=ProcessState.WAITING, caller=node)
    made = []
    for state in (ProcessState.WAITING, ProcessState.FINISHED):
        job = CalcJobNode(computer=localhost, process_type="aiida.calculations:crucible.relax")
        job.set_process_state(state)
        job.base.links.add_incoming(batch, link_type=LinkType.CALL_CALC, link_label=state.value)
        made.append(job.store())
    assert jobs_that_run(node) == made[:1]
    status, said = run("status", node.pk)
    assert status == 0
    assert f"BenchmarkWorkChain<{node.pk}> is waiting: no row yet, 1 job runs" in said
    assert "relax" in said


@pytest.mark.slow
def test_aggregation_has_provenance(forgotten):
    rows = {f"row_{index}": Dict(values) for index, values in enumerate(four())}
    _, node = run_get_node(aggregate_benchmark, **rows)
    assert node.is_finished_ok
    assert node.outputs.summary["entries"][0]["states"] == {"complete": 2, "partial": 1, "failed": 1}
    files = {name: node.outputs.tables[name].get_content() for name in node.outputs.tables}
    assert set(files) == {"materials", "errors", "confusion", "correlations"}
    lines = list(csv.DictReader(io.StringIO(files["materials"])))
    assert {line["material"]: line["squares_by_order [THz²]"] for line in lines} == {
        "A": "1.0", "B": "4.0", "C": "2.0", "D": "",
    }  # fmt: skip


@pytest.mark.slow
def test_report_writes_tables_and_figures(workchain, tmp_path):
    node = workchain(four())
    status, said = run("report", node.pk, "--output", tmp_path / "report")
    assert status == 0, said
    assert said.splitlines()[0] == f"BenchmarkWorkChain<{node.pk}> is finished: 4 rows"
    written = {file.name for file in (tmp_path / "report").iterdir()}
    assert {f"{name}.csv" for name in ("materials", "errors", "confusion", "correlations")} < written
    assert {f"{name}.{end}" for name in ("errors", "confusion", "sigma") for end in ("png", "pdf")} < written
    (errors,) = [line.split() for line in said.splitlines() if line.startswith("chgnet") and "frames" not in line]
    # Three materials with errors 1, 4 and 2 THz² and 2, 1 and 3 Å THz.
    assert errors == ["chgnet", "double-perovskites", "2", "1", "1", "2", "2"]
    given = next(line.split() for line in said.splitlines() if GIVEN.label in line)
    assert given[-5:] == ["33", "33", "33", "0", "1"]


def test_report_of_an_unfinished_benchmark_says_how_much_it_is_of(workchain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    node = workchain(state=ProcessState.WAITING)
    workchain([row("A"), row("B")], caller=node)
    status, said = run("report", node.pk)
    assert status == 0
    assert said.splitlines()[0] == f"BenchmarkWorkChain<{node.pk}> is waiting: 2 rows so far"
    assert (tmp_path / f"benchmark-{node.pk}" / "materials.csv").is_file()


def test_status_says_why_rows_failed(workchain):
    status, said = run("status", workchain(four()).pk)
    assert status == 0
    assert "4 rows, 2 complete, 1 partial, 1 failed" in said
    assert "not relaxed within 500 steps" in said
    assert "the phonons are no numbers" in said


def test_many_materials_of_one_reason_are_one_line(workchain):
    rows = [row(f"M{k}", state="failed", missing={"harmonic": "not relaxed"}) for k in range(9)]
    _, said = run("status", workchain(rows).pk)
    (line,) = [line for line in said.splitlines() if "not relaxed" in line]
    assert "M0, M1, M2 and 6 more" in line


@pytest.mark.parametrize("command", ["report", "status"])
def test_mistakes_are_one_line(command, workchain):
    for identifier, message in (
        (987654, "there is no process '987654'"),
        (Dict({}).store().pk, "is a Dict, no process"),
        (CalcJobNode().store().pk, "is no WorkChain"),
        (workchain().pk, "has ended and has no rows"),
    ):
        status, said = run(command, identifier)
        assert (status, said.count("\n")) == (1, 1), said
        assert said.startswith("Error: ")
        assert message in said


def test_report_without_rows_yet_is_one_line(workchain):
    status, said = run("report", workchain(state=ProcessState.WAITING).pk)
    assert (status, said.count("\n")) == (1, 1)
    assert "has no row yet" in said


def test_rows_that_are_none_are_one_line(workchain, tmp_path):
    status, said = run("report", workchain([row("A", state="done")]).pk, "--output", tmp_path)
    assert (status, said.splitlines()[-1]) == (
        1, "Error: row of 'A': state is 'done', it must be one of complete, partial, failed"
    )  # fmt: skip
