"""A committee of real checkpoints: through the engine, AiiDA and the phonons."""

import numpy as np
import pytest
from aiida.engine import run
from aiida.orm import InstalledCode
from ase.build import bulk
from numpy.testing import assert_allclose

from aiida_crucible.calculations.evaluate import EvaluateCalculation
from aiida_crucible.nodes import ModelData, from_atoms
from aiida_crucible.report.figures.bands import band_chart, band_structure
from aiida_crucible.workflows.phonon import PhononWorkChain
from aiida_crucible.workflows.relax import RelaxWorkChain
from aiida_crucible.workflows.sweep import TemperatureSweepWorkChain
from crucible_engine.families.nep import conformance

pytestmark = pytest.mark.model
SALT = bulk("NaCl", "rocksalt", 5.6)


@pytest.fixture(scope="module")
def code(computer, python_of):
    """Return the environment of NEP."""
    return InstalledCode(label="nep", computer=computer, filepath_executable=str(python_of("nep"))).store()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return three potentials that differ by a percent in each parameter."""
    folder = tmp_path_factory.mktemp("members")
    first = folder / "0.txt"
    conformance.make_checkpoint(next(case for case in conformance.CASES if not case.published), first)
    lines = first.read_text().splitlines()
    header = next(index for index, line in enumerate(lines) if line.startswith("ANN")) + 1
    for number in (1, 2):
        random = np.random.default_rng(number)
        values = np.array(lines[header:], dtype=float) * (1 + 0.01 * random.standard_normal(len(lines) - header))
        (folder / f"{number}.txt").write_text("\n".join([*lines[:header], *(f"{value:.8e}" for value in values), ""]))
    return [folder / f"{number}.txt" for number in range(3)]


def evaluate(code, model):
    atoms = SALT.copy()
    atoms.rattle(0.05, seed=1)
    outputs = run(EvaluateCalculation, code=code, model=model, structures={"salt": from_atoms(atoms)})
    return outputs["properties"]


def test_each_member_says_what_it_says_alone(code, files):
    elements = list(conformance.SYMBOLS)
    together = evaluate(code, ModelData.get_or_create("nep", committee=files, elements=elements))
    alone = [evaluate(code, ModelData.get_or_create("nep", checkpoint=file, elements=elements)) for file in files]
    for name in ("energies", "forces", "stresses"):
        members = np.stack([node.get_array(name)[0] for node in alone])
        assert_allclose(together.get_array(f"ensemble_{name}")[0], members, atol=1e-12)
        assert_allclose(together.get_array(name)[0], members.mean(axis=0), atol=1e-12)
    assert not [name for name in alone[0].get_arraynames() if name.startswith("ensemble")]


def test_phonons_have_the_spread_of_the_members(code, files):
    model = ModelData.get_or_create("nep", committee=files, elements=list(conformance.SYMBOLS))
    builder = PhononWorkChain.get_builder_from_protocol(
        code, model, from_atoms(SALT), "fast", overrides={"parameters": {"supercell_matrix": [2, 2, 2]}}
    )
    builder.pop("relax")
    outputs = run(builder)
    summary = outputs["summary"].get_dict()
    assert summary["committee"]["n_members"] == 3
    spread = outputs["bands"].get_array("spread")
    assert spread.shape == outputs["bands"].get_bands().shape and spread.max() > 0
    chart = band_chart([band_structure("committee", outputs["bands"])])
    assert any(getattr(mark, "has_area", False) for mark in chart.panels[0].marks)


def test_relaxed_crystals_have_the_lattice_and_the_energy_of_each_member(code, files):
    elements = list(conformance.SYMBOLS)

    def relax(**model):
        node = ModelData.get_or_create("nep", elements=elements, **model)
        settings = {"base": {"relax": {"parameters": {"fmax": 1e-6}}}}
        builder = RelaxWorkChain.get_builder_from_protocol(code, node, from_atoms(SALT), "balanced", overrides=settings)
        return run(builder)["summary"]["structures"]["structure"]

    together, alone = relax(committee=files), relax(checkpoint=files[1])
    ensemble = together["ensemble"]
    assert ensemble["n_members"] == ensemble["n_converged"] == 3
    assert_allclose(ensemble["lattice"]["a"][1], alone["lattice"]["a"], atol=1e-3)
    assert_allclose(ensemble["energies_per_formula_unit"][1], alone["energy_per_formula_unit"], atol=1e-4)
    assert ensemble["intervals"]["a"] > 0 and "ensemble" not in alone


def test_a_sweep_says_how_far_its_averages_may_be_off(code, files):
    model = ModelData.get_or_create("nep", committee=files, elements=list(conformance.SYMBOLS))
    dynamics = {"steps": 1000, "frame_interval": 5, "retrieved_frames": 200}
    overrides = {
        "base": {"dynamics": {"parameters": dynamics}},
        "parameters": {"supercell_matrix": [1, 1, 1]},
        "relax": {},
    }
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code, model, from_atoms(SALT), "fast", temperatures=[150, 300], overrides=overrides
    )
    outputs = run(builder)
    found = outputs["ensemble"]
    for label, entry in found["evidence"].items():
        assert entry["temperature"] == float(label[1:])
        assert len(entry["effective_samples"]) == 3
        assert max(entry["effective_samples"]) <= entry["n_independent"] <= entry["n_frames"]
        assert (entry["members"] != {}) == entry["known"] == (min(entry["effective_samples"]) >= 20)
    assert found["answer"] == ("yes" if all(entry["known"] for entry in found["evidence"].values()) else "cannot-tell")
    assert "needed: " in found["reason"] or found["answer"] == "yes"
