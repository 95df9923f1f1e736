"""Equation of state, elastic tensor, thermal expansion and conductivity beside matcalc's calculators, by numbers.

Usage, in an environment of matcalc 0.7 and phono3py with the model's package, and then in that of aiida-crucible:
  python properties_matcalc.py matcalc emt|chgnet|chgnet64 CRYSTAL theirs.json
  python properties_matcalc.py crucible emt|chgnet|chgnet64 CRYSTAL theirs.json FOLDER    (the folder of the profile)

``chgnet64`` is CHGNet in double precision on both sides. Both take the crystal as it is given: what is compared are
the cells and the analyses, and not two relaxations. EOSCalc and ElasticityCalc are taken as they come. QHACalc and
Phonon3Calc have the volumes, displacements, supercells and meshes below, and run with the settings of phonopy and
phono3py that they cannot be given, see ``same_settings``; with EMT, which is quick, as they come too (marked ``*``).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import units
from ase.build import bulk

CRYSTALS = {
    "Cu": lambda: bulk("Cu", a=3.59),
    "Al": lambda: bulk("Al", a=4.0),
    "NaCl": lambda: bulk("NaCl", "rocksalt", a=5.6),
    "MgO": lambda: bulk("MgO", "rocksalt", a=4.21),
    "Si": lambda: bulk("Si", a=5.46),
}
WANTED = 1e-4
"""Largest relative deviation: of components from the largest one, of what depends on the temperature at each."""
COLDEST = 100.0
"""K, from which on temperatures are compared: below, numbers vanish."""
STRAINS = (-0.02, 0.05, 11)
"""Of the lengths, for the quasi-harmonic approximation."""
HARMONIC, THIRD_ORDER, MESH = [4, 4, 4], [3, 3, 3], [11, 11, 11]
OTHER_MESHES = [[9, 9, 9]]
DISPLACEMENTS = {"qha": 0.015, "conductivity": 0.03}
HOTTEST, STEP = 1000.0, 10.0
TEMPERATURES = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0]
DOS_MESH = [20, 20, 20]
AS_IT_COMES = " *"
BY_TEMPERATURE = ("thermal_expansion", "gibbs_energy", "bulk_modulus_heated", "heat_capacity", "gruneisen")


def calculator_of(model: str) -> Any:
    """Return ASE's calculator of a model."""
    if model == "emt":
        from ase.calculators.emt import EMT

        return EMT()
    from chgnet.model.dynamics import CHGNetCalculator

    if model == "chgnet":
        return CHGNetCalculator(use_device="cpu")
    import torch
    from chgnet.graph import converter
    from chgnet.model import CHGNet
    from chgnet.model import model as chgnet_model

    network = CHGNet.load(use_device="cpu", verbose=False).double()
    # Its input is in single precision whatever the network is; what it gives is one number for all cells.
    network.composition_model.float()
    converter.TORCH_DTYPE = chgnet_model.TORCH_DTYPE = torch.float64
    torch.set_default_dtype(torch.float64)
    return CHGNetCalculator(network, use_device="cpu")


def same_settings() -> None:
    """Let phonopy and phono3py do what aiida-crucible asks them for, and matcalc leaves at their defaults.

    One mesh for all volumes (QHACalc's grows in steps when the cell shrinks, and its free energy with it); force
    constants that obey the sum rule; no thermodynamics of the translations at Γ; the mean over modes of one frequency,
    without which a conductivity depends on rounding.
    """
    from functools import partialmethod

    from phono3py import Phono3py
    from phonopy import Phonopy

    produced = Phonopy.produce_force_constants

    def symmetrised(phonon: Any, *arguments: Any, **more: Any) -> None:
        produced(phonon, *arguments, **more)
        phonon.symmetrize_force_constants(level=10)

    Phonopy.produce_force_constants = symmetrised
    Phonopy.run_mesh = partialmethod(Phonopy.run_mesh, mesh=DOS_MESH, is_gamma_center=True)
    Phonopy.run_thermal_properties = partialmethod(Phonopy.run_thermal_properties, exclude_gamma_acoustic=True)
    well_defined = {"exclude_gamma_acoustic": True, "average_degenerate_weights": True}
    Phono3py.init_phph_interaction = partialmethod(Phono3py.init_phph_interaction, **well_defined)


