"""Protocols: every name gives a builder, and what is misspelt is refused with what was meant."""

from __future__ import annotations

import pytest
from ase.build import bulk

from aiida_crucible.data.model import ModelData
from aiida_crucible.references import pto_test
from aiida_crucible.structures import from_atoms
from aiida_crucible.workflows.phonon import PhononWorkChain
from aiida_crucible.workflows.relax import RelaxWorkChain
from aiida_crucible.workflows.reliability import ReliabilityWorkChain
from crucible_engine.parameters import validate_parameters

WORKCHAINS = (RelaxWorkChain, PhononWorkChain, ReliabilityWorkChain)
NAMES = {"fast", "balanced", "stringent", "pto-test"}


@pytest.fixture
def fcc():
    return from_atoms(bulk("Cu"))


@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_every_protocol_gives_a_builder(workchain, code, model, fcc):
    assert set(workchain.get_available_protocols()) == NAMES
    assert workchain.get_default_protocol() == "balanced"
    for name in NAMES:
        workchain.get_builder_from_protocol(code.full_label, model, fcc, name)


@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_a_misspelt_protocol_is_refused(workchain, code, model, fcc):
    with pytest.raises(ValueError, match="did you mean 'stringent'"):
        workchain.get_builder_from_protocol(code, model, fcc, "stringend")


@pytest.mark.parametrize(
    ("workchain", "overrides", "message"),
    [
        (RelaxWorkChain, {"bass": {}}, "'bass' is unknown: did you mean 'base'"),
        (RelaxWorkChain, {"base": {"relax": {"paramters": {}}}}, "'base.relax.paramters' is unknown"),
        (RelaxWorkChain, {"base": {"relax": {"parameters": {"fmx": 0.1}}}}, "did you mean 'fmax'"),
        (RelaxWorkChain, {"base": {"relax": {"parameters": {"fmax": -1}}}}, "more than 0"),
        (RelaxWorkChain, {"base": 3}, "give a dict"),
        (PhononWorkChain, {"parameters": {"mseh": [1, 1, 1]}}, "did you mean 'mesh'"),
        (PhononWorkChain, {"forces": {"evaluate": {"metadata": {"optins": {}}}}}, "did you mean 'options'"),
        (ReliabilityWorkChain, {"phonon": {"paramters": {}}}, "did you mean 'parameters'"),
        (ReliabilityWorkChain, {"thresholds": {"lattice_tolerence": 0.1}}, "did you mean 'lattice_tolerance'"),
    ],
)
def test_a_misspelt_override_is_refused_with_what_was_meant(workchain, overrides, message, code, model, fcc):
    with pytest.raises(ValueError, match=message):
        workchain.get_builder_from_protocol(code, model, fcc, overrides=overrides)


def test_overrides_and_options_reach_the_jobs(code, model, fcc):
    builder = PhononWorkChain.get_builder_from_protocol(
        code,
        model,
        fcc,
        "fast",
        overrides={"relax": {"relax": {"parameters": {"fmax": 0.02}}}, "verify": {"on_failure": "continue"}},
        options={"max_wallclock_seconds": 60, "device": "cpu"},
    )
    assert builder.relax.relax.parameters["fmax"] == 0.02
    assert builder.relax.relax.parameters["keep_symmetry"] is True
    assert builder.verify.on_failure.value == "continue"
    for job in (builder.relax.relax, builder.forces.evaluate, builder.verify.verify):
        assert job.metadata.options["max_wallclock_seconds"] == 60
        assert job.metadata.options["device"] == "cpu"


def test_stricter_protocols_are_stricter(code, model, fcc):
    limits = [
        PhononWorkChain.get_builder_from_protocol(code, model, fcc, name).relax.relax.parameters["fmax"]
        for name in ("fast", "balanced", "stringent")
    ]
    assert limits == sorted(limits, reverse=True)


def test_pto_test_is_the_published_procedure(code):
    structure = from_atoms(pto_test.starting_cell("tetragonal"))
    model = ModelData.get_or_create("chgnet")
    builder = ReliabilityWorkChain.get_builder_from_protocol(code, model, structure, "pto-test")
    relax = validate_parameters("relax", builder.relax.relax.parameters.get_dict())
    assert (relax["optimizer"], relax["fmax"], relax["cell"]) == ("BFGS", 1e-3, "full")
    assert relax["keep_symmetry"] is True
    phonon = builder.phonon.parameters
    assert phonon["supercell_matrix"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert phonon["band_points"] == 101
    assert phonon["band_labels"] == [["GAMMA", "X", "M", "GAMMA", "Z", "R", "A", "Z"]]
    assert builder.verify.on_failure.value == "continue"


def test_published_cells_and_numbers():
    tetragonal, cubic = pto_test.starting_cell("tetragonal"), pto_test.starting_cell("cubic")
    assert tetragonal.get_chemical_formula() == cubic.get_chemical_formula() == "O3PbTi"
    assert tetragonal.cell.lengths() == pytest.approx([3.87411, 3.87411, 4.19948])
    assert pto_test.table_2()["CHGNet"] == {"a": 3.80, "c": 5.01, "c_over_a": 1.32, "delta_e": 0.24}
    assert pto_test.reference("experiment")["energy_differences"] == {}
    assert pto_test.reference("PBE")["energy_differences"] == {"cubic": 0.20}
    with pytest.raises(ValueError, match="no phase"):
        pto_test.starting_cell("rhombohedral")
    with pytest.raises(ValueError, match="no row"):
        pto_test.reference("CHGNET")
