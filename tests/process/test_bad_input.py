"""What is wrong with the inputs of a WorkChain is said in one line when its builder is made, before anything runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import ArrayData, Computer, Dict, InstalledCode, Int, Node, QueryBuilder
from ase.build import bulk, molecule
from click import ClickException

from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.calculations.resources import check_options, check_placement
from aiida_crucible.calculations.validation import ENVIRONMENT_KEY, promised_package, require_living
from aiida_crucible.cli.status import find_process
from aiida_crucible.environments.codes import as_code, find_code, find_computer
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain

PACKAGE = {"package": "chgnet", "version": "0.4.2"}
WORKCHAINS = (VerifyWorkChain, RelaxWorkChain, PhononWorkChain, ReliabilityWorkChain)


@pytest.fixture(scope="module")
def fcc(profile):
    return from_atoms(bulk("Cu")).store()


@pytest.fixture(scope="module")
def environment(localhost):
    """Return a function that makes a Code that calls itself an environment."""

    def make(family, torch):
        code = InstalledCode(label=family, computer=localhost, filepath_executable="/no/python").store()
        code.base.extras.set(ENVIRONMENT_KEY, {"family": family, "torch": torch, **PACKAGE})
        return code

    return make


def refused(workchain, message, *inputs, **options):
    """Expect a builder to be refused in one line, with nothing stored."""
    before = QueryBuilder().append(Node).count()
    with pytest.raises(ValueError, match=message) as refusal:
        workchain.get_builder_from_protocol(*inputs, **options)
    assert "\n" not in str(refusal.value)
    assert "Error occurred" not in str(refusal.value)
    assert QueryBuilder().append(Node).count() == before


@pytest.mark.parametrize("workchain", WORKCHAINS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devise": "cpu"}, "'options.devise' is unknown: did you mean 'device'"),
        ("cpu", "'options' is 'cpu': give a dict"),
        ({"device": "gpu7"}, "device 'gpu7' is unknown"),
        ({"device": "xpu"}, "device 'xpu' is unknown: give auto, cpu, cuda, cuda:N or mps"),
        ({"max_memory_kb": 1000}, "max_memory_kb is 1000, less than Python and numpy take"),
        ({"max_wallclock_seconds": -5}, "max_wallclock_seconds is -5: give at least 1"),
        ({"resources": {"num_machine": 1}}, "not what core.direct of computer 'localhost' takes"),
        ({"resources": {"num_machines": 1, "num_cores_per_mpiproc": 0}}, "give a whole number, at least 1"),
        ({"resources": {"num_machines": 2}}, "asks for 2 processes"),
    ],
)
def test_wrong_options(workchain, options, message, code, model, fcc):
    refused(workchain, message, code, model, fcc, options=options)


@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_wrong_kinds_of_input(workchain, code, model, fcc):
    refused(workchain, r"Atoms\(.*of type Atoms: give a StructureData \(`aiida_crucible.nodes.from_atoms`",
            code, model, bulk("Cu"))  # fmt: skip
    refused(workchain, r"'Cu.cif', of type str: give a StructureData \(`from_atoms\(ase.io.read", code, model, "Cu.cif")
    refused(workchain, r"is 12, of type int: give a StructureData \(`aiida.orm.load_node\(12\)`", code, model, 12)
    refused(workchain, "'model' is 'emt', of type str: give a ModelData", code, "emt", fcc)
    refused(workchain, r"'code' is 5, of type int: give a Code \(`aiida.orm.load_node\(5\)`", 5, model, fcc)
    refused(workchain, "there is no code 'sevennet@localhost'.*: `aiida-crucible env create sevennet` makes it$",
            "sevennet@localhost", model, fcc)  # fmt: skip
    refused(workchain, "no code 'mace@lumi'.*: `aiida-crucible env create mace --computer lumi` makes it$", "mace@lumi",
            model, fcc)  # fmt: skip
    refused(workchain, "no code 'pyton@localhost' in this profile: did you mean 'python@localhost'", "pyton@localhost",
            model, fcc)  # fmt: skip
    refused(workchain, "overrides are 'fast': give a dict", code, model, fcc, overrides="fast")
    refused(workchain, "no protocol ''", code, model, fcc, protocol="")


@pytest.mark.slow
@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_elements_and_environment_are_checked_before_submission(workchain, model, code, fcc, environment, forgotten):
    refused(workchain, "contains Fe, which model emt does not know", code, model, from_atoms(bulk("Fe")))
    refused(workchain, "is an environment of family 'mace'", environment("mace", "2.13.0"), model, fcc)
    toy, without_gpu = environment("emt", None), environment("chgnet", "2.13.0+cpu")
    refused(workchain, "emt computes on the cpu only", toy, model, fcc, options={"device": "cuda"})
    chgnet = ModelData.get_or_create("chgnet")
    refused(workchain, "torch for the cpu only", without_gpu, chgnet, fcc, options={"device": "cuda:1"})


def test_any_calculator_runs_in_any_environment(environment, fcc, forgotten):
    model = ModelData.get_or_create("ase", trust_code=True, settings={"factory": "ase.calculators.emt:EMT"})
    other = environment("chgnet", "2.13.0+cpu")
    RelaxWorkChain.get_builder_from_protocol(other, model, fcc)
    assert promised_package(other, model.family) is None
    assert promised_package(other, "chgnet") == ("chgnet", "0.4.2")


@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_a_code_on_a_computer_that_is_not_configured(workchain, model, fcc, forgotten):
    imported = Computer("localhost (Imported #0)", "localhost", "", "core.local", "core.direct", "/tmp").store()
    code = InstalledCode(label="chgnet", computer=imported, filepath_executable="/no/python").store()
    refused(workchain, "`verdi computer configure core.local 'localhost", code, model, fcc)


def test_a_cell_moves_in_crystals_alone(code, model):
    water = from_atoms(molecule("H2O"))
    refused(RelaxWorkChain, "H2O is a molecule .* set the parameter cell to 'fixed'", code, model, water)
    RelaxWorkChain.get_builder_from_protocol(
        code, model, water, overrides={"base": {"relax": {"parameters": {"cell": "fixed"}}}}
    )
    refused(RelaxWorkChain, "there is nothing to relax", code, model, {})


def test_competing_phases_and_reference(code, model, fcc):
    refused(ReliabilityWorkChain, "competing", code, model, fcc, competing=fcc)
    refused(ReliabilityWorkChain, "is Au, but the structure is Cu", code, model, fcc,
            competing={"gold": from_atoms(bulk("Au"))})  # fmt: skip
    refused(ReliabilityWorkChain, "give a Dict", code, model, fcc, reference="experiment")
    refused(ReliabilityWorkChain, "did you mean 'lattice'", code, model, fcc, reference={"latice": {}})
    refused(ReliabilityWorkChain, "'thresholds' is 5: give a dict", code, model, fcc, overrides={"thresholds": 5})


@pytest.mark.parametrize(
    ("charges", "dielectric", "message"),
    [
        (np.zeros((2, 3, 3)), np.eye(3), "one 3x3 tensor for each atom"),
        (np.full((1, 3, 3), np.nan), np.eye(3), "not finite"),
        (np.zeros((1, 3, 3)), np.zeros((3, 3)), "positive definite"),
    ],
)
def test_born_charges_that_are_none(charges, dielectric, message, code, model, fcc):
    born = ArrayData({"charges": charges, "dielectric": dielectric})
    refused(PhononWorkChain, message, code, model, fcc, overrides={"born_charges": born})


def test_a_verification_of_another_model(code, model, fcc):
    refused(PhononWorkChain, "holds no results", code, model, fcc, overrides={"verification": Dict({"a": 1})})
    other = {"family": "chgnet", "name": "0.3.0", "sha256": "d14a"}
    results = Dict({"task": "verify", "outcome": "passed", "model": other})
    refused(PhononWorkChain, "is of chgnet 0.3.0", code, model, fcc, overrides={"verification": results})


def test_a_restart_workchain_that_would_run_nothing():
    builder = EvaluateBaseWorkChain.get_builder()
    with pytest.raises(ValueError, match="max_iterations is 0: give at least 1"):
        builder.max_iterations = Int(0)


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        (5, {}, "model family 5 is unknown"),
        ("chgnet", {"name": 5}, "no weights named 5"),
        ("chgnet", {"name": ""}, "no weights named ''"),
        ("chgnet", {"settings": "modal=mpa"}, "settings is 'modal=mpa': give a dict"),
        ("chgnet", {"trust_pickle": "no"}, "trust_pickle is 'no': give True or False"),
        ("chgnet", {"checkpoint": 5}, "checkpoint is 5: give a path"),
        ("chgnet", {"checkpoint": __file__, "computer": "localhost"}, "give a Computer"),
        ("chgnet", {"checkpoint": __file__, "elements": "Pb"}, "elements is 'Pb': give a list"),
        ("chgnet", {"checkpoint": __file__, "elements": ["Pq"]}, "'Pq', which is no chemical symbol"),
        ("chgnet", {"checkpoint": __file__, "functional": 5}, "functional is 5: give text"),
    ],
)
def test_models_of_wrong_kinds(family, given, message):
    with pytest.raises(ValueError, match=message):
        ModelData.get_or_create(family, **given)


@pytest.mark.parametrize("workchain", WORKCHAINS)
def test_a_device_without_double_precision(workchain, fcc, environment, forgotten):
    double = ModelData.get_or_create("chgnet", dtype="float64")
    message = "device 'mps' has no double precision, in which this job computes"
    refused(workchain, message, environment("chgnet", "2.13.0"), double, fcc, options={"device": "mps"})


def test_a_toolset_without_torch_has_no_gpu(environment):
    """It could have torch, unlike EMT."""
    without_torch = environment("analysis", None)
    with pytest.raises(
        ValueError, match="has no torch: `aiida-crucible env create analysis --torch cuda` makes another"
    ):
        check_placement(without_torch, {"device": "cuda"})
    check_placement(without_torch, {"device": "auto"})


@pytest.mark.parametrize("workchain", (PhononWorkChain, ReliabilityWorkChain))
def test_what_is_wrong_with_the_structure_is_said_once(workchain, code, model):
    twice = bulk("Cu", cubic=True)
    twice.positions[1] = twice.positions[0]
    refused(workchain, r"^input 'structure': the structure has (?!.*'structure')", code, model, from_atoms(twice))


def test_numbers_of_numpy_are_numbers(code, model, fcc):
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code,
        model,
        from_atoms(bulk("Cu", cubic=True)),
        "fast",
        temperatures=np.linspace(100, 300, 3),
        overrides={
            "parameters": {"supercell_matrix": 2 * np.eye(3, dtype=int)},
            "base": {
                "max_iterations": np.int64(3),
                "dynamics": {"parameters": {"steps": np.int64(100), "time_step": np.float32(2), "seed": np.uint8(7)}},
            },
        },
        options={"max_wallclock_seconds": np.int64(3600), "resources": {"num_machines": np.int32(1)}},
    )
    dynamics = builder.base.dynamics
    assert builder.parameters["temperatures"] == [100.0, 200.0, 300.0]
    assert builder.parameters["supercell_matrix"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert builder.base.max_iterations.value == 3
    assert [dynamics.parameters[name] for name in ("steps", "time_step", "seed")] == [100, 2.0, 7]
    assert type(dynamics.metadata.options["max_wallclock_seconds"]) is int
    relax = RelaxCalculation.get_builder()
    relax.parameters = {"keep_symmetry": np.bool_(False), "max_steps": np.int64(100)}
    assert relax.parameters["keep_symmetry"] is False
    assert json.loads(json.dumps(relax.parameters.get_dict()))["max_steps"] == 100
    builder = ReliabilityWorkChain.get_builder_from_protocol(
        code, model, fcc, "fast", reference={"source": "me", "lattice": {"a": np.float32(3.5)}}
    )
    assert builder.reference["lattice"] == {"a": 3.5}


@pytest.mark.parametrize("value", [np.array([1, 2]), np.array("a"), np.complex128(1)])
def test_other_things_of_numpy_are_not(value, code, model, fcc):
    overrides = {"base": {"relax": {"parameters": {"max_steps": value}}}}
    refused(RelaxWorkChain, "'max_steps' of relax is .*: give a whole number", code, model, fcc, overrides=overrides)


@pytest.mark.slow
def test_a_code_that_is_no_python_says_nothing_of_the_model(model, localhost, fcc):
    shell = InstalledCode(label="shell", computer=localhost, filepath_executable="/bin/bash").store()
    _, node = run_get_node(RelaxWorkChain.get_builder_from_protocol(shell, model, fcc, "fast"))
    assert node.exit_status == RelaxWorkChain.exit_codes.ERROR_VERIFICATION_UNFINISHED.status
    assert node.exit_message.startswith("the model could not be verified: ")
    assert "the Code must be a Python" in node.exit_message


def test_a_name_that_no_line_holds_is_shown_in_one(code):
    message = r"input 'trajectories'\.é is 'x', of type str: give a TrajectoryData"
    refused(ConfigurationSpaceWorkChain, message, code, {"é\n": "x"})


def test_an_input_that_is_nested_too_deeply_is_refused_where_processes_are_given_their_inputs():
    deep = [None]
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match=r"what is given: it nests more than 64 levels deep"):
        require_living("what is given", {"parameters": deep})


@pytest.mark.parametrize("name", ["max_wallclock_seconds", "max_memory_kb"])
@pytest.mark.parametrize("value", [(), "x", True, {}])
def test_a_limit_that_is_no_number_is_refused_before_it_is_compared(name, value):
    with pytest.raises(ValueError, match=rf"metadata\.options\.{name} is .*: give ") as refusal:
        check_options({name: value})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("find", [find_code, find_computer, as_code, find_process])
def test_a_number_that_no_database_holds_names_nothing(find, code):
    with pytest.raises((ValueError, ModelEnvironmentError, ClickException), match=r"there is no "):
        find("9" * 400)