def by_matcalc(model: str, crystal: str) -> dict[str, Any]:
    """Return energies against volumes, elastic tensor, what heating does and the conductivity."""
    from matcalc import ElasticityCalc, EOSCalc

    calculator, atoms = calculator_of(model), CRYSTALS[crystal]()
    curve = EOSCalc(calculator, relax_structure=False, fmax=1e-3).calc(atoms)
    elastic = ElasticityCalc(calculator, relax_structure=False).calc(atoms)
    as_they_come = hot_by_matcalc(calculator, atoms) if model == "emt" else {}
    same_settings()
    return {
        "volumes": list(curve["eos"]["volumes"]),
        "energies": list(curve["eos"]["energies"]),
        "bulk_modulus_birch_murnaghan": float(curve["bulk_modulus_bm"]),
        "elastic_tensor": (elastic["elastic_tensor"].voigt / units.GPa).tolist(),
        "bulk_modulus": float(elastic["bulk_modulus_vrh"] / units.GPa),
        "shear_modulus": float(elastic["shear_modulus_vrh"] / units.GPa),
        **{f"{name}{AS_IT_COMES}": values for name, values in as_they_come.items()},
        **hot_by_matcalc(calculator, atoms),
    }


def hot_by_matcalc(calculator: Any, atoms: Any) -> dict[str, Any]:
    """Return what heating does, and the conductivity."""
    from matcalc import Phonon3Calc, QHACalc

    heated = QHACalc(
        calculator,
        relax_structure=False,
        allow_shape_change=False,
        fmax=1e-3,
        t_max=HOTTEST,
        t_step=STEP,
        scale_factors=tuple(1 + np.linspace(*STRAINS)),
        phonon_calc_kwargs={"supercell_matrix": np.diag(HARMONIC), "atom_disp": DISPLACEMENTS["qha"]},
    ).calc(atoms)
    print(f"QHACalc's meshes: {sorted({tuple(each['phonon'].mesh.mesh_numbers.tolist()) for each in heated['ha']})}")
    conducted = Phonon3Calc(
        calculator,
        relax_structure=False,
        fc2_supercell=np.diag(HARMONIC),
        fc3_supercell=np.diag(THIRD_ORDER),
        mesh_numbers=MESH,
        disp_kwargs={"distance": DISPLACEMENTS["conductivity"]},
        t_min=TEMPERATURES[0],
        t_max=TEMPERATURES[-1],
        t_step=TEMPERATURES[1] - TEMPERATURES[0],
    ).calc(atoms)
    return {
        "thermal_expansion": heated["thermal_expansion_coefficients"].tolist(),
        "gibbs_energy": heated["gibbs_free_energies"].tolist(),
        "bulk_modulus_heated": heated["bulk_modulus_P"].tolist(),
        "heat_capacity": heated["heat_capacity_P"].tolist(),
        "gruneisen": heated["gruneisen_parameters"].tolist(),
        "conductivity": conducted["thermal_conductivity"].tolist(),
    }


