"""Codes of environments: what ``chgnet@localhost`` means, what it meant before, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida.common.exceptions import NotExistent
from aiida.orm import Computer, InstalledCode, load_code, load_node

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.environments import ModelEnvironmentError, Specification, TorchBuild, local
from aiida_crucible.environments.codes import (
    ROOT_PROPERTY,
    find_code,
    find_computer,
    find_environment,
    register,
    registered_environments,
)
from aiida_crucible.environments.lock_record import LOCK_KEY, lock_of_today
from aiida_crucible.environments.manage import Request, create_environment, remove_environment
from aiida_crucible.workflows.common.protocols import as_code

CONTENT = {
    "torch": "2.13.0+cpu",
    "python": "3.11.7",
    "megabytes": 1,
    "packages": {"chgnet": "0.4.2", "sevenn": "0.13.0"},
}


@pytest.fixture
def computer(forgotten, tmp_path):
    """Return this machine under a name of its own."""
    computer = Computer("here", "localhost", "this machine", "core.local", "core.direct", str(tmp_path)).store()
    computer.configure()
    return computer


@pytest.fixture
def make(computer, tmp_path):
    """Return a function that lays an environment's folder and registers it."""

    def make(family="chgnet", build="cpu", label=None, on=computer):
        specification = Specification(family, "3.11", TorchBuild(build))
        python = tmp_path / specification.folder / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        return register(on, str(python), specification, CONTENT, label)

    return make


def test_code_says_what_it_is(make):
    code = make()
    assert code.full_label == "chgnet@here"
    assert "chgnet 0.4.2, torch 2.13.0+cpu" in code.description
    environment = code.base.extras.get(ENVIRONMENT_KEY)
    assert environment["family"] == "chgnet"
    assert environment["package"] == "chgnet"
    assert environment["version"] == "0.4.2"
    assert environment["lock"] in str(code.filepath_executable)


def test_packages_and_lock_are_kept_with_the_code(make):
    code = make(build="cu128")
    environment, kept = code.base.extras.get(ENVIRONMENT_KEY), code.base.extras.get(LOCK_KEY)
    assert kept["packages"] == CONTENT["packages"]
    assert environment["lock"] in kept["lock"].splitlines()[0]
    assert kept["lock"].count("--hash=sha256:") > 100
    assert "# torch==" in kept["lock"] and "build 'cu128'" in kept["lock"]
    assert kept["lock"] == lock_of_today(environment)
    assert lock_of_today({**environment, "lock": "0a1b2c"}) is None
    assert lock_of_today({**environment, "family": "gone"}) is None
    assert code.base.caching.compute_hash() == code.base.caching.get_hash()


def test_registering_twice_is_the_same_code(make):
    assert make().uuid == make().uuid


def test_label_always_means_the_current_environment(make):
    old = make(build="cpu")
    executable = old.filepath_executable
    new = make(build="cuda")
    assert load_code("chgnet@here").uuid == new.uuid
    assert old.is_hidden
    assert old.label.startswith("chgnet-")
    assert load_node(old.pk).filepath_executable == executable, "what ran with it stays true"
    assert find_environment("chgnet").code.uuid == new.uuid

    assert make(build="cpu").uuid == old.uuid, "the old one is found again, not made anew"
    assert load_code("chgnet@here").uuid == old.uuid
    assert not old.is_hidden
    assert new.is_hidden


def test_two_labels_are_two_environments(make):
    make(build="cpu")
    make(build="cuda", label="chgnet-gpu")
    assert {item.code.label for item in registered_environments()} == {"chgnet", "chgnet-gpu"}


def test_code_of_the_user_is_never_taken_over(make, computer):
    mine = InstalledCode(label="chgnet", computer=computer, filepath_executable="/usr/bin/python3").store()
    with pytest.raises(ModelEnvironmentError, match=r"'chgnet@here' exists .* choose another label with --label"):
        make()
    assert mine.label == "chgnet"


def test_same_label_on_two_computers(make, tmp_path):
    other = Computer("there", "localhost", "as well", "core.local", "core.direct", str(tmp_path)).store()
    other.configure()
    make()
    make(on=other)
    assert find_environment("chgnet@there").code.computer.label == "there"
    assert find_environment("chgnet", other).code.computer.label == "there"
    with pytest.raises(ModelEnvironmentError, match="several computers: choose one of chgnet@here, chgnet@there"):
        find_environment("chgnet")


