"""Check all inputs of the WorkChain of ``examples/after_dft.py`` as AiiDA does when it is submitted."""

from __future__ import annotations

import sys

from aiida import load_profile, orm
from ase.build import bulk

from aiida_crucible.nodes import ModelData, from_atoms

sys.path.append("examples")
from after_dft import TrustAfterDftWorkChain

load_profile()
codes = orm.load_code("pw@localhost"), orm.load_code("emt@localhost")
copper = from_atoms(bulk("Cu", cubic=True))
for more in ({}, {"temperatures": [300.0, 600.0]}):
    builder = TrustAfterDftWorkChain.get_builder_from_protocol(
        *codes, ModelData.get_or_create("emt"), copper, "fast", **more
    )
    inputs = builder._inputs(prune=True)
    wrong = TrustAfterDftWorkChain.spec().inputs.validate(inputs)
    assert wrong is None, wrong
    assert ("sweep" in inputs["model"]) == ("temperatures" in more)