def by_crucible(model: str, crystal: str, folder: str) -> dict[str, Any]:
    """Return the same by the WorkChains with the protocol ``matcalc``."""
    from aiida_crucible.demo.profile import open_profile

    open_profile(Path(folder))
    from aiida.engine import run_get_node

    from aiida_crucible.launch.environments import environment_of
    from aiida_crucible.nodes import ModelData, from_atoms
    from aiida_crucible.workflows.conductivity import ConductivityWorkChain
    from aiida_crucible.workflows.elastic import ElasticWorkChain
    from aiida_crucible.workflows.equation_of_state import EquationOfStateWorkChain

    family = model.removesuffix("64")
    node = ModelData.get_or_create(family, dtype="float64" if model.endswith("64") else None)
    code = environment_of(node, code=None, computer=None, may_create=lambda _: True, report=print)
    crystal_node = from_atoms(CRYSTALS[crystal]())

    def run(chain: Any, overrides: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        builder = chain.get_builder_from_protocol(code, node, crystal_node, "matcalc", overrides=overrides)
        builder.pop("relax")
        begun = time.perf_counter()
        outputs, process = run_get_node(builder)
        print(f"{process.process_label} took {time.perf_counter() - begun:.0f} s")
        if not process.is_finished_ok:
            sys.exit(f"{process.process_label}<{process.pk}>: {process.exit_message}")
        return outputs, outputs["summary"].get_dict()

    outputs, summary = run(EquationOfStateWorkChain)
    found: dict[str, Any] = {name: outputs["curve"].get_array(name).tolist() for name in ("volumes", "energies")}
    found["bulk_modulus_birch_murnaghan"] = summary["equilibrium"]["bulk_modulus"]
    outputs, summary = run(ElasticWorkChain)
    # As it was fitted: matcalc leaves the crystal's symmetry out.
    found["elastic_tensor"] = outputs["tensor"].get_array("measured").T.tolist()
    found |= {name: summary["moduli"][name] for name in ("bulk_modulus", "shear_modulus")}
    found |= _heated(run)
    phonons = {"supercell_matrix": HARMONIC, "displacement": DISPLACEMENTS["conductivity"]}
    settings = {
        "supercell_matrix": THIRD_ORDER, "displacement": DISPLACEMENTS["conductivity"], "mesh": MESH,
        "other_meshes": OTHER_MESHES, "temperatures": TEMPERATURES,
    }  # fmt: skip
    outputs, summary = run(ConductivityWorkChain, {"phonon": {"parameters": phonons}, "parameters": settings})
    print(summary["reason"])
    tensors = outputs["conductivity"].get_array("conductivity")
    return {**found, "conductivity": (np.trace(tensors, axis1=1, axis2=2) / 3).tolist()}


def _heated(run: Any) -> dict[str, Any]:
    from aiida_crucible.workflows.qha import QuasiHarmonicWorkChain

    smallest, largest, count = STRAINS
    phonons = {
        "supercell_matrix": HARMONIC, "displacement": DISPLACEMENTS["qha"], "dos_mesh": DOS_MESH,
        "max_temperature": HOTTEST, "temperature_step": STEP,
    }  # fmt: skip
    settings = {"smallest_strain": smallest, "largest_strain": largest, "n_points": count}
    atoms_alone = {"relax": {"parameters": {"cell": "fixed", "fmax": 1e-3}}}
    overrides = {"phonons": phonons, "parameters": settings, "volumes": atoms_alone}
    outputs, summary = run(QuasiHarmonicWorkChain, overrides)
    print(summary["reason"], "|", summary["range"]["reason"])
    thermal = outputs["thermal"]
    names = {name: name for name in BY_TEMPERATURE} | {"bulk_modulus_heated": "bulk_modulus"}
    return {name: thermal.get_array(own).tolist() for name, own in names.items()}


def deviation(name: str, first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest relative deviation of two numbers or arrays, see :data:`WANTED`."""
    if name in BY_TEMPERATURE:
        count = min(len(first), len(second))
        own = np.arange(count) * STEP >= COLDEST
        return float(np.abs(second[:count] / first[:count] - 1)[own].max())
    if name == "conductivity":
        return float(np.abs(second / first - 1).max())
    return float(np.abs(second - first).max() / np.abs(first).max())


def main() -> None:
    """Write matcalc's numbers, or print both beside each other; end with 1 where they differ."""
    side, model, crystal, file = sys.argv[1:5]
    if side == "matcalc":
        Path(file).write_text(json.dumps(by_matcalc(model, crystal)), encoding="utf-8")
        return
    theirs = json.loads(Path(file).read_text(encoding="utf-8"))
    ours = by_crucible(model, crystal, sys.argv[5])
    worst = 0.0
    for name, value in theirs.items():
        own = name.removesuffix(AS_IT_COMES)
        first, second = np.array(value), np.array(ours[own])
        off = deviation(own, first, second)
        worst = max(worst, off if own == name else 0.0)
        shown = f"{first:.6g} {second:.6g}" if first.ndim == 0 else f"{first.shape} {second.shape}"
        print(f"{name:30} {shown:30} deviates by {off:.1e}")
    print(f"* as QHACalc and Phonon3Calc come, the others with the same settings on both sides: {worst:.1e} at most")
    if worst > WANTED:
        sys.exit(f"they differ by {worst:.1e}, and {WANTED:.0e} is wanted")


if __name__ == "__main__":
    main()
