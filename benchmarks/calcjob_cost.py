"""What AiiDA adds to a CalcJob: ``run`` of ``crucible.evaluate`` with EMT, less the seconds of its engine.

Usage: python calcjob_cost.py FOLDER [RUNS]    (the profile's folder)
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from ase.build import bulk

from aiida_crucible.demo.profile import open_profile


def main() -> None:
    """Print a Markdown row: median of the whole, of the engine's process, of the difference."""
    open_profile(Path(sys.argv[1]))
    from aiida.common.exceptions import NotExistent
    from aiida.engine import run_get_node
    from aiida.manage.caching import disable_caching
    from aiida.orm import InstalledCode, StructureData, load_code, load_computer
    from aiida.plugins import CalculationFactory

    from aiida_crucible.nodes import ModelData

    try:
        code = load_code("python@localhost")
    except NotExistent:
        code = InstalledCode(
            label="python", computer=load_computer("localhost"), filepath_executable=sys.executable
        ).store()
    inputs = {"code": code, "model": ModelData.get_or_create("emt")}
    structures = {"copper": StructureData(ase=bulk("Cu"))}
    totals, engines = [], []
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 7):
        start = time.perf_counter()
        with disable_caching():
            outputs, node = run_get_node(CalculationFactory("crucible.evaluate"), structures=structures, **inputs)
        totals.append(time.perf_counter() - start)
        if not node.is_finished_ok:
            sys.exit(node.exit_message)
        folder = Path(outputs["remote_folder"].get_remote_path())
        # From the script's upload to the last file that the job wrote.
        engines.append((folder / "exit_status.txt").stat().st_mtime - (folder / "_aiidasubmit.sh").stat().st_mtime)
    totals, engines = totals[1:], engines[1:]
    overheads = [total - engine for total, engine in zip(totals, engines, strict=True)]
    print("| `run` of a CalcJob, s | its job on the computer, s | AiiDA's cost, s |\n|---|---|---|")
    row = [statistics.median(values) for values in (totals, engines, overheads)]
    print("| {:.2f} | {:.2f} | **{:.2f}** |".format(*row))


if __name__ == "__main__":
    main()
