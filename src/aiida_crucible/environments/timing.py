"""Times a model in the environment that runs this. Shipped alone to the computer, with the engine.

``python timing.py crucible_engine.pyz request.json`` writes ``timing.json``: ``start`` (s, to import and to load),
``evaluations`` (s, one of each structure asked for, ``None`` where it did not fit into memory) and ``memory`` (MiB, the
most that was needed); or ``problem``. What a package prints goes to ``timing.log``.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

REPEATS = 2
"""Evaluations that are timed, after one that is not."""

LONG = 20.0
"""Seconds of an evaluation after which it is not repeated."""


def time_model(request: dict[str, Any]) -> dict[str, Any]:
    """Return how long a model takes.

    :param request: ``reference`` (the content of a ``ModelReference``), ``device`` and ``probes``: ``symbols``,
        ``positions``, ``cell``, ``pbc``, ``threads`` and ``stress`` of each.
    """
    begin = time.perf_counter()
    # The engine's modules are on the path only once `main` has put the shipped archive there.
    schema = importlib.import_module("crucible_engine.wire.schema")
    load = importlib.import_module("crucible_engine.families.load")
    atoms_class = importlib.import_module("ase").Atoms
    try:
        model = load.load_model(schema.ModelReference(**request["reference"]), request["device"])
    except schema.EngineError as error:
        return {"problem": error.message}
    start = time.perf_counter() - begin
    evaluations: list[float | None] = []
    for probe in request["probes"]:
        _use_threads(probe["threads"])
        atoms = atoms_class(probe["symbols"], probe["positions"], cell=probe["cell"], pbc=probe["pbc"])
        try:
            evaluations.append(_time_one(model, atoms, stress=probe["stress"]))
        except (MemoryError, RuntimeError):
            traceback.print_exc()
            evaluations.append(None)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return {"start": start, "evaluations": evaluations, "memory": memory, "device": model.device}


def _time_one(model: Any, atoms: Any, stress: bool) -> float:
    def seconds() -> float:
        begin = time.perf_counter()
        model.evaluate_batch([atoms], stress=stress)
        return time.perf_counter() - begin

    first = seconds()
    return first if first > LONG else min(seconds() for _ in range(REPEATS))


def _use_threads(count: int | None) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and count is not None:
        torch.set_num_threads(count)


def main() -> None:
    """Time the model that the command line names."""
    engine, request = sys.argv[1:]
    log = os.open("timing.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.path.insert(0, str(Path(engine).resolve()))
    answer = time_model(json.loads(Path(request).read_text(encoding="utf-8")))
    Path("timing.json").write_text(json.dumps(answer, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
