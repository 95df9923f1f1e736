"""Loading what a reference describes, and one clear line where that cannot be done."""

import importlib.metadata
import sys
from pathlib import Path

import ase
import pytest
from ase.build import bulk

from crucible_engine import families
from crucible_engine.families.load import check_package, complete_reference, import_adapter, load_model
from crucible_engine.families.registry import FAMILIES
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

EMT = ModelReference("emt", "emt", dtype="float64")


def refusal(condition, function, *arguments):
    with pytest.raises(EngineError) as caught:
        function(*arguments)
    assert caught.value.condition is condition, caught.value
    assert "\n" not in caught.value.message
    return caught.value.message


def test_the_toy_is_loaded_with_the_digest_of_its_parameters():
    model = load_model(EMT)
    assert model.sha256 == FAMILIES["emt"].names["emt"].sha256
    assert (model.family, model.name, model.dtype, model.device) == ("emt", "emt", "float64", "cpu")
    assert {13, 29, 47, 79} <= model.elements


def test_each_family_has_an_adapter():
    folder = Path(families.__file__).parent
    assert {path.parent.name for path in folder.glob("*/__init__.py")} == set(FAMILIES)
    assert {path.parent.name for path in folder.glob("*/adapter.py")} == set(FAMILIES)


def test_a_reference_is_completed_with_the_canonical_name():
    assert complete_reference(ModelReference("mace", "omat-0-medium", dtype="float64")).name == "medium-omat-0"
    assert complete_reference(ModelReference("chgnet")).name == "0.3.0"
    assert complete_reference(ModelReference("chgnet", checkpoint="mine.pth")).name is None


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (ModelReference("chgnt"), "did you mean 'chgnet'"),
        (ModelReference("chgnet", "0.4.0"), "no weights named '0.4.0'"),
        (ModelReference("chgnet", "0.3.0", checkpoint="mine.pth"), "give one of them"),
        (ModelReference("chgnet", dtype="float16"), "choose float32 or float64"),
        (ModelReference("sevennet", "7net-mf-ompa"), "needs the setting 'modal'"),
        (ModelReference("emt", dtype="float64", checkpoint="mine.pth"), "has no checkpoint files"),
        (ModelReference("ase", dtype="float64"), "needs the setting 'factory'"),
    ],
)
def test_a_reference_that_contradicts_itself_is_refused(reference, message):
    assert message in refusal(Condition.INVALID_JOB, load_model, reference)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tpu"])
def test_a_device_that_is_not_there_is_refused(device):
    assert device in refusal(Condition.DEVICE_UNAVAILABLE, load_model, EMT, device)


def test_other_weights_than_the_jobs_are_refused():
    message = refusal(Condition.WEIGHTS_MISMATCH, load_model, ModelReference("emt", dtype="float64", sha256="f" * 64))
    assert "f" * 64 in message and FAMILIES["emt"].names["emt"].sha256 in message


def test_a_missing_package_names_the_command_that_brings_it(monkeypatch):
    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing)
    message = refusal(Condition.PACKAGE_MISSING, load_model, ModelReference("chgnet"))
    assert "family chgnet" in message and "aiida-crucible env create chgnet" in message


def test_a_package_that_cannot_be_imported_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "chgnet", None)
    message = refusal(Condition.PACKAGE_MISSING, import_adapter, FAMILIES["chgnet"])
    assert "chgnet" in message and "env create chgnet" in message


def test_another_version_than_the_environments_is_refused():
    emt = FAMILIES["emt"]
    assert check_package(emt) == check_package(emt, ase.__version__) == ase.__version__
    message = refusal(Condition.PACKAGE_VERSION, check_package, emt, "0.0.1")
    assert ase.__version__ in message and "0.0.1" in message


def lennard_jones(**arguments):
    return ModelReference(
        "ase",
        trust_code=True,
        dtype="float64",
        settings={"factory": "ase.calculators.lj:LennardJones", "arguments": arguments},
    )


def test_any_ase_calculator_is_a_model():
    from ase.calculators.lj import LennardJones

    model = load_model(lennard_jones(sigma=2.3, epsilon=0.4, rc=5.0))
    atoms = bulk("Ar", a=5.0) * (2, 1, 1)
    atoms.rattle(0.1, seed=0)
    (evaluation,) = model.evaluate_batch([atoms])
    atoms.calc = LennardJones(sigma=2.3, epsilon=0.4, rc=5.0)
    assert evaluation.energy == atoms.get_potential_energy()
    assert (evaluation.forces == atoms.get_forces()).all()
    assert (evaluation.stress == atoms.get_stress()).all()
    assert model.elements == frozenset()  # unknown: nothing is refused


def test_the_digest_of_any_calculator_follows_its_arguments():
    digests = {load_model(lennard_jones(sigma=sigma)).sha256 for sigma in (2.0, 2.0, 2.1)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("ase.calculators.lj.LennardJones", "not of the form"),
        ("ase.calculators.lj:LenardJones", "cannot be imported"),
        ("no_such_package:Calculator", "cannot be imported"),
        ("ase.build:molecule", "made no calculator"),
        ("builtins:dict", "no ASE calculator"),
    ],
)
def test_a_factory_that_gives_no_calculator_is_refused(factory, message):
    reference = ModelReference("ase", trust_code=True, dtype="float64", settings={"factory": factory})
    assert message in refusal(Condition.INVALID_JOB, load_model, reference)
