#!/usr/bin/env python
"""Phonons of a crystal and then its hot run, as two tasks of an aiida-workgraph.

Before, once:

    pip install aiida-workgraph
    aiida-crucible setup

Then:

    python in_a_workgraph.py                 # copper with EMT, on this machine
    python in_a_workgraph.py --family chgnet --submit
"""

import argparse

from aiida import load_profile, orm
from aiida_workgraph import WorkGraph
from ase.build import bulk

from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.workflows.phonon import PhononWorkChain
from aiida_crucible.workflows.sweep import TemperatureSweepWorkChain


def graph_of(code, model, structure, temperatures, *, protocol="fast", steps=None):
    """Return the graph: the crystal that the phonons were computed of, relaxed, is the one that is run hot."""
    dynamics = {"steps": steps} if steps else {}
    phonons = PhononWorkChain.get_builder_from_protocol(code, model, structure, protocol)
    hot = TemperatureSweepWorkChain.get_builder_from_protocol(
        code,
        model,
        structure,
        protocol,
        temperatures=temperatures,
        overrides={"base": {"dynamics": {"parameters": dynamics}}},
    )
    graph = WorkGraph("phonons_then_heat")
    first = graph.add_task(PhononWorkChain, name="phonons")
    first.set_from_builder(phonons)
    second = graph.add_task(TemperatureSweepWorkChain, name="heat")
    second.set_from_builder(hot)
    graph.add_link(first.outputs.structure, second.inputs.structure)
    return graph


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="emt", help="model family")
    parser.add_argument("--computer", default="localhost")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[300.0])
    parser.add_argument("--steps", type=int, default=200, help="of the dynamics")
    parser.add_argument("--submit", action="store_true", help="leave it to the daemon")
    options = parser.parse_args()

    load_profile()
    graph = graph_of(
        orm.load_code(f"{options.family}@{options.computer}"),
        ModelData.get_or_create(options.family),
        from_atoms(bulk("Cu", cubic=True)),
        options.temperatures,
        steps=options.steps,
    )
    if options.submit:
        graph.submit()
        print(f"submitted: `aiida-crucible status {graph.pk}`")
    else:
        graph.run()
        print(f"PK {graph.pk} is {graph.state.lower()}")
        print(graph.tasks.heat.process.outputs.summary["stability"]["reason"])
