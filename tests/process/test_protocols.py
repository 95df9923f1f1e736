"""Protocols: every name gives a builder, and what is misspelt is refused with what was meant."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from aiida.plugins.entry_point import get_entry_points
from ase import units
from ase.build import bulk, molecule

from aiida_crucible.analysis.dynamics.sweep_settings import sweep_supercell
from aiida_crucible.analysis.transitions.resolution import LEAST_TEMPERATURES
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.references.published import pto_test
from aiida_crucible.workflows.conductivity.workchain import ConductivityWorkChain
from aiida_crucible.workflows.elastic.workchain import ElasticWorkChain
from aiida_crucible.workflows.equation_of_state.workchain import EquationOfStateWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.qha.workchain import QuasiHarmonicWorkChain
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain
from crucible_engine.tasks.parameters import validate_parameters

WORKCHAINS = (RelaxWorkChain, PhononWorkChain, ReliabilityWorkChain)
NAMES = {"fast", "balanced", "stringent", "pto-test"}
SWEEPS = {"fast", "balanced", "stringent", *(f"pto-test-{kind}" for kind in ("npt", "nvt", "npt-small", "nvt-small"))}


@pytest.fixture
def fcc():
    return from_atoms(bulk("Cu"))


@pytest.fixture
def cubic():
    return from_atoms(bulk("Cu", cubic=True))


@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_every_protocol_gives_a_builder(workchain, code, model, fcc):
    own = NAMES | ({"pto-test-small"} if workchain is ReliabilityWorkChain else set())
    assert set(workchain.get_available_protocols()) == own
    assert workchain.get_default_protocol() == "balanced"
    for name in own:
        workchain.get_builder_from_protocol(code.full_label, model, fcc, name)


@pytest.mark.slow
def test_every_protocol_of_a_sweep_gives_a_builder(code, model, cubic):
    assert set(TemperatureSweepWorkChain.get_available_protocols()) == SWEEPS
    for name in SWEEPS:
        TemperatureSweepWorkChain.get_builder_from_protocol(code.full_label, model, cubic, name)


@pytest.mark.parametrize("workchain", (*WORKCHAINS, TemperatureSweepWorkChain))
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
        (TemperatureSweepWorkChain, {"parameters": {"temperature": [300]}}, "did you mean 'temperatures'"),
        (TemperatureSweepWorkChain, {"base": {"dynamics": {"parameters": {"stpes": 9}}}}, "did you mean 'steps'"),
        (
            ReliabilityWorkChain,
            {"sweep": {"parameters": {"temperatures": [9], "moed": "heating"}}},
            "did you mean 'mode'",
        ),
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


def test_pto_tests_npt_runs_are_the_published_ones(code):
    structure = from_atoms(pto_test.starting_cell("tetragonal"))
    model = ModelData.get_or_create("chgnet")
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(code, model, structure, "pto-test-npt")
    dynamics = validate_parameters("dynamics", builder.base.dynamics.parameters.get_dict())
    assert dynamics["ensemble"] == "npt-melchionna"
    assert (dynamics["time_step"], dynamics["steps"], dynamics["thermostat_time"]) == (2.0, 50_000, 25.0)
    assert dynamics["pfactor"] == 75.0**2 * units.fs
    assert (dynamics["barostat_time"], dynamics["bulk_modulus"]) == (None, None)
    assert (dynamics["mask"], dynamics["pressure"]) == ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 0.0)
    assert (dynamics["average_from"], dynamics["frame_interval"]) == (0.5, 10)
    settings = builder.parameters.get_dict()
    assert settings["temperatures"] == [300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0]
    assert (settings["mode"], settings["equilibration"]) == ("independent", "fixed")
    assert len(sweep_supercell(settings, to_atoms(structure))) == 625
    assert builder.verify.on_failure.value == "continue"


def test_pto_tests_nvt_runs_are_at_the_experimental_lattice(code):
    structure = from_atoms(pto_test.starting_cell("tetragonal"))
    model = ModelData.get_or_create("chgnet")
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(code, model, structure, "pto-test-nvt")
    dynamics = validate_parameters("dynamics", builder.base.dynamics.parameters.get_dict())
    assert (dynamics["ensemble"], dynamics["friction"]) == ("nvt-langevin", 0.01)
    assert (dynamics["time_step"], dynamics["steps"], dynamics["average_from"]) == (2.0, 50_000, 0.5)
    supercell = sweep_supercell(builder.parameters.get_dict(), to_atoms(structure))
    assert supercell.cell.cellpar() == pytest.approx([19.5, 19.5, 20.75, 90, 90, 90])
    assert len(supercell) == 625


@pytest.mark.parametrize("name", ["pto-test-npt", "pto-test-nvt"])
def test_small_variants_differ_in_size_and_time_alone(name):
    full, small = (TemperatureSweepWorkChain.get_protocol_inputs(which) for which in (name, f"{name}-small"))
    assert small["parameters"].pop("supercell_matrix") == [2, 2, 2]
    assert small["base"]["dynamics"]["parameters"].pop("steps") == 5000
    assert (small["parameters"].pop("stability_time"), full["parameters"].pop("stability_time")) == (10.0, 100.0)
    del full["parameters"]["supercell_matrix"], full["base"]["dynamics"]["parameters"]["steps"]
    assert small == full


def test_the_ensemble_of_a_general_protocol_may_be_another(code, model, fcc):
    overrides = {"base": {"dynamics": {"parameters": {"ensemble": "nvt-langevin", "friction": 0.02}}}}
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code, model, fcc, "balanced", temperatures=[10, 20.5], overrides=overrides, options={"device": "cpu"}
    )
    assert builder.base.dynamics.parameters["friction"] == 0.02
    assert builder.base.dynamics.metadata.options["device"] == "cpu"
    assert builder.parameters["temperatures"] == [10.0, 20.5]


def test_an_assessment_sweeps_temperatures_only_where_they_are_given(code, model, cubic):
    builder = ReliabilityWorkChain.get_builder_from_protocol(code, model, cubic, "fast", options={"device": "cpu"})
    assert "parameters" not in builder.sweep
    builder = ReliabilityWorkChain.get_builder_from_protocol(
        code, model, cubic, "pto-test", temperatures=[300, 400], options={"device": "cpu"}
    )
    assert builder.sweep.parameters["temperatures"] == [300.0, 400.0]
    assert builder.sweep.parameters["supercell_matrix"] == [[5, 0, 0], [0, 5, 0], [0, 0, 5]]
    assert builder.sweep.base.dynamics.metadata.options["device"] == "cpu"
    overrides = {"sweep": {"parameters": {"mode": "heating"}}}
    with pytest.raises(ValueError, match=r"^override 'sweep' has no temperatures.*give `temperatures=\[300"):
        ReliabilityWorkChain.get_builder_from_protocol(code, model, cubic, "fast", overrides=overrides)
    overrides = {"sweep": {"parameters": {"mode": "heating", "temperatures": [300, 400]}}}
    builder = ReliabilityWorkChain.get_builder_from_protocol(code, model, cubic, "fast", overrides=overrides)
    assert builder.sweep.parameters["mode"] == "heating"
    assert builder.sweep.parameters["temperatures"] == [300.0, 400.0]


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


@pytest.mark.parametrize("protocol", sorted(SWEEPS))
def test_a_sweep_asks_what_it_can_answer(protocol):
    """Enough temperatures to exclude a transition, and runs as long as a crystal has to survive."""
    inputs = TemperatureSweepWorkChain.get_protocol_inputs(protocol)
    dynamics, parameters = inputs["base"]["dynamics"]["parameters"], inputs["parameters"]
    assert len(parameters["temperatures"]) >= LEAST_TEMPERATURES
    assert dynamics["steps"] * dynamics["time_step"] / 1000 == pytest.approx(parameters["stability_time"])


PROPERTIES = [
    EquationOfStateWorkChain,
    ElasticWorkChain,
    QuasiHarmonicWorkChain,
    pytest.param(
        ConductivityWorkChain,
        marks=pytest.mark.skipif(find_spec("phono3py") is None, reason="phono3py has no packages for this Python"),
    ),
]


@pytest.mark.parametrize("chain", PROPERTIES)
def test_protocols_of_properties_give_builders(chain, code, model, fcc):
    assert set(chain.get_available_protocols()) == {"fast", "balanced", "stringent", "matcalc"}
    for name in chain.get_available_protocols():
        chain.get_builder_from_protocol(code, model, fcc, name)


@pytest.mark.parametrize("chain", PROPERTIES)
def test_what_is_no_crystal_has_no_properties(chain, code, model):
    with pytest.raises(ValueError, match="is a molecule") as caught:
        chain.get_builder_from_protocol(code, model, from_atoms(molecule("H2O")))
    assert "\n" not in str(caught.value)


def test_every_workchain_checks_its_inputs_by_itself():
    """What is exposed without a namespace brings the check of its own process with it, in AiiDA."""
    points = [point for point in get_entry_points("aiida.workflows") if point.name.startswith("crucible.")]
    checked = [point.load() for point in points if hasattr(point.load(), "check_inputs")]
    assert len(checked) > 10
    for workchain in checked:
        (check,) = (cell.cell_contents for cell in workchain.spec().inputs.validator.__closure__)
        assert check == workchain.check_inputs, workchain
