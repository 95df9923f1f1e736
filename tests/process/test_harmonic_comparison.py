"""HarmonicComparisonWorkChain with ASE's EMT: what is the same, what is softer, what gives no phonons at all."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.harmonic_comparison.workchain import HarmonicComparisonWorkChain

QUICK = {"mesh": [4, 4, 4], "dos_mesh": [6, 6, 6], "band_points": 5}
COMPARISON = {"mesh": [4, 4, 4], "thermal_mesh": [6, 6, 6]}


def reference_of(atoms, scale=1.0):
    """Return force constants of EMT itself, scaled, as they would be imported."""
    phonon = build_phonopy(atoms, np.eye(3, dtype=int) * 2)
    plan = plan_displacements(phonon, [0.01])
    structures = plan.structures()
    for structure in structures:
        structure.calc = EMT()
    forces = np.array([structure.get_forces() for structure in structures])
    values = solve_force_constants(phonon, plan.sets[0], plan.split(forces).sets[0]).values
    return ArrayData(
        {
            "force_constants": scale * values,
            "supercell_matrix": np.array(phonon.supercell_matrix),
            "primitive_matrix": np.array(phonon.primitive_matrix, dtype=float),
        }
    )


def compared(code, model, atoms, constants, **overrides):
    return HarmonicComparisonWorkChain.get_builder_from_protocol(
        code,
        model,
        from_atoms(atoms),
        constants,
        "fast",
        overrides={"parameters": COMPARISON, **overrides},
    )


@pytest.mark.slow
def test_the_model_against_its_own_softened_self(code, model):
    atoms = bulk("Cu", a=3.61)
    builder = compared(code, model, atoms, reference_of(atoms, 0.81), phonon={"parameters": QUICK})
    builder.phonon.pop("relax")
    assert builder.phonon.parameters["supercell_matrix"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    summary = results["summary"].get_dict()
    highest = summary["frequencies"]["maximum"]
    assert summary["outcome"] == "compared"
    assert highest["model"] / highest["reference"] == pytest.approx(1 / 0.9, rel=1e-4)
    assert summary["errors"]["by_order"]["squares"] == pytest.approx(summary["errors"]["by_overlap"]["squares"])
    squares = np.abs(results["modes"].get_array("reference_frequencies")) ** 4
    mean = np.average(squares.mean(axis=1), weights=results["modes"].get_array("weights"))
    assert summary["errors"]["by_order"]["squares"] == pytest.approx((1 / 0.81 - 1) * np.sqrt(mean), rel=1e-4)
    assert "force_constants" in results["phonon"]


@pytest.mark.slow
def test_a_model_without_phonons_is_no_failure(code, model):
    atoms = bulk("Cu", a=3.8)
    unrelaxed = {"max_iterations": 1, "relax": {"parameters": {"max_steps": 1, "fmax": 1e-6}}}
    builder = compared(code, model, atoms, reference_of(atoms), phonon={"parameters": QUICK, "relax": unrelaxed})
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results["summary"]["outcome"] == "no-phonons"
    assert "not-relaxed" in results["summary"]["reason"]
    assert "modes" not in results


def test_mistakes_are_one_line_before_anything_runs(code, model):
    atoms = bulk("Cu", a=3.61)
    constants = reference_of(atoms)
    other = bulk("Cu", cubic=True)
    for overrides, crystal, message in (
        ({"parameters": {"mehs": [4, 4, 4]}}, atoms, "did you mean 'mesh'"),
        ({"phonon": {"parameters": {"mehs": [4, 4, 4]}}}, atoms, "did you mean 'mesh'"),
        ({"phonons": {}}, atoms, "did you mean 'phonon'"),
        ({}, other, "the reference: force constants of shape"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            HarmonicComparisonWorkChain.get_builder_from_protocol(
                code, model, from_atoms(crystal), constants, "fast", overrides=overrides
            )
        assert len(str(caught.value).splitlines()) == 1
