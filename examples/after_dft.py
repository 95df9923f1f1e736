#!/usr/bin/env python
"""Relax a crystal with Quantum ESPRESSO, and ask whether a foundation model can be trusted for what comes out.

Before, once:

    pip install aiida-quantumespresso
    aiida-pseudo install sssp
    aiida-crucible setup

and a code of pw.x. The module has to be importable for AiiDA's daemon (`PYTHONPATH`). Then:

    python after_dft.py my_crystal.cif --pw pw@cluster --submit
"""

import argparse

from aiida import load_profile, orm
from aiida.engine import ToContext, WorkChain, calcfunction, submit
from aiida.plugins import WorkflowFactory
from ase.io import read

from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.workflows.reliability import ReliabilityWorkChain

PwRelaxWorkChain = WorkflowFactory("quantumespresso.pw.relax")


@calcfunction
def lattice_of(structure, parameters):
    """Return what the model is to be compared with: the lattice of DFT, and which DFT that was."""
    functional = parameters["dft_exchange_correlation"]
    return orm.Dict({"source": functional, "lattice": dict(zip("abc", structure.cell_lengths, strict=True))})


class TrustAfterDftWorkChain(WorkChain):
    """Relax with pw.x, then judge a model on the crystal that comes out, with DFT's lattice as the reference."""

    @classmethod
    def define(cls, spec):
        """Declare both parts; the second gets its structure and its reference from the first."""
        super().define(spec)
        spec.expose_inputs(PwRelaxWorkChain, namespace="dft")
        spec.expose_inputs(ReliabilityWorkChain, namespace="model", exclude=("structure", "reference"))
        spec.outline(cls.relax, cls.judge, cls.results)
        spec.expose_outputs(PwRelaxWorkChain, namespace="dft")
        spec.expose_outputs(ReliabilityWorkChain, namespace="model")
        spec.exit_code(400, "ERROR_DFT_FAILED", message="the relaxation with pw.x failed")
        spec.exit_code(401, "ERROR_MODEL_FAILED", message="the assessment of the model failed")

    @classmethod
    def get_builder_from_protocol(cls, pw_code, code, model, structure, protocol=None, **more):
        """Return a builder that is ready to run; ``more`` goes to the assessment of the model."""
        builder = cls.get_builder()
        builder.dft = PwRelaxWorkChain.get_builder_from_protocol(pw_code, structure)
        # A builder that becomes a part of another one is checked as it is put there, and has to be complete.
        more["options"] = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, **more.get("options", {})}
        trust = ReliabilityWorkChain.get_builder_from_protocol(code, model, structure, protocol, **more)
        trust.pop("structure")  # it comes from DFT
        if not more.get("temperatures"):
            trust.pop("sweep")
        builder.model = trust
        return builder

    def relax(self):
        """Run pw.x."""
        return ToContext(dft=self.submit(PwRelaxWorkChain, **self.exposed_inputs(PwRelaxWorkChain, "dft")))

    def judge(self):
        """Run the model on the crystal of DFT."""
        if not self.ctx.dft.is_finished_ok:
            return self.exit_codes.ERROR_DFT_FAILED
        crystal = self.ctx.dft.outputs.output_structure
        inputs = self.exposed_inputs(ReliabilityWorkChain, "model")
        reference = lattice_of(crystal, self.ctx.dft.outputs.output_parameters)
        return ToContext(model=self.submit(ReliabilityWorkChain, structure=crystal, reference=reference, **inputs))

    def results(self):
        """Hand on what both have found."""
        self.out_many(self.exposed_outputs(self.ctx.dft, PwRelaxWorkChain, "dft"))
        self.out_many(self.exposed_outputs(self.ctx.model, ReliabilityWorkChain, "model"))
        return None if self.ctx.model.is_finished_ok else self.exit_codes.ERROR_MODEL_FAILED


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structure", help="file of a crystal")
    parser.add_argument("--pw", required=True, help="code of pw.x")
    parser.add_argument("--family", default="chgnet", help="model family")
    parser.add_argument("--computer", default="localhost", help="where the model runs")
    parser.add_argument("--submit", action="store_true", help="hand it to the daemon; without, it is only built")
    options = parser.parse_args()

    load_profile()
    builder = TrustAfterDftWorkChain.get_builder_from_protocol(
        orm.load_code(options.pw),
        orm.load_code(f"{options.family}@{options.computer}"),
        ModelData.get_or_create(options.family),
        from_atoms(read(options.structure)),
        "fast",
    )
    if options.submit:
        node = submit(builder)
        print(f"submitted: `aiida-crucible status {node.pk}`")
    else:
        print("it is ready: --submit hands it to the daemon")
