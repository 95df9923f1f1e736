"""Two engines at once share the cores: together they are no slower than one after the other."""

from __future__ import annotations

import statistics
import time

import pytest
from engine_jobs import engine_environment, read_results, start_engine, write_job
from perovskite import rattled

from crucible_engine.wire.schema import ModelReference

PAIRS = 3
TOLERANCE = 1.1
"""Left to the noise of a machine that does other things too."""


@pytest.mark.model
@pytest.mark.slow
def test_two_at_once_are_no_slower_than_one_after_the_other(tmp_path, python_of):
    python = str(python_of("chgnet"))
    environment = engine_environment(CRUCIBLE_RUNTIME_FOLDER=str(tmp_path / "engines"))
    environment.pop("OMP_NUM_THREADS", None)
    frames = rattled(40, repeat=2)
    folders = [
        write_job(tmp_path / name, "evaluate", frames, model=ModelReference("chgnet", "0.3.0"), threads=None)
        for name in ("first", "second")
    ]

    def run(at_once: bool) -> float:
        begin = time.monotonic()
        running = []
        for folder in folders:
            running.append(start_engine(folder, python=python, env=environment))
            if not at_once:
                running[-1].communicate()
        for process in running:
            process.wait()
        seconds = time.monotonic() - begin
        results = [read_results(folder) for folder in folders]
        assert [result["condition"] for result in results] == ["finished", "finished"], results
        threads = [result["environment"]["threads"] for result in results]
        assert {given["rule"] for given in threads} == {"shared"}
        print(f"{'at once' if at_once else 'in turn'}: {seconds:.1f} s, threads at the end {threads}")
        return seconds

    pairs = [(run(at_once=False), run(at_once=True)) for _ in range(PAIRS)]
    in_turn, at_once = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"median in turn {in_turn:.1f} s, at once {at_once:.1f} s")
    assert at_once <= TOLERANCE * in_turn
