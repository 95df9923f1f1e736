"""Runs a job that takes hours with AiiDA's own ``run_get_node``: FOLDER (of a profile), and what is run."""

import sys
from pathlib import Path

from aiida.engine import ToContext, WorkChain, run_get_node
from aiida.orm import InstalledCode, ProcessNode, QueryBuilder, StructureData, load_computer
from ase.build import bulk

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.demo.profile import open_profile
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain


class OfSomebodyElse(WorkChain):
    """Calls a WorkChain of this package twice, at the same time, and goes on when they have ended."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("structure", valid_type=StructureData)
        spec.outline(cls.both, cls.again)

    def both(self):
        return ToContext(**{name: self.submit(prepare(self.inputs.structure)) for name in ("one", "other")})

    def again(self):
        return ToContext(more=self.submit(prepare(self.inputs.structure)))


def prepare(structure):
    builder = DynamicsBaseWorkChain.get_builder()
    builder.dynamics.code = InstalledCode(load_computer("localhost"), sys.executable).store()
    builder.dynamics.model = ModelData.get_or_create("emt")
    builder.dynamics.structure = structure
    builder.dynamics.parameters = {"temperatures": [300.0], "steps": 10**7}
    return builder


open_profile(Path(sys.argv[1]))
crystal = from_atoms(bulk("Cu", cubic=True) * (2, 2, 2)).store()
try:
    if sys.argv[2] == "calculation":
        run_get_node(DynamicsCalculation, **prepare(crystal).dynamics._inputs(prune=True))
    elif sys.argv[2] == "workchain":
        run_get_node(prepare(crystal))
    else:
        run_get_node(OfSomebodyElse, structure=crystal)
finally:
    states = QueryBuilder().append(ProcessNode, project="attributes.process_state").all(flat=True)
    print("states:", *states, flush=True)
