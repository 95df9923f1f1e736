"""The same potential is the same node, and what cannot be one says so in a line."""

from __future__ import annotations

import hashlib

import pytest
from aiida.orm import load_node

from aiida_crucible.nodes.model import ModelData
from crucible_engine.families.registry import FAMILIES


@pytest.fixture
def checkpoint(tmp_path):
    """Return the path of a file that stands for somebody's own weights."""
    path = tmp_path / "mine.model"
    path.write_bytes(b"PK\x03\x04weights of " + str(tmp_path).encode())
    return path


def test_same_potential_is_the_same_node():
    first = ModelData.get_or_create("chgnet")
    assert ModelData.get_or_create("chgnet", "0.3.0", dtype="float32").uuid == first.uuid
    assert first.name == "0.3.0"
    assert first.is_stored


def test_another_dtype_is_another_potential():
    assert ModelData.get_or_create("chgnet", dtype="float64").uuid != ModelData.get_or_create("chgnet").uuid


def test_another_setting_is_another_potential():
    first = ModelData.get_or_create("sevennet", "7net-mf-ompa", settings={"modal": "mpa"})
    second = ModelData.get_or_create("sevennet", "7net-mf-ompa", settings={"modal": "omat24"})
    assert first.uuid != second.uuid
    assert first.settings["modal"] == "mpa"


def test_catalogue_describes_released_weights():
    model = ModelData.get_or_create("chgnet")
    known = FAMILIES["chgnet"].names["0.3.0"]
    assert (model.functional, model.hubbard_u, model.licence) == (known.functional, known.hubbard_u, known.licence)
    assert model.sha256 == known.sha256
    assert model.elements == known.elements
    assert not model.is_checkpoint


def test_checkpoint_is_kept_once(checkpoint, tmp_path):
    model = ModelData.get_or_create("mace", checkpoint=checkpoint, elements=["Cu"], functional="PBEsol")
    assert model.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert model.elements == ("Cu",)
    assert model.functional == "PBEsol"
    assert model.is_checkpoint
    copy = tmp_path / "copy.model"
    copy.write_bytes(checkpoint.read_bytes())
    assert ModelData.get_or_create("mace", checkpoint=copy).uuid == model.uuid


def test_nobody_said_which_elements_a_checkpoint_knows(checkpoint):
    assert ModelData.get_or_create("mace", checkpoint=checkpoint).elements is None


def test_checkpoint_may_stay_on_a_computer(checkpoint, localhost):
    model = ModelData.get_or_create("mace", checkpoint=checkpoint, computer=localhost)
    assert model.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert str(model.checkpoint_path) == str(checkpoint)
    assert model.computer.uuid == localhost.uuid
    assert model.base.repository.list_object_names() == []
    assert ModelData.get_or_create("mace", checkpoint=checkpoint, computer=localhost).uuid == model.uuid
    assert ModelData.get_or_create("mace", checkpoint=checkpoint).uuid != model.uuid


def test_trust_is_given_to_a_node_in_this_profile(checkpoint):
    model = ModelData.get_or_create("mace", checkpoint=checkpoint)
    assert not model.to_reference().trust_pickle
    trusted = ModelData.get_or_create("mace", checkpoint=checkpoint, trust_pickle=True)
    assert trusted.uuid == model.uuid
    assert load_node(model.pk).to_reference().trust_pickle
    trusted.base.extras.set(ModelData.TRUSTED_KEY, "another profile")
    assert not trusted.to_reference().trust_pickle


def test_reference_is_complete():
    reference = ModelData.get_or_create("sevennet", "7net-l3i5").to_reference()
    assert (reference.family, reference.name, reference.checkpoint) == ("sevennet", "7net-l3i5", None)
    assert reference.sha256 == FAMILIES["sevennet"].names["7net-l3i5"].sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "chgnte"}, "'chgnte' is unknown: did you mean 'chgnet'"),
        ({"family": "chgnet", "name": "0.3"}, "no weights named '0.3': did you mean '0.3.0'"),
        ({"family": "chgnet", "dtype": "float16"}, "does not compute in 'float16': choose float32 or float64"),
        ({"family": "sevennet", "settings": {"modl": "mpa"}}, "no setting 'modl': did you mean 'modal'"),
        ({"family": "mace", "checkpoint": "/nowhere/mine.model"}, "/nowhere/mine.model is not a file: check its path"),
        ({"family": "chgnet", "name": "0.3.0", "checkpoint": "mine.pt"}, "not both"),
        ({"family": "emt", "checkpoint": "mine.pt"}, "has no checkpoint files"),
        ({"family": "chgnet", "functionl": "PBE"}, "no 'functionl': did you mean 'functional'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_bad_models_say_so_in_a_line(arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        ModelData.get_or_create(**arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"data_Cu\n_cell_length_a 3.6\n", b"\x80\x02}q\x00.", b"\x89HDF"])
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_file_that_can_be_no_checkpoint_is_refused(content, is_elsewhere, tmp_path, localhost):
    path = tmp_path / "some.cif"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"some\.cif is none of mace: it does not begin like an archive of torch"
    ) as raised:
        ModelData.get_or_create("mace", checkpoint=path, computer=localhost if is_elsewhere else None)
    assert "\n" not in str(raised.value)


