"""Loads a checkpoint file and says what it is. Shipped alone to the computer, with the engine.

``python describe.py crucible_engine.pyz request.json`` writes ``description.json``: ``elements``, ``forces``,
``ensemble_size`` and ``sha256`` or, where the checkpoint cannot be loaded, ``problem``. What a package prints goes to
``describe.log``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def describe(reference: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine finds in a checkpoint file.

    :param reference: the content of a ``ModelReference``.
    """
    # The engine's modules are on the path only once `main` has put the shipped archive there.
    schema = importlib.import_module("crucible_engine.wire.schema")
    load = importlib.import_module("crucible_engine.families.load")
    symbols = importlib.import_module("ase.data").chemical_symbols
    try:
        model = load.load_model(schema.ModelReference(**reference), "cpu")
    except schema.EngineError as error:
        return {"problem": error.message}
    return {
        "elements": [symbols[number] for number in sorted(model.elements)],
        "forces": "conservative" if model.conservative else "direct",
        "ensemble_size": model.ensemble_size,
        "sha256": model.sha256,
    }


def main() -> None:
    """Describe the checkpoint that the command line names."""
    engine, request = sys.argv[1:]
    log = os.open("describe.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.path.insert(0, str(Path(engine).resolve()))
    answer = describe(json.loads(Path(request).read_text(encoding="utf-8")))
    Path("description.json").write_text(json.dumps(answer, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
