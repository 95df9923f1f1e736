"""What AiiDA costs a material in a benchmark of many: nodes, seconds and MB beyond the computation, with EMT.

Usage: python benchmark_cost.py FOLDER [MATERIALS]    (the profile's folder, a new one)

The first benchmark makes references with EMT and judges EMT by them. The second judges EMT under another name by the
same references, as it would judge a model by imported ones. Seconds are CPU time of this process, in which all of AiiDA
runs, so that other work on the machine counts little; those of the analysis are of the calcfunctions' bodies, measured
by computing a sample of them again without AiiDA. Wall time includes the engine's processes.
"""

from __future__ import annotations

import statistics
import sys
import time
from itertools import permutations
from pathlib import Path

from ase.build import bulk

from aiida_crucible.demo.profile import open_profile

METALS = ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt")
SAMPLE = 10
HEADER = "| a material | nodes | wall, s | CPU, s | of it analysis | **of it AiiDA** | MB |\n" + 7 * "|---" + "|"
SETTINGS = {
    "relax": {"fmax": 0.005},
    "dynamics": {"steps": 40, "frame_interval": 4, "time_step": 2.0},
    "phonon": {"supercell_matrix": [1, 1, 2], "mesh": [4, 4, 4]},
    "comparison": {"mesh": [4, 4, 4], "thermal_mesh": [4, 4, 4]},
    "anharmonicity": {"supercell_matrix": [1, 1, 2], "discard": 0.2, "effective_frames": 0},
}


def main() -> None:
    """Print a Markdown table."""
    folder, n_materials = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 50
    open_profile(folder)
    from aiida.manage import get_manager
    from aiida.manage.caching import disable_caching
    from aiida.orm import InstalledCode, load_computer

    from aiida_crucible.nodes import ModelData

    get_manager().set_runner(get_manager().create_runner(poll_interval=0.2))
    localhost = load_computer("localhost")
    code = InstalledCode(label="python", computer=localhost, filepath_executable=sys.executable).store()
    emt = ModelData.get_or_create("emt")
    structures = alloys(n_materials)
    print(HEADER)
    what = "a reference made, and a model judged by it"
    with disable_caching():  # the second one's jobs are those of the first
        made = measure(folder, what, {"made": (code, emt)}, structures, reference_model=(code, emt))
        references = {label: references_of(row) for label, row in made.outputs.rows["made"]["fast"].items()}
        what = "a model judged by references that are there"
        measure(folder, what, {"given": (code, emt)}, structures, references=references)


def alloys(count: int) -> dict[str, object]:
    """Return ordered alloys: A3B (L1_2) of 4 atoms, and what is left as AB (L1_0-like, cubic) of 4."""
    from aiida.orm import StructureData

    found = {}
    for n_others in (1, 2):
        for first, second in permutations(METALS, 2):
            atoms = bulk(first, cubic=True)
            atoms.symbols[:n_others] = second
            found.setdefault(f"{first}{4 - n_others}{second}{n_others}", StructureData(ase=atoms))
    return dict(list(found.items())[:count])


def references_of(row: object) -> dict[str, object]:
    """Return the reference that a row was measured with."""
    inputs = row.creator.inputs
    names = ("structure", "force_constants", "trajectory")
    return {name: inputs[f"reference_{name}"] for name in names}


def measure(folder, what, models, structures, **arguments):
    """Run a benchmark, print its line, and return its node."""
    from aiida.engine import run_get_node
    from aiida.orm import CalcJobNode, Node, QueryBuilder

    from aiida_crucible.workflows.benchmark import BenchmarkWorkChain

    builder = BenchmarkWorkChain.get_builder_from_protocol(models, structures, "fast", settings=SETTINGS, **arguments)
    nodes, size, start, began = (
        QueryBuilder().append(Node).count(),
        size_of(folder),
        time.perf_counter(),
        time.process_time(),
    )
    _, node = run_get_node(builder)
    seconds, used = time.perf_counter() - start, time.process_time() - began
    if not node.is_finished_ok:
        sys.exit(node.exit_message)
    states = [row["state"] for rows in node.outputs.rows.values() for row in rows["fast"].values()]
    if set(states) != {"complete"}:
        sys.exit(f"not every row is complete: {states}")
    jobs = [child for child in node.called_descendants if isinstance(child, CalcJobNode)]
    analysis = seconds_of_analysis(node)
    found = {
        "nodes": QueryBuilder().append(Node).count() - nodes,
        "wall": seconds,
        "cpu": used,
        "analysis": analysis,
        "aiida": used - analysis,
        "MB": (size_of(folder) - size) / 1e6,
    }
    line = [what, *(f"{found[name] / len(structures):.2f}" for name in found)]
    print(f"| {line[0]} | {line[1]} | {line[2]} | {line[3]} | {line[4]} | **{line[5]}** | {line[6]} |", flush=True)
    print(f"({len(structures)} materials, {len(jobs)} jobs)", file=sys.stderr)
    return node


def seconds_of_analysis(node) -> float:
    """Return the seconds of the calcfunctions' bodies, from a sample of each kind computed again."""
    from aiida.orm import CalcFunctionNode

    from aiida_crucible.workflows.benchmark.batch_calcfunctions import (
        prepare_evaluation,
        prepare_runs,
        settle_references,
    )
    from aiida_crucible.workflows.benchmark.material_calcfunctions import measure_material

    total = 0.0
    calls = [child for child in node.called_descendants if isinstance(child, CalcFunctionNode)]
    for function in (prepare_evaluation, prepare_runs, settle_references, measure_material):
        body = function.__wrapped__
        of_kind = [call for call in calls if call.process_label == body.__name__]
        samples = []
        for call in of_kind[:SAMPLE]:
            inputs = {label: call.inputs[label] for label in call.inputs}
            start = time.process_time()
            body(**inputs)
            samples.append(time.process_time() - start)
        total += len(of_kind) * statistics.median(samples) if samples else 0.0
    return total


def size_of(folder: Path) -> float:
    """Return the bytes of a profile: what a user's disk keeps, without the work directories of jobs."""
    parts = [
        path for path in folder.rglob("*") if path.is_file() and "scratch" not in path.relative_to(folder).parts[:1]
    ]
    return float(sum(path.stat().st_size for path in parts))


if __name__ == "__main__":
    main()
