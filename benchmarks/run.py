"""Measure what ``docs/topics/performance.md`` says, on this machine: ``.venv/bin/python benchmarks/run.py [NAME ...]``.

Needs the model environments (made where they are missing) and one with matcalc, made under ``.bench``. Every comparison
is of whole processes, in turn, and quotes medians. Results are printed as Markdown tables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.build import bulk
from crystals import lead_titanate
from paired import HEADER, Command, alternate, compare
from uv import find_uv_bin

from aiida_crucible import environments
from aiida_crucible.calculations.engine_archive import engine_archive
from crucible_engine.families.conformance import Case
from crucible_engine.wire.schema import ENGINE_FILE, JOB_FILE, STRUCTURES_FILE, Job
from crucible_engine.wire.structures import write_structures

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "helpers"))

from conformance_cases import CASES, reference  # noqa: E402 - the helpers are no package

FOLDER = HERE.parent / ".bench"
PEER = FOLDER / "matcalc"
RUNS = 3
PEER_PACKAGES = ["matcalc==0.7.0", "chgnet==0.4.2", "torch==2.13.0"]


def phonons() -> None:
    """Relax → phonon through AiiDA against matcalc: a small case and one that computes for minutes."""
    python = matcalc_python()
    prepare_profile()
    print(HEADER)
    for crystal, sizes, relaxation, fmax, runs in (
        ("PbTiO3", "2 2 2", "same", "1e-3", RUNS),
        ("PbTiO3", "2 2 2", "default", "1e-5", RUNS),
        ("ZrO2", "4 4 4", "same", "1e-3", 1),
    ):
        arguments = [crystal, *sizes.split()]
        name = f"{crystal} {sizes.replace(' ', 'x')}, fmax {fmax}"
        ours = [sys.executable, str(HERE / "crucible_phonon.py"), str(FOLDER / "aiida"), *arguments, fmax]
        peer = [str(python), str(HERE / "matcalc_phonon.py"), *arguments, relaxation]
        peer_name = f"matcalc 0.7, {relaxation} relaxation"
        print(compare(_command(f"crucible.phonon, {name}", ours), _command(peer_name, peer), runs), flush=True)


def batches() -> None:
    """64 frames of 40 atoms with every family: the engine's evaluate against a loop over the package's calculator."""
    print(HEADER)
    for name in ("chgnet-0.3.0", "7net-0", "mace", "orb-v2", "emt"):
        case = CASES[name]
        python = str(environments.ensure(case.family))
        variables = {"PYTHONPATH": str(HERE.parent / "src")}
        with job_folder(case, python, displaced(case, 64)) as folder:
            ours = _command(f"evaluate, {name}", [python, ENGINE_FILE, JOB_FILE], folder)
            loop = [python, str(HERE / "ase_loop.py"), name, str(folder), STRUCTURES_FILE]
            print(compare(ours, Command("ASE loop", loop, folder, variables), RUNS), flush=True)


def forces() -> None:
    """Forces on 1600 frames of 40 atoms with CHGNet in one job, against its own batch prediction, in turns."""
    print("| ours | frames | wall, s | CPU, s | peer | wall, s | CPU, s | ratio of wall | of CPU |")
    print("|---|---|---|---|---|---|---|---|---|")
    case = CASES["chgnet-0.3.0"]
    python = str(environments.ensure(case.family))
    n_frames = int(os.environ.get("CRUCIBLE_BENCH_FRAMES", "1600"))
    with job_folder(case, python, displaced(case, n_frames), parameters={"stress": False}) as folder:
        ours = _command("evaluate, CHGNet 0.3.0", [python, ENGINE_FILE, JOB_FILE], folder)
        peer = _command("predict_structure", [python, str(HERE / "chgnet_batch.py"), STRUCTURES_FILE], folder)
        (wall, cpu), (peer_wall, peer_cpu) = alternate(ours, peer)
    print(
        f"| {ours.name} | {n_frames} | {wall:.1f} | {cpu:.1f} | {peer.name} | {peer_wall:.1f} | {peer_cpu:.1f} | "
        f"**{wall / peer_wall:.2f}** | {cpu / peer_cpu:.2f} |",
        flush=True,
    )


def dynamics() -> None:
    """Molecular dynamics with default output and checkpoints against a bare ASE loop; both run in turns of a second."""
    print("| ours | steps | wall, s | CPU, s | ASE loop: wall, s | CPU, s | ratio of wall | of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for name, atoms, steps in (
        ("chgnet-0.3.0", lead_titanate().repeat(2), 500),
        ("emt", bulk("Cu", cubic=True).repeat(10), 2000),
    ):
        case = CASES[name]
        python = str(environments.ensure(case.family))
        variables = {"PYTHONPATH": str(HERE.parent / "src"), "OMP_NUM_THREADS": "1"}
        with job_folder(case, python, [atoms], "dynamics", {"steps": steps}) as folder:
            ours = Command(name, [python, ENGINE_FILE, JOB_FILE], folder, {"OMP_NUM_THREADS": "1"})
            loop = [python, str(HERE / "ase_dynamics.py"), name, str(folder), STRUCTURES_FILE, str(steps)]
            (wall, cpu), (peer_wall, peer_cpu) = alternate(ours, Command("ASE loop", loop, folder, variables))
        print(
            f"| {name}, {len(atoms)} atoms | {steps} | {wall:.1f} | {cpu:.1f} | {peer_wall:.1f} | {peer_cpu:.1f} | "
            f"**{wall / peer_wall:.3f}** | **{cpu / peer_cpu:.3f}** |",
            flush=True,
        )


def memory() -> None:
    """Peak memory of evaluate against the number of frames of 40 atoms."""
    print("| model | frames | peak memory, MiB |\n|---|---|---|")
    for name, counts in (("emt", (100, 10000)), ("chgnet-0.3.0", (16, 256))):
        python = str(environments.ensure(CASES[name].family))
        for count in counts:
            with job_folder(CASES[name], python, displaced(CASES[name], count)) as folder:
                subprocess.run([python, ENGINE_FILE, JOB_FILE], cwd=folder, check=True)
                results = json.loads((folder / "results.json").read_text())
                print(f"| {name} | {count} | {results['peak_memory']:.0f} |", flush=True)


def imports() -> None:
    """Seconds of ``import aiida_crucible`` and of ``aiida-crucible --help``, against a bare interpreter."""
    bare = _command("python -c pass", [sys.executable, "-c", "pass"])
    print(HEADER)
    for name, arguments in (
        ("import aiida_crucible", [sys.executable, "-c", "import aiida_crucible"]),
        ("aiida-crucible --help", [str(Path(sys.executable).with_name("aiida-crucible")), "--help"]),
    ):
        print(compare(_command(name, arguments), bare, 2 * RUNS))


def calcjobs() -> None:
    """What AiiDA adds to a CalcJob."""
    subprocess.run([sys.executable, str(HERE / "calcjob_cost.py"), str(FOLDER / "aiida")], check=True)


def materials() -> None:
    """What AiiDA adds to a material in a benchmark of fifty."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(HERE / "benchmark_cost.py"), folder], check=True)


