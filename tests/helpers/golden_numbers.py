"""The numbers that every task gives for the toy model, kept in ``tests/data`` with the protocol that they belong to.

``python tests/helpers/golden_numbers.py`` computes and stores them anew; it refuses where numbers changed and
``crucible_engine.wire.schema.PROTOCOL`` did not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from dynamics_runs import SHORT, VARIANTS, gold_copper
from engine_jobs import EMT, read_arrays, run_here, write_job
from similarity_jobs import reference_rows
from two_forces import springs, two_springs

from crucible_engine.tasks.dynamics.integrators import MULTIPLE
from crucible_engine.tasks.dynamics.parameters import ENSEMBLES
from crucible_engine.tasks.parameters import PARAMETERS
from crucible_engine.tasks.relax import relaxation
from crucible_engine.tasks.similarity.tiles import Match, TileMaker
from crucible_engine.wire.schema import ARRAYS_FILE, PROTOCOL, TRAJECTORIES_FILE, ModelReference

STORED = Path(__file__).parents[1] / "data" / "golden_numbers.json"
RELATIVE, ABSOLUTE = 1e-7, 1e-10
"""Another processor's BLAS kernels change the last digits of a step, and a relaxation of ten by 5e-9."""
REMEDY = (
    "if that is meant, raise PROTOCOL in src/crucible_engine/wire/schema.py, so that no cached result of the old "
    "numbers is taken for a new one, and run 'python tests/helpers/golden_numbers.py'"
)

Numbers = dict[str, Any]


def distorted() -> Atoms:
    """Return copper without any symmetry, under strain."""
    rng = np.random.default_rng(1)
    atoms = bulk("Cu", cubic=True)
    atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
    return atoms


def wurtzite() -> Atoms:
    """Return a hexagonal crystal with noise within the default symmetry tolerance."""
    atoms = bulk("CuAu", "wurtzite", a=4.0, c=6.6)
    atoms.positions += np.random.default_rng(3).normal(0, 1e-4, atoms.positions.shape)
    return atoms


def evaluated(batch_size: int | None) -> Numbers:
    """Return energies, forces and stresses of a mixed set."""
    structures = {"distorted": distorted(), "wurtzite": wurtzite(), "water": molecule("H2O"), "gold": bulk("Au")}
    return _run("evaluate", structures, batch_size=batch_size)[1]


def relaxed(optimizer: str, cell: str, structure: Callable[[], Atoms] = distorted, **parameters: Any) -> Numbers:
    """Return where a relaxation is after some steps, and the energies on its way."""
    given = {"optimizer": optimizer, "cell": cell, "fmax": 1e-5, "max_steps": 10, "trajectory_interval": 5}
    results, arrays, trajectory = _run("relax", {"structure": structure()}, **{**given, **parameters})
    summary = results["summary"]["structures"]["structure"]
    for name in ("numbers", "pbc", "labels"):
        del arrays[name]
    return {**arrays, "energies_on_the_way": trajectory["energies"], "summary": summary}


def verified() -> Numbers:
    """Return what each check of a verification said; the values themselves are rounding noise."""
    checks = _run("verify", {"wurtzite": wurtzite()})[0]["summary"]["checks"]
    return {check["name"]: check["status"] for check in checks}


def dynamic(changes: dict[str, Any]) -> Numbers:
    """Return what some steps with an integrator lead to; few, since trajectories part."""
    parameters = {**SHORT, "temperatures": [300.0], "steps": 12, **changes}
    _, arrays = _run("dynamics", gold_copper(), **parameters)
    names = (
        "mean_positions_0",
        "mean_square_displacements_0",
        "mean_cell_0",
        "final_positions_0",
        "final_velocities_0",
    )
    return {"last_row": arrays["series_0"][-1], **{name: arrays[name] for name in names}}


def split(ensemble: str) -> Numbers:
    """Return what some steps of multiple time stepping lead to."""
    model = two_springs(stiffness=0.9, swirl=0.1)
    given = {**SHORT, "temperatures": [300.0], "steps": 12, "series_interval": 4, "direct_steps": 4}
    _, arrays = _run("dynamics", {"springs": springs()}, model, ensemble=ensemble, **given)
    return {
        "last_row": arrays["series_0"][-1],
        **{name: arrays[name] for name in ("final_positions_0", "final_velocities_0")},
    }


def constants() -> Numbers:
    """Return what tasks compute with where nobody says otherwise."""
    defaults = {task: defaults_of(task) for task in ("evaluate", "relax", "dynamics", "verify")}
    optimizers = {name: arguments for name, (_, arguments) in relaxation.OPTIMIZERS.items()}
    return {
        "defaults": defaults,
        "optimizers": optimizers,
        "cell_filters": relaxation.CELL_FILTERS,
        "runaway_factor": relaxation.RUNAWAY_FACTOR,
        "ensembles": ENSEMBLES,
    }


