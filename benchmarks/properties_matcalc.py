"""``crucible.equation_of_state`` and ``crucible.elastic`` beside matcalc's EOSCalc and ElasticityCalc, by numbers.

Usage, in an environment of matcalc with the model's package, and then in that of aiida-crucible:
  python properties_matcalc.py matcalc emt|chgnet CRYSTAL theirs.json
  python properties_matcalc.py crucible emt|chgnet CRYSTAL theirs.json FOLDER    (the folder of the profile)

Both take the crystal as it is given: what is compared are the cells and the fits, and not two relaxations.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ase import units
from ase.build import bulk

CRYSTALS = {
    "Cu": lambda: bulk("Cu", a=3.59),
    "Al": lambda: bulk("Al", a=4.0),
    "NaCl": lambda: bulk("NaCl", "rocksalt", a=5.6),
    "MgO": lambda: bulk("MgO", "rocksalt", a=4.21),
}
WANTED = 1e-4
"""Largest relative deviation, of components from the largest one."""


def by_matcalc(model: str, crystal: str) -> dict[str, Any]:
    """Return bulk modulus by the curve, elastic tensor and moduli, GPa."""
    from matcalc import ElasticityCalc, EOSCalc

    if model == "emt":
        from ase.calculators.emt import EMT

        calculator = EMT()
    else:
        from chgnet.model.dynamics import CHGNetCalculator

        calculator = CHGNetCalculator(use_device="cpu")
    atoms = CRYSTALS[crystal]()
    curve = EOSCalc(calculator, relax_structure=False, fmax=1e-3).calc(atoms)
    elastic = ElasticityCalc(calculator, relax_structure=False).calc(atoms)
    return {
        "volumes": list(curve["eos"]["volumes"]),
        "energies": list(curve["eos"]["energies"]),
        "bulk_modulus_birch_murnaghan": float(curve["bulk_modulus_bm"]),
        "elastic_tensor": (elastic["elastic_tensor"].voigt / units.GPa).tolist(),
        "bulk_modulus": float(elastic["bulk_modulus_vrh"] / units.GPa),
        "shear_modulus": float(elastic["shear_modulus_vrh"] / units.GPa),
    }


def by_crucible(model: str, crystal: str, folder: str) -> dict[str, Any]:
    """Return the same by the WorkChains with the protocol ``matcalc``."""
    from aiida_crucible.demo.profile import open_profile

    open_profile(Path(folder))
    from aiida.engine import run_get_node
    from aiida.orm import load_code

    from aiida_crucible.nodes import ModelData, from_atoms
    from aiida_crucible.workflows.elastic import ElasticWorkChain
    from aiida_crucible.workflows.equation_of_state import EquationOfStateWorkChain

    found: dict[str, Any] = {}
    for chain in (EquationOfStateWorkChain, ElasticWorkChain):
        node, crystal_node = ModelData.get_or_create(model), from_atoms(CRYSTALS[crystal]())
        builder = chain.get_builder_from_protocol(load_code(f"{model}@localhost"), node, crystal_node, "matcalc")
        builder.pop("relax")
        outputs, process = run_get_node(builder)
        if not process.is_finished_ok:
            sys.exit(f"{process.process_label}<{process.pk}>: {process.exit_message}")
        summary = outputs["summary"].get_dict()
        if "curve" in outputs:
            found["volumes"] = outputs["curve"].get_array("volumes").tolist()
            found["energies"] = outputs["curve"].get_array("energies").tolist()
            found["bulk_modulus_birch_murnaghan"] = summary["equilibrium"]["bulk_modulus"]
        else:
            # As it was fitted: matcalc leaves the crystal's symmetry out.
            found["elastic_tensor"] = outputs["tensor"].get_array("measured").T.tolist()
            found |= {name: summary["moduli"][name] for name in ("bulk_modulus", "shear_modulus")}
    return found


def main() -> None:
    """Write matcalc's numbers, or print both beside each other; end with 1 where they differ."""
    import numpy as np

    side, model, crystal, file = sys.argv[1:5]
    if side == "matcalc":
        Path(file).write_text(json.dumps(by_matcalc(model, crystal)), encoding="utf-8")
        return
    theirs, ours = json.loads(Path(file).read_text(encoding="utf-8")), by_crucible(model, crystal, sys.argv[5])
    worst = 0.0
    for name, value in theirs.items():
        first, second = np.array(value), np.array(ours[name])
        deviation = float(np.abs(second - first).max() / np.abs(first).max())
        worst = max(worst, deviation)
        shown = f"{first:.6g} {second:.6g}" if first.ndim == 0 else f"{first.shape}"
        print(f"{name:30} {shown:30} deviates by {deviation:.1e}")
    if worst > WANTED:
        sys.exit(f"they differ by {worst:.1e}, and {WANTED:.0e} is wanted")


if __name__ == "__main__":
    main()