def prepare_profile() -> None:
    """Make the benchmark's profile, register CHGNet's environment in it and verify the model there once."""
    variables = {**os.environ, "AIIDA_PATH": str(FOLDER / "aiida")}
    subprocess.run([sys.executable, str(HERE / "open_profile.py"), variables["AIIDA_PATH"]], check=True)
    program = str(Path(sys.executable).with_name("aiida-crucible"))
    subprocess.run([program, "env", "create", "chgnet"], env=variables, check=True, stdout=sys.stderr)


def matcalc_python() -> Path:
    """Return the Python of an environment with matcalc and CHGNet, made where it is missing."""
    python = PEER / "bin" / "python"
    if not python.exists():
        subprocess.run([find_uv_bin(), "venv", "--quiet", str(PEER)], check=True)
        subprocess.run(
            [find_uv_bin(), "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *PEER_PACKAGES],
            check=True,
        )
    return python


def displaced(case: Case, count: int) -> list[Atoms]:
    """Return frames of 40 atoms, each displaced at random.

    PbTiO3 2x2x2, or Cu3Al in the same cell's shape for what knows metals only.
    """
    cell = lead_titanate()
    if case.metals:
        cell = bulk("Cu", cubic=True).repeat((1, 2, 5))
        cell.symbols[::4] = "Al"
    else:
        cell = cell.repeat(2)
    frames = []
    for seed in range(count):
        frame = cell.copy()
        frame.rattle(0.05, seed=seed)
        frames.append(frame)
    return frames


@contextmanager
def job_folder(
    case: Case, python: str, frames: list[Atoms], task: str = "evaluate", parameters: dict[str, Any] | None = None
) -> Iterator[Path]:
    """Yield a folder with a job of the engine.

    :param case: its model.
    :param python: of the model's environment.
    :param frames: its structures.
    """
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        variables = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
        subprocess.run([python, str(HERE / "make_checkpoint.py"), case.name, path], env=variables, check=True)
        write_structures(folder / STRUCTURES_FILE, frames, [str(seed) for seed in range(len(frames))])
        (folder / ENGINE_FILE).write_bytes(engine_archive())
        model = reference(case, path, "float64" if case.family == "emt" else "float32")
        job = Job(task, model, parameters or {}, threads=1 if task == "dynamics" else None)
        (folder / JOB_FILE).write_text(json.dumps(job.to_dict()))
        yield folder


def _command(name: str, arguments: list[str], folder: Path = HERE) -> Command:
    return Command(name, arguments, folder, {})


BENCHMARKS: dict[str, Callable[[], None]] = {
    "phonons": phonons,
    "calcjobs": calcjobs,
    "materials": materials,
    "batches": batches,
    "forces": forces,
    "dynamics": dynamics,
    "memory": memory,
    "imports": imports,
}


def main() -> None:
    """Run the benchmarks that the command line names, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"there is no benchmark {name!r}: choose of {', '.join(BENCHMARKS)}")
        print(f"\n### {name}\n\n{BENCHMARKS[name].__doc__}\n", flush=True)
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
