"""Weak scaling of dynamics with LAMMPS: seconds a step of one and of two ranks, with as many atoms for each.

``python benchmarks/lammps.py graph.pb [repeats]``, with the Python of the environment of DeePMD-kit, and with the graph
of ``tests/helpers/lammps_potential.py``. ASE's backend, which has one process, stands beside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELPERS = ROOT / "tests" / "helpers"
sys.path[:0] = [str(ROOT / "src"), str(HELPERS)]
# Both are read when the package is imported.
os.environ |= {"OMP_NUM_THREADS": "1", "DP_INTRA_OP_PARALLELISM_THREADS": "1", "DP_INTER_OP_PARALLELISM_THREADS": "1"}

SHORT, LONG = 20, 320
CASES = (("ase", 1, (4, 4, 4)), ("lammps", 1, (4, 4, 4)), ("lammps", 2, (4, 4, 8)))
"""Backend, ranks, and repetitions of a cell of four atoms."""


def seconds_a_step(graph: Path, folder: Path, backend: str, ranks: int, repeat: tuple[int, int, int]) -> float:
    """Return the difference of a long and a short run, over the steps between: no start is in it."""
    from ase.build import bulk
    from engine_jobs import run_here
    from lammps_jobs import lammps_job

    atoms = bulk("Cu", cubic=True, a=4.012) * repeat
    atoms.symbols[::4] = "Al"
    took = []
    for steps in (SHORT, LONG):
        job = lammps_job(
            folder / f"{backend}-{ranks}-{steps}", atoms, graph, ranks, backend=backend, ensemble="nve", steps=steps
        )
        results = run_here(job)
        assert results["condition"] == "finished", results["message"]
        took.append(results["timings"]["compute"])
    return (took[1] - took[0]) / (LONG - SHORT)


def main(graph: Path, repeats: int) -> None:
    """Print a table."""
    said = subprocess.run([sys.executable, HELPERS / "lammps_native.py"], capture_output=True, text=True, check=True)
    os.environ |= json.loads(said.stdout.splitlines()[-1])
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats):
        for backend, ranks, repeat in CASES:
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault((backend, ranks), []).append(
                    seconds_a_step(graph, Path(folder), backend, ranks, repeat)
                )
    for backend, ranks, repeat in CASES:
        times = sorted(1000 * value for value in found[backend, ranks])
        atoms = 4 * repeat[0] * repeat[1] * repeat[2]
        print(f"| {backend} | {ranks} | {atoms} | {times[len(times) // 2]:.1f} ({times[0]:.1f} to {times[-1]:.1f}) |")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
