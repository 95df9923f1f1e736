#!/usr/bin/env python
"""Run the PbTiO3 phase-transition test with a foundation model: lattice parameters against temperature, through AiiDA.

Before, once:

    verdi presto
    aiida-crucible env create chgnet

Then:

    python pto_test_npt.py                                   # as published: 625 atoms, 100 ps at each of 8 temperatures
    python pto_test_npt.py --small                           # 40 atoms, 10 ps: for two CPU cores
    python pto_test_npt.py --nvt                             # at the experimental lattice, for the polarization
    python pto_test_npt.py --code chgnet@cluster --submit    # leave it to the daemon and a queue
    python pto_test_npt.py --code nep@localhost --model PK   # a model of `aiida-crucible model add`

Every run begins in the model's own ground state, which the script relaxes first; with `--nvt` only the positions are,
in the experimental lattice. With `--submit` the script ends at once; `aiida-crucible status PK` shows how far it is,
and `--from PK …` draws the figure once it is done, of several sweeps together (doi 10.1021/acs.jpcc.5c07541).
"""

import argparse
from pathlib import Path

from aiida import load_profile, orm
from aiida.engine import run_get_node, submit

from aiida_crucible.analysis.phonons.born_charges import named_charges
from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.references.published import pto_test
from aiida_crucible.report.figures import joined, plot_temperature_curves, save_figure, temperature_curves
from aiida_crucible.workflows.sweep import TemperatureSweepWorkChain

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--code", default="chgnet@localhost", help="environment to run in")
parser.add_argument("--family", default="chgnet", help="model family")
parser.add_argument("--model", metavar="PK|UUID|LABEL", help="model that was added, instead of a family's default")
parser.add_argument("--small", action="store_true", help="2x2x2 cells and a tenth of the time")
parser.add_argument("--nvt", action="store_true", help="the test's NVT runs instead")
parser.add_argument("--temperatures", type=float, nargs="+", help="K, instead of the published ones")
parser.add_argument("--repeat", type=int, metavar="N", help="N x N x N cells, instead of the protocol's")
parser.add_argument("--steps", type=int, help="instead of the published 50 000 (5000 with --small)")
parser.add_argument("--walltime", type=int, help="seconds of one job; what takes longer goes on in another")
parser.add_argument("--submit", action="store_true", help="leave it to the daemon")
parser.add_argument("--figure", type=Path, default=Path("pto_test"), help="where the figure goes, without a suffix")
parser.add_argument("--from", dest="finished", type=int, nargs="+", metavar="PK", help="draw what was run before")
options = parser.parse_args()

load_profile()
if options.finished:
    workchains = [orm.load_node(pk) for pk in options.finished]
else:
    overrides = {}
    if options.steps:
        overrides["base"] = {"dynamics": {"parameters": {"steps": options.steps}}}
    if options.repeat:
        overrides["parameters"] = {"supercell_matrix": [options.repeat] * 3}
    cubic = pto_test.starting_cell("cubic")
    ensemble = "nvt" if options.nvt else "npt"
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code=orm.load_code(options.code),
        model=orm.load_node(options.model) if options.model else ModelData.get_or_create(options.family),
        structure=from_atoms(pto_test.starting_cell("tetragonal")),
        protocol=f"pto-test-{ensemble}-small" if options.small else f"pto-test-{ensemble}",
        temperatures=options.temperatures,
        reference_structure=from_atoms(cubic),
        born_charges=orm.ArrayData({"charges": named_charges("PbTiO3-Zhong-1994").tensors(cubic)}),
        overrides=overrides,
        options={"max_wallclock_seconds": options.walltime} if options.walltime else None,
    )
    if options.submit:
        workchain = submit(builder)
        print(f"submitted: `aiida-crucible status {workchain.pk}`, then `pto_test_npt.py --from {workchain.pk}`")
        raise SystemExit
    workchains = [run_get_node(builder)[1]]

sweeps = {}
for workchain in workchains:
    if not workchain.is_finished_ok:
        raise SystemExit(f"{workchain.exit_message}; see `verdi process report {workchain.pk}`")
    outputs = workchain.outputs
    for name, answer in outputs.summary.get_dict().items():
        if name != "outcomes":
            print(f"{answer['question']} {answer['answer']}: {answer['reason']}")
    curves = temperature_curves(workchain.inputs.model.title, outputs.curves, outputs.analysis, outputs.transitions)
    length = "" if curves.length is None else f", {curves.length[1]:.3g} ps"
    sweeps.setdefault(f"{curves.name}{length}", []).append(curves)
together = [joined(name, several) for name, several in sweeps.items()]
for file in save_figure(plot_temperature_curves(together), options.figure):
    print(f"{file} is drawn")
