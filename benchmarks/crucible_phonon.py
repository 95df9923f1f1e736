"""``crucible.phonon`` with CHGNet 0.3.0 through AiiDA, in a profile of the benchmark's own.

Usage: python crucible_phonon.py FOLDER CRYSTAL N N N FMAX    (the profile's folder; the supercell; eV/Å)

Its settings are those of ``matcalc_phonon.py``. Nothing is found in a cache but the model's verification, which is made
once for a model in an environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

from crystals import CRYSTALS

from aiida_crucible.demo.profile import open_profile


def main() -> None:
    """Run the WorkChain to its end; print the number of displacements, the lowest frequency and the verdict."""
    open_profile(Path(sys.argv[1]))
    from aiida.engine import run_get_node
    from aiida.manage import get_manager
    from aiida.manage.caching import disable_caching
    from aiida.orm import StructureData, load_code

    from aiida_crucible.nodes import ModelData
    from aiida_crucible.workflows.phonon import PhononWorkChain

    structure = StructureData(ase=CRYSTALS[sys.argv[2]]())
    supercell = [int(word) for word in sys.argv[3:6]]
    builder = PhononWorkChain.get_builder_from_protocol(
        load_code("chgnet@localhost"),
        ModelData.get_or_create("chgnet", "0.3.0"),
        structure,
        protocol="balanced",
        overrides={
            "parameters": {"supercell_matrix": supercell, "displacement": 0.01},
            "relax": {"relax": {"parameters": {"fmax": float(sys.argv[6])}}},
        },
    )
    manager = get_manager()
    # A WorkChain that runs in this process learns by polling that its children ended.
    manager.set_runner(manager.create_runner(poll_interval=0.2))
    with disable_caching():
        outputs, node = run_get_node(builder)
    if not node.is_finished_ok:
        sys.exit(f"{node.process_label}<{node.pk}>: {node.exit_message}")
    summary = outputs["summary"].get_dict()
    print({key: value for key, value in summary.items() if isinstance(value, str | int | float)})


if __name__ == "__main__":
    main()
