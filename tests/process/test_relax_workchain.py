"""RelaxWorkChain with ASE's EMT."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode
from ase.build import bulk, fcc111

from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain


@pytest.mark.slow
def test_phases_are_relaxed_in_one_job_and_summarised(code, model):
    phases = {"fcc": from_atoms(bulk("Cu", a=3.7, cubic=True)), "bcc": from_atoms(bulk("Cu", "bcc", a=2.9))}
    results, node = run_get_node(RelaxWorkChain.get_builder_from_protocol(code, model, phases, "fast"))
    assert node.is_finished_ok, node.exit_message
    summary = results["summary"]["structures"]
    assert summary["fcc"]["lattice"]["a"] == pytest.approx(3.59, abs=0.01)
    assert summary["fcc"]["formula_units"] == 4
    assert summary["fcc"]["energy_per_formula_unit"] == pytest.approx(summary["fcc"]["energy"] / 4)
    assert summary["bcc"]["energy_per_formula_unit"] > summary["fcc"]["energy_per_formula_unit"] + 0.01
    assert set(results["relaxed"]) == {"fcc", "bcc"}
    assert results["verification"]["outcome"] == "passed"
    jobs = [child for child in node.called_descendants if isinstance(child, CalcJobNode)]
    assert sum(job.process_label == "RelaxCalculation" for job in jobs) == 1


@pytest.mark.slow
def test_what_does_not_converge_is_an_outcome(code, model):
    overrides = {"base": {"max_iterations": 1, "relax": {"parameters": {"max_steps": 1, "fmax": 1e-6}}}}
    builder = RelaxWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu", a=3.8)), overrides=overrides)
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "not-converged"
    assert "structure" in results["relaxed"]


def test_nothing_to_relax_is_refused(code, model):
    with pytest.raises(ValueError, match="nothing to relax"):
        run_get_node(RelaxWorkChain.get_builder_from_protocol(code, model, {}))


def test_a_cell_with_vacuum_is_not_relaxed(code, model):
    slab = fcc111("Cu", (1, 1, 3), vacuum=8.0)
    slab.pbc = True
    with pytest.raises(ValueError, match=r"'structure': Cu3 has 16.0 Å of vacuum along c: .* set the parameter cell"):
        run_get_node(RelaxWorkChain.get_builder_from_protocol(code, model, from_atoms(slab)))
    far_apart = from_atoms(bulk("Cu", a=361.0, cubic=True))
    with pytest.raises(ValueError, match=r"'structure': Cu4 has 180.5 Å of vacuum along a"):
        run_get_node(RelaxWorkChain.get_builder_from_protocol(code, model, far_apart))