def test_another_label_renames_nothing(make):
    first = make()
    second = make(label="chgnet-too")
    assert (first.label, second.label) == ("chgnet", "chgnet-too")
    assert first.filepath_executable == second.filepath_executable
    assert [make().pk, make(label="chgnet-too").pk] == [first.pk, second.pk]
    remove_environment(find_environment("chgnet"))
    assert not list(registered_environments()), "both are of the folder that is gone"


@pytest.mark.parametrize("label", ["\N{LATIN SMALL LETTER U WITH DIAERESIS}", "a\nb", "a b", "a\n", "-a", "", "a@b"])
def test_a_label_that_no_code_should_have_is_refused_before_anything_changes(label, make):
    code = make()
    with pytest.raises(ModelEnvironmentError, match="is no Code's: begin with a letter") as refusal:
        make(label=label)
    assert "\n" not in str(refusal.value)
    assert code.label == "chgnet"
    assert [item.code.pk for item in registered_environments()] == [code.pk]


def test_codes_of_an_imported_archive_do_not_stand_in_the_way(make, tmp_path):
    raw = Computer("here (Imported #0)", "localhost", "", "core.local", "core.direct", str(tmp_path)).store()
    imported = make(on=raw)
    mine = make()
    assert find_environment("chgnet").code.pk == mine.pk
    assert find_code("chgnet").pk == mine.pk
    assert as_code("chgnet").pk == mine.pk
    assert find_environment(str(imported.pk)).state == "unreachable"


def test_a_root_is_remembered_once_something_lies_there(computer, tmp_path, monkeypatch):
    def fail(*arguments, **named):
        raise ModelEnvironmentError("there is no room")

    monkeypatch.setattr(local, "ensure", fail)
    with pytest.raises(ModelEnvironmentError, match="no room"):
        create_environment(Request("emt"), computer, root=str(tmp_path / "full"), report=print)
    assert computer.get_property(ROOT_PROPERTY, None) is None
    folder = tmp_path / "roomy" / Specification("emt", "3.11", TorchBuild("cpu")).folder
    monkeypatch.setattr(local, "ensure", lambda *arguments, **named: folder / "bin" / "python")
    monkeypatch.setattr(local, "read_content", lambda folder: {**CONTENT, "packages": {"ase": "3.26.0"}})
    code = create_environment(Request("emt"), computer, root=str(tmp_path / "roomy"), report=print)
    assert computer.get_property(ROOT_PROPERTY) == str(tmp_path / "roomy")
    assert str(code.filepath_executable).startswith(str(tmp_path / "roomy"))


def test_state(make, monkeypatch, tmp_path):
    code = make()
    (environment,) = registered_environments()
    assert environment.state == "ready"
    monkeypatch.setattr(Specification, "digest", "0" * 12)
    assert environment.state == "outdated"
    code_path = tmp_path / environment.folder.name / "bin" / "python"
    code_path.unlink()
    assert environment.state == "missing"
    code.is_hidden = True
    assert environment.state == "retired"


def test_removal_keeps_the_provenance(make):
    code = make()
    (environment,) = registered_environments()
    executable, folder = code.filepath_executable, environment.folder
    remove_environment(environment)
    assert not Path(folder).exists()
    assert load_node(code.pk).filepath_executable == executable
    assert not list(registered_environments())
    with pytest.raises(NotExistent):
        load_code("chgnet@here")
    with pytest.raises(ModelEnvironmentError, match="there is no environment 'chgnet'"):
        find_environment("chgnet")


def test_removal_never_deletes_what_it_did_not_make(make, computer, tmp_path):
    precious = tmp_path / "precious" / "bin"
    precious.mkdir(parents=True)
    (precious / "python").touch()
    code = InstalledCode(label="mine", computer=computer, filepath_executable=str(precious / "python")).store()
    code.base.extras.set(ENVIRONMENT_KEY, make().base.extras.get(ENVIRONMENT_KEY))
    with pytest.raises(ModelEnvironmentError, match="does not look like an environment"):
        remove_environment(find_environment("mine"))
    assert (precious / "python").exists()


def test_unknown_names_are_answered_with_known_ones(make):
    make()
    with pytest.raises(ModelEnvironmentError, match="did you mean 'chgnet'"):
        find_environment("chgnett")
    with pytest.raises(ModelEnvironmentError, match="no computer 'heer' in this profile: did you mean 'here'"):
        find_computer("heer")


def test_computer_that_is_not_configured(forgotten, tmp_path):
    Computer("raw", "localhost", "", "core.local", "core.direct", str(tmp_path)).store()
    with pytest.raises(ModelEnvironmentError, match="`verdi computer configure core.local raw`".replace(".", r"\.")):
        find_computer("raw")
