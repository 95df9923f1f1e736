"""Where a step of CHGNet's dynamics goes: the graph, the way forward, the way back; and the package's own calculator.

Usage (with CHGNet's Python): PYTHONPATH=src:tests/helpers python benchmarks/step_profile.py [REPEAT] [STEPS]
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from chgnet.model import model as chgnet_model
from chgnet.model.dynamics import CHGNetCalculator
from crystals import lead_titanate

from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import ModelReference

PARTS: dict[str, list[float]] = {}


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that notes how long it takes."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            PARTS.setdefault(name, []).append(time.perf_counter() - began)

    return wrapper


def main() -> None:
    """Print medians of seconds a step as a Markdown table."""
    repeat, steps = (int(text) for text in [*sys.argv[1:], "5", "5"][:2])
    atoms = lead_titanate().repeat(repeat)
    model: Any = load_model(ModelReference("chgnet", "0.3.0"), "cpu")
    model._graph = timed("ours: graph", model._graph)
    model.network._compute = timed("ours: forward", model.network._compute)
    model._differentiate = timed("ours: forward and backward", model._differentiate)
    ours, theirs = model.calculator(), CHGNetCalculator(use_device="cpu", on_isolated_atoms="ignore")
    chgnet_model.CHGNet.forward = timed("ASE: forward and backward", chgnet_model.CHGNet.forward)
    for step in range(steps + 1):
        atoms.rattle(0.005, seed=step)
        for name, calculator in (("ours: whole step", ours), ("ASE: whole step", theirs)):
            atoms.calc = calculator
            timed(name, atoms.get_forces)()
        if step == 0:
            PARTS.clear()  # the first is a warm-up
    print(f"{len(atoms)} atoms, median of {steps} steps\n\n| part | s |\n|---|---|")
    for name, seconds in sorted(PARTS.items()):
        print(f"| {name} | {statistics.median(seconds):.3f} |")


if __name__ == "__main__":
    main()
