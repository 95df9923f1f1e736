#!/usr/bin/env python
"""Relax one crystal with a foundation model and compute its phonons, through AiiDA, on this machine.

Before, once:

    verdi presto
    aiida-crucible env create chgnet

Then:

    python relax_and_phonon.py                 # silicon
    python relax_and_phonon.py my_crystal.cif  # anything that ASE can read
"""

import argparse

import ase.io
from aiida import load_profile, orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.report.figures import band_structure, plot_band_structures
from aiida_crucible.workflows.phonon import PhononWorkChain

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("structure", nargs="?", help="file of a crystal; silicon if none is given")
parser.add_argument("--code", default="chgnet@localhost", help="environment to run in")
parser.add_argument("--family", default="chgnet", help="model family")
parser.add_argument("--protocol", default="fast", help="fast, balanced or stringent")
options = parser.parse_args()

load_profile()
atoms = ase.io.read(options.structure) if options.structure else bulk("Si")
model = ModelData.get_or_create(options.family)

builder = PhononWorkChain.get_builder_from_protocol(
    code=orm.load_code(options.code),
    model=model,
    structure=from_atoms(atoms),
    protocol=options.protocol,
)
outputs, workchain = run_get_node(builder)
if not workchain.is_finished_ok:
    raise SystemExit(f"{workchain.exit_message}; see `verdi process report {workchain.pk}`")

plot_band_structures([band_structure(model.title, outputs["bands"])]).savefig("bands.png")
print(f"bands.png is drawn; `verdi process status {workchain.pk}` shows how it was computed")
