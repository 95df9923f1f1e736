#!/usr/bin/env python
"""Train a committee of small MACE models on rock salt, and see whether its spread is an error bar.

Before, once:

    verdi presto
    aiida-crucible env create chgnet
    aiida-crucible env create mace

Then, half an hour on two CPU cores:

    python committee_salt.py

CHGNet stands for the truth: it labels distorted cells, of which some are learnt by the members, each from other random
weights, and some are kept out. On those the errors of the members' mean are compared with the members' spread; then the
phonon bands of the committee are drawn, with its spread as an area, over those of CHGNet.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np
from aiida import load_profile
from aiida.engine import run
from ase.build import bulk
from ase.io import write

from aiida_crucible.analysis.phonons.committee import interval_factor
from aiida_crucible.calculations.evaluate import EvaluateCalculation
from aiida_crucible.environments import ModelEnvironmentError
from aiida_crucible.environments.codes import find_code
from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.report.figures import band_structure, plot_band_structures, save_figure
from aiida_crucible.workflows.phonon import PhononWorkChain

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--members", type=int, default=4)
parser.add_argument("--epochs", type=int, default=80)
parser.add_argument("--folder", type=Path, default=Path("committee"), help="where weights and figures go")
options = parser.parse_args()
options.folder.mkdir(exist_ok=True)
load_profile()
try:
    mace, chgnet = find_code("mace@localhost"), find_code("chgnet@localhost")
except ModelEnvironmentError as error:
    raise SystemExit(str(error)) from None
LEARNT, KEPT_OUT = 60, 40
TRAINING = {
    "train_file": "train.xyz", "valid_fraction": 0.1, "E0s": "average", "r_max": 5.0, "hidden_irreps": "16x0e+16x1o",
    "MLP_irreps": "8x0e", "correlation": 2, "batch_size": 5, "max_num_epochs": options.epochs, "lr": 0.01,
    "loss": "universal", "default_dtype": "float64", "device": "cpu", "energy_key": "REF_energy",
    "forces_key": "REF_forces", "stress_key": "REF_stress",
}  # fmt: skip


def distorted_cells():
    """Return cells of eight atoms, strained and with displacements from small to those of a hot crystal."""
    rng = np.random.default_rng(0)
    cells = []
    for _ in range(LEARNT + KEPT_OUT):
        atoms = bulk("NaCl", "rocksalt", 5.69, cubic=True)
        strain = rng.normal(scale=0.015, size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += rng.normal(scale=rng.choice([0.02, 0.05, 0.1, 0.15]), size=atoms.positions.shape)
        cells.append(atoms)
    return cells


def evaluated(code, model, cells):
    """Return the arrays that a model gives for cells, in their order."""
    structures = {f"cell_{number:03d}": from_atoms(atoms) for number, atoms in enumerate(cells)}
    return run(EvaluateCalculation, code=code, model=model, structures=structures)["properties"]


def trained(seed):
    """Return the weights of a member that the package's own trainer made from these random numbers."""
    target = options.folder / f"salt-{seed}.model"
    if not target.exists():
        python = mace.filepath_executable
        settings = {**TRAINING, "name": f"salt-{seed}", "seed": seed}
        words = [str(python), "-m", "mace.cli.run_train", *(f"--{key}={value}" for key, value in settings.items())]
        with (options.folder / f"salt-{seed}.log").open("w") as log:
            subprocess.run(words, cwd=options.folder, check=True, stdout=log, stderr=subprocess.STDOUT)
    return target


cells = distorted_cells()
truth = evaluated(chgnet, ModelData.get_or_create("chgnet"), cells)
labels = {name: truth.get_array(name) for name in ("energies", "forces", "stresses")}
for number, atoms in enumerate(cells):
    atoms.info["REF_energy"] = float(labels["energies"][number])
    atoms.info["REF_stress"] = labels["stresses"][number]
    atoms.arrays["REF_forces"] = labels["forces"][number]
write(options.folder / "train.xyz", cells[:LEARNT], format="extxyz")
files = []
for seed in range(1, options.members + 1):
    files.append(trained(seed))
    print(f"member {seed} of {options.members} is trained")

committee = ModelData.get_or_create("mace", committee=files, trust_pickle=True, elements=["Na", "Cl"])
answers = evaluated(mace, committee, cells[LEARNT:])
print(f"on {KEPT_OUT} cells that no member has seen, in which interval of the members' spread lies the truth?")
for name, unit in (("energies", "eV"), ("forces", "eV/Å")):
    members = answers.get_array(f"ensemble_{name}").reshape(KEPT_OUT, options.members, -1)
    error = members.mean(axis=1) - labels[name][LEARNT:].reshape(KEPT_OUT, -1)
    spread = members.std(axis=1, ddof=1)
    for sigmas, nominal in ((1.0, 0.683), (2.0, 0.954)):
        inside = np.mean(np.abs(error) <= interval_factor(options.members, sigmas) * spread)
        print(f"{name}: {100 * inside:.0f} % within the interval of {100 * nominal:.0f} %")
    print(f"{name}: errors {np.sqrt(np.mean(error**2)):.4f}, spread {np.sqrt(np.mean(spread**2)):.4f} {unit} (rms)")
    rows = np.column_stack([np.abs(error).mean(axis=1), spread.mean(axis=1)])
    print(f"{name}: correlation of error and spread over the cells {np.corrcoef(rows.T)[0, 1]:.2f}")

drawn = []
for title, code, model in (
    ("CHGNet, the teacher", chgnet, ModelData.get_or_create("chgnet")),
    (f"committee of {options.members} MACE", mace, committee),
):
    builder = PhononWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("NaCl", "rocksalt", 5.69)), "fast")
    builder.pop("relax")
    outputs = run(builder)
    print(f"{title}: {outputs['summary'].get_dict().get('committee', 'one model')}")
    drawn.append(band_structure(title, outputs["bands"]))
save_figure(plot_band_structures(drawn, "NaCl, at one lattice parameter (5.69 Å)"), options.folder / "bands")
print(f"figures and weights are in {options.folder}")
