"""REMatch of dscribe and of this package, in turn, in one process; and the memory and time of a large job.

Run with the Python of the environment ``analysis`` (``aiida-crucible env create analysis``)::

    PYTHONPATH=src:tests/helpers PYTHON benchmarks/rematch.py pairs     # 24 frames of 320 atoms, three alphas
    PYTHONPATH=src:tests/helpers PYTHON benchmarks/rematch.py memory    # 2000 frames of 40 atoms in 1024 MiB

The frames are Cs2AgBiBr6 with random displacements of 0.15 Å, the SOAP settings those of the double-perovskite study
(doi 10.1039/d5cp04693a). Both get the same descriptors, and as many threads as ``--threads`` says.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal

from crucible_engine.tasks.similarity.descriptors import Describer, Soap
from crucible_engine.tasks.similarity.plan import make_plan
from crucible_engine.tasks.similarity.tiles import Match, TileMaker

ALPHAS = (1.0, 0.1, 0.01)
THRESHOLD = 1e-6
ROUNDS = 5
MEMORY = 2048
"""MiB; the default of a job."""
SPECIES = ("Ag", "Bi", "Br", "Cs")
SOAP = Soap(cutoff=5.0, n_max=7, l_max=6, sigma=0.1, normalise=True)


def perovskite(repeat: int) -> Atoms:
    """Return Cs2AgBiBr6, 40 atoms a cubic cell."""
    basis = [(0.25, 0.25, 0.25), (0, 0, 0), (0.5, 0.5, 0.5), (0.2513, 0, 0)]
    cell = crystal(["Cs", "Ag", "Bi", "Br"], basis, spacegroup=225, cellpar=[11.25] * 3 + [90] * 3)
    return cell * (repeat, repeat, repeat)


def frames(count: int, repeat: int) -> list[Atoms]:
    """Return displaced crystals."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        atoms = perovskite(repeat)
        atoms.positions += rng.normal(0, 0.15, atoms.positions.shape)
        found.append(atoms)
    return found


def kernel_of(rows: list[np.ndarray], alpha: float, threads: int) -> np.ndarray:
    """Return the kernel as a job computes it, tile by tile."""
    plan = make_plan([len(part) for part in rows], rows[0].shape[1], MEMORY, threads)
    blocks = [np.stack([rows[index] for index in block.frames]) for block in plan.blocks]
    kernel = np.empty((len(rows), len(rows)))
    with TileMaker(Match(alpha, THRESHOLD), threads) as maker:
        for first, second in plan.tiles():
            tile = maker.make(blocks[first], blocks[second], first == second)
            places = [list(plan.blocks[index].frames) for index in (first, second)]
            kernel[np.ix_(*places)] = tile
            kernel[np.ix_(*places[::-1])] = tile.T
    lengths = np.sqrt(np.diagonal(kernel))
    return kernel / np.outer(lengths, lengths)


def compare_pairs(threads: int, count: int) -> None:
    """Time both in turn; print medians of milliseconds a pair, the range of the ratio, and the largest difference."""
    from dscribe.kernels import REMatchKernel
    from threadpoolctl import threadpool_limits

    describer = Describer(SOAP, SPECIES)
    rows = [describer.describe(atoms) for atoms in frames(count, 2)]
    n_pairs = len(rows) * (len(rows) + 1) // 2
    print(f"{len(rows)} frames, {len(rows[0])} atoms, {describer.n_features} features, {threads} threads")
    for alpha in ALPHAS:
        seconds: dict[str, list[float]] = {"dscribe": [], "ours": []}
        for _ in range(ROUNDS):
            began = time.perf_counter()
            with threadpool_limits(threads):
                wanted = REMatchKernel(metric="linear", alpha=alpha, threshold=THRESHOLD).create(rows)
            seconds["dscribe"].append(time.perf_counter() - began)
            began = time.perf_counter()
            found = kernel_of(rows, alpha, threads)
            seconds["ours"].append(time.perf_counter() - began)
        best = {name: 1e3 * statistics.median(values) / n_pairs for name, values in seconds.items()}
        ratios = [theirs / ours for theirs, ours in zip(*seconds.values(), strict=True)]
        print(
            f"alpha {alpha:g}: dscribe {best['dscribe']:.1f} ms a pair, ours {best['ours']:.1f} ms, "
            f"{best['dscribe'] / best['ours']:.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f}), "
            f"max |ΔK| {np.abs(found - wanted).max():.1e}",
            flush=True,
        )


def measure_memory(threads: int, count: int, memory: int) -> None:
    """Run a whole job and print its time and the most memory that its process took."""
    from engine_jobs import run_engine, write_job

    with tempfile.TemporaryDirectory() as name:
        labelled = {f"sampler/{index}": atoms for index, atoms in enumerate(frames(count, 1))}
        settings = {"frames": count, "memory": memory}
        folder = write_job(Path(name), "similarity", labelled, model=None, threads=threads, **settings)
        results = run_engine(folder)
        size = results["summary"]["descriptor_bytes"] / 1024**2
        print(json.dumps({key: results[key] for key in ("condition", "message", "timings", "peak_memory")}))
        print(
            f"{count} frames: descriptors of {size:.0f} MiB, {memory} MiB allowed, {results['peak_memory']:.0f} taken"
        )


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pairs", "memory"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--memory", type=int, default=1024)
    options = parser.parse_args()
    if options.what == "pairs":
        compare_pairs(options.threads, options.frames or 24)
    else:
        measure_memory(options.threads, options.frames or 2000, options.memory)


if __name__ == "__main__":
    main()
