"""What others rely on and no change of the house may change: entry points, exit codes, ports, and cache digests.

``python tests/helpers/public_surface.py`` writes the record that ``test_public_surface`` compares with. It is written
anew only where something is meant to change for users, and that is said in the changelog.
"""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
from aiida.common.hashing import make_hash
from aiida.engine import CalcJob
from aiida.orm import CalcJobNode, Dict, Node, TrajectoryData
from aiida.plugins import CalculationFactory, WorkflowFactory
from ase.build import bulk

RECORD = Path(__file__).parents[1] / "data" / "public_surface.json"
GROUPS = ("aiida.data", "aiida.calculations", "aiida.calculations.monitors", "aiida.parsers", "aiida.workflows")
TASKS = ("evaluate", "relax", "dynamics", "similarity", "verify", "train")


def names_of_entry_points() -> dict[str, list[str]]:
    """Return the names that the package registers in each of AiiDA's groups, functions left out."""
    return {group: sorted(point.name for point in entry_points(group=group) if _is_own(point)) for group in GROUPS}


def processes() -> dict[str, Any]:
    """Return all process classes by name."""
    found = {}
    for group, factory in (("aiida.calculations", CalculationFactory), ("aiida.workflows", WorkflowFactory)):
        for point in entry_points(group=group):
            if _is_own(point):
                found[point.name] = factory(point.name)
    return found


def exit_codes() -> dict[str, dict[str, int]]:
    """Return the number of each exit code of each process, by label."""
    return {
        name: {label: code.status for label, code in sorted(process.spec().exit_codes.items())}
        for name, process in processes().items()
    }


def ports() -> dict[str, dict[str, list[str]]]:
    """Return the paths of all ports of each process, with how they enter the graph and the hash."""
    return {
        name: {direction: sorted(_paths(getattr(process.spec(), direction))) for direction in ("inputs", "outputs")}
        for name, process in processes().items()
    }


def digests(structure_of: Any, model: Any) -> dict[str, str]:
    """Return the cache digest of each CalcJob with inputs that are always the same.

    :param structure_of: makes a node of ``Atoms``.
    :param model: a model node, whose weights are always the same.
    """
    frames = TrajectoryData()
    frames.set_trajectory(symbols=["Cu"] * 2, positions=np.zeros((4, 2, 3)))
    crystal = structure_of(bulk("Cu", cubic=True))
    inputs: dict[str, dict[str, Node]] = {
        "evaluate": {"structures__a": crystal},
        "relax": {"structures__a": crystal},
        "dynamics": {"structure": crystal},
        "similarity": {"trajectories__a": frames},
        "verify": {},
        "train": {"dataset": dataset()},
    }
    found = {}
    for task in TASKS:
        process = CalculationFactory(f"crucible.{task}")
        assert issubclass(process, CalcJob)
        node = CalcJobNode(process_type=process.build_process_type())
        node.set_option("parser_name", f"crucible.{task}")
        given = {"model": model, "parameters": Dict({"steps": 1}), **inputs[task]}
        hashed = node.base.caching.get_objects_to_hash()
        hashed["inputs"] = {label: value.base.caching._compute_hash() for label, value in given.items()}
        hashed["cache_version"] = process.CACHE_VERSION
        found[task] = make_hash(hashed)
    return found


def dataset() -> Node:
    """Return labelled frames that are always the same."""
    from aiida_crucible.analysis.datasets.frames import LabelledFrames
    from aiida_crucible.nodes.training.dataset import DatasetData

    whole, zeros = np.zeros(2, dtype=np.int64), np.zeros((2, 3))
    frames = LabelledFrames(
        whole + 29, zeros, zeros, whole + 1, np.zeros((2, 3, 3)), zeros > 1, np.zeros(2), np.zeros((2, 6)),
        *[whole] * 3, np.zeros(2),
    )  # fmt: skip
    return DatasetData.of(frames, np.array([0, 1]), whole, {"theory": "PBE"})


def _is_own(point: Any) -> bool:
    return (
        point.name.startswith("crucible.") and point.attr[:1].isupper()
    ) or point.name == "crucible.dynamics_monitor"


def _paths(namespace: Any, prefix: str = "") -> list[str]:
    found = []
    for name, port in namespace.items():
        path = f"{prefix}{name}"
        marks = [word for word in ("non_db", "is_metadata") if getattr(port, word, False)]
        marks += ["required"] if port.required else []
        found.append(f"{path} ({', '.join(marks)})" if marks else path)
        if hasattr(port, "items") and not getattr(port, "is_metadata", False):
            found += _paths(port, f"{path}.")
    return found


def record(structure_of: Any, model: Any) -> dict[str, Any]:
    """Return all of it."""
    return {
        "entry_points": names_of_entry_points(),
        "exit_codes": exit_codes(),
        "ports": ports(),
        "digests": digests(structure_of, model),
    }


def main() -> None:
    """Write the record, in a profile that lives in memory."""
    from aiida import load_profile
    from aiida.storage.sqlite_temp import SqliteTempBackend

    load_profile(SqliteTempBackend.create_profile("record", options={"warnings.development_version": False}))
    from aiida_crucible.nodes.model import ModelData
    from aiida_crucible.nodes.structures import from_atoms

    made = record(from_atoms, ModelData.get_or_create("emt"))
    RECORD.write_text(json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
