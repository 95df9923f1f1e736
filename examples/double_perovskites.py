#!/usr/bin/env python
"""Compare a foundation model with a reference on cubic double perovskites: phonons and anharmonicity, through AiiDA.

Before, once:

    verdi presto
    aiida-crucible env create chgnet
    aiida-crucible env create sevennet

Then:

    python double_perovskites.py Rb3AlF6 Cs2NaInCl6 Cs2AgBiBr6      # as published: 2x2x2 cells, two runs of 2 ps
    python double_perovskites.py --small                            # six materials, for two CPU cores
    python double_perovskites.py --submit                           # leave it to the daemon

The reference is another foundation model here; where you have force constants and frames of your own, import them
(`aiida-crucible reference import`) and give them as `references`. Run again, it finds what was finished before
(doi 10.1039/d5cp04693a).
"""

import argparse

from aiida import load_profile, orm
from aiida.engine import run_get_node, submit

from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.references.published.double_perovskites import double_perovskite
from aiida_crucible.workflows.benchmark import BenchmarkWorkChain

MATERIALS = ("Rb3AlF6", "K2NaAlF6", "Cs2NaInCl6", "Cs2AgBiCl6", "Cs2AgBiBr6", "Cs2NaBiI6")
CUBE = [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]
"""The conventional cell of 40 atoms, in primitive vectors."""

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("materials", nargs="*", default=MATERIALS, help="A2BB'X6, elements in that order")
parser.add_argument("--model", default="chgnet", help="family, or family:name")
parser.add_argument("--reference", default="sevennet:7net-0", help="family:name that stands for the reference")
parser.add_argument("--computer", default="localhost")
parser.add_argument("--small", action="store_true", help="dynamics of 40 atoms, shorter: for two CPU cores")
parser.add_argument("--submit", action="store_true", help="leave it to the daemon")
options = parser.parse_args()


def model_of(text):
    """Return the environment and the potential that are written as `family:name`."""
    family, _, name = text.partition(":")
    return orm.load_code(f"{family}@{options.computer}"), ModelData.get_or_create(family, name or None)


try:
    crystals = {name: double_perovskite(name) for name in options.materials}
except ValueError as error:
    parser.error(str(error))
load_profile()
settings, of_reference = {}, {}
if options.small:
    settings = {
        "dynamics": {"steps": 500, "frame_interval": 2},
        "anharmonicity": {"supercell_matrix": CUBE, "discard": 0.2},
    }
    of_reference = {"dynamics": {"steps": 900, "frame_interval": 2}, "anharmonicity": {"discard": 0.4}}
builder = BenchmarkWorkChain.get_builder_from_protocol(
    models={options.model.replace(":", "_").replace("-", "_"): model_of(options.model)},
    structures={name: from_atoms(atoms) for name, atoms in crystals.items()},
    protocol="double-perovskites",
    reference_model=model_of(options.reference),
    settings=settings,
    reference_settings=of_reference,
)
if options.submit:
    workchain = submit(builder)
    print(f"submitted: `aiida-crucible benchmark status {workchain.pk}` tells how far it is")
    raise SystemExit
_, workchain = run_get_node(builder)
if not workchain.is_finished_ok:
    raise SystemExit(f"{workchain.exit_message}; see `verdi process report {workchain.pk}`")
print(f"done: `aiida-crucible benchmark report {workchain.pk} --output report` writes tables and figures")