def defaults_of(task: str) -> Numbers:
    """Return the parameters that a task has where nobody says otherwise."""
    return {name: rule.default for name, rule in PARAMETERS[task].items()}


def alike() -> Numbers:
    """Return kernels between structures of random descriptors, as tiles hold them."""
    first, second = (np.stack([rows for rows in reference_rows() if len(rows) == size]) for size in (5, 3))
    with TileMaker(Match(0.1, 1e-6), 1) as maker:
        return {"same": maker.make(first, first, True), "other": maker.make(first, second, False)}


CASES: dict[str, Callable[[], Numbers]] = {
    "constants": constants,
    "evaluate, batches found": lambda: evaluated(None),
    "evaluate, batches of 3": lambda: evaluated(3),
    **{
        f"relax, {optimizer}, {cell}": lambda optimizer=optimizer, cell=cell: relaxed(optimizer, cell)
        for optimizer in relaxation.OPTIMIZERS
        for cell in ("fixed", *relaxation.CELL_FILTERS)
    },
    "relax, FIRE, long": lambda: relaxed("FIRE", "full", max_steps=45),
    "relax, symmetry kept": lambda: relaxed("LBFGS", "full", wurtzite),
    "relax, symmetry released": lambda: relaxed("LBFGS", "full", wurtzite, keep_symmetry=False),
    "verify": verified,
    **{f"dynamics, {name}": lambda changes=changes: dynamic(changes) for name, changes in VARIANTS.items()},
    **{f"dynamics, {name}, multiple time stepping": lambda name=name: split(name) for name in MULTIPLE},
    "similarity, defaults": lambda: defaults_of("similarity"),
    "similarity, tiles": alike,
    "train, defaults": lambda: defaults_of("train"),
    "relax, pressure": lambda: relaxed("LBFGS", "volume", pressure=5.0),
}
"""What is computed, by name. A new task adds its cases here; the script then stores them beside the others."""


def compute() -> dict[str, Numbers]:
    """Return the numbers of all cases, JSON-serializable."""
    return {name: plain(case()) for name, case in CASES.items()}


def differences(stored: Any, computed: Any, where: str = "") -> Iterator[str]:
    """Yield one line for everything in which two sets of numbers differ."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        for name in {**stored, **computed}:
            yield from differences(stored.get(name), computed.get(name), f"{where}/{name}")
    elif isinstance(stored, list) and isinstance(computed, list) and len(stored) == len(computed):
        for index, (old, new) in enumerate(zip(stored, computed, strict=True)):
            yield from differences(old, new, f"{where}[{index}]")
    elif not _same(stored, computed):
        yield f"{where.lstrip('/')}: {stored!r} became {computed!r}"


def read_stored() -> dict[str, Any]:
    """Return what is stored: ``protocol`` and ``numbers``."""
    return json.loads(STORED.read_text()) if STORED.exists() else {"protocol": None, "numbers": {}}


def main() -> str | None:
    """Compute the numbers and store them; return a complaint where that would hide a change."""
    stored, computed = read_stored(), compute()
    known = {name: numbers for name, numbers in computed.items() if name in stored["numbers"]}
    kept = {name: numbers for name, numbers in stored["numbers"].items() if name in computed}
    changed = list(differences(kept, known))
    if changed and stored["protocol"] == PROTOCOL:
        return f"numbers changed and PROTOCOL is still {PROTOCOL} (first: {changed[0]}): {REMEDY}"
    STORED.parent.mkdir(exist_ok=True)
    STORED.write_text(json.dumps({"protocol": PROTOCOL, "numbers": computed}, indent=1) + "\n")
    return None


def _run(task: str, structures: dict[str, Atoms], model: ModelReference = EMT, **parameters: Any) -> list[Any]:
    """Run a job in this process; return its results, arrays and, for a relaxation, the trajectory's."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_job(Path(name), task, structures, model, **parameters)
        results = run_here(folder)
        files = {"evaluate": [ARRAYS_FILE], "dynamics": [ARRAYS_FILE], "relax": [ARRAYS_FILE, TRAJECTORIES_FILE]}.get(
            task, []
        )
        return [results, *(read_arrays(folder, file) for file in files)]


def plain(value: Any) -> Any:
    """Return numbers in the form that JSON reads back: lists for arrays, ``None`` for what is not finite."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if dataclasses.is_dataclass(value):
        return plain(dataclasses.asdict(value))
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _same(old: Any, new: Any) -> bool:
    both_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))
    return math.isclose(old, new, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if both_numbers else old == new


if __name__ == "__main__":
    sys.exit(main())