def test_missing_file_on_a_computer_is_named(localhost):
    with pytest.raises(ValueError, match=r"/nowhere/mine\.model is not a file on computer 'localhost'"):
        ModelData.get_or_create("mace", checkpoint="/nowhere/mine.model", computer=localhost)


def test_released_weights_of_another_family_are_recognised(checkpoint, monkeypatch):
    digest = FAMILIES["chgnet"].names["0.3.0"].sha256
    monkeypatch.setattr("aiida_crucible.nodes.model.digest", lambda path: digest)
    with pytest.raises(ValueError, match="holds weights of chgnet, not of sevennet"):
        ModelData.get_or_create("sevennet", checkpoint=checkpoint)
    assert ModelData.get_or_create("chgnet", checkpoint=checkpoint).training_set == "MPtrj"


def test_a_committee_is_one_potential_of_several_files(tmp_path):
    files = [tmp_path / f"{number}.txt" for number in range(3)]
    for number, file in enumerate(files):
        file.write_text(f"nep4 1 Cu\n{number}")
    model = ModelData.get_or_create("nep", committee=files, elements=["Cu"])
    assert (model.n_members, model.is_checkpoint, model.name) == (3, True, None)
    assert model.title == f"nep committee of 3 {model.sha256[:12]}"
    assert ModelData.get_or_create("nep", committee=[str(file) for file in files]).uuid == model.uuid
    assert ModelData.get_or_create("nep", checkpoint=files[0]).n_members == 0


@pytest.mark.parametrize(
    ("count", "more", "message"),
    [
        (1, {}, "a committee needs 2 members or more"),
        (2, {"name": "nep89"}, "leave name, checkpoint and computer out"),
        (2, {"family": "emt"}, "family 'emt' has no checkpoint files"),
        (2, {"family": "pet", "settings": {"ensemble": 4}}, "files are its members: leave the setting 'ensemble' out"),
        (2, {"family": "mace"}, r"0\.txt is none of mace: .*it looks like one of nep"),
    ],
)
def test_what_makes_no_committee_is_refused_in_one_line(tmp_path, count, more, message):
    files = [tmp_path / f"{number}.txt" for number in range(count)]
    for number, file in enumerate(files):
        file.write_text(f"nep4 1 Cu\n{number}")
    with pytest.raises(ValueError, match=message) as raised:
        ModelData.get_or_create(**{"family": "nep", "committee": files, **more})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("family", "name"), [("nep", "nep89"), ("deepmd", "UniPero"), ("gptff", "gptff_v2")])
def test_weights_that_no_package_brings_are_asked_for_as_a_file(family, name):
    with pytest.raises(ValueError, match=f"no package brings the weights {name}: fetch .*, and give the file"):
        ModelData.get_or_create(family, name)


def test_an_ensemble_that_is_asked_for_has_members_and_is_another_potential():
    alone, with_members = (ModelData.get_or_create("pet", settings=settings) for settings in ({}, {"ensemble": 16}))
    assert (alone.n_members, with_members.n_members, with_members.n_files) == (0, 16, 0)
    assert alone.title == with_members.title == "pet pet-mad-s-v1.6.0" and alone.uuid != with_members.uuid
    with pytest.raises(ValueError, match=r"pet-oam-xl-v1\.0\.0 has no ensemble"):
        ModelData.get_or_create("pet", "pet-oam-xl-v1.0.0", settings={"ensemble": 16})


def test_a_folder_of_parts_is_one_file_and_the_same_node(tmp_path):
    for part in ("model.json", "model.pt", "state.pt"):
        (tmp_path / part).write_text(part)
    model = ModelData.get_or_create("matgl", checkpoint=tmp_path, elements=["Cu"])
    assert model.is_checkpoint
    assert ModelData.get_or_create("matgl", checkpoint=str(tmp_path)).uuid == model.uuid
    (tmp_path / "state.pt").unlink()
    with pytest.raises(ValueError, match=r"has no state\.pt: give the folder that holds") as raised:
        ModelData.get_or_create("matgl", checkpoint=tmp_path)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="is a folder: give a file in it"):
        ModelData.get_or_create("mace", checkpoint=tmp_path)
