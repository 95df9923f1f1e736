"""The catalogue of model families: look-up, validation, and that it tells no more than is known."""

import re
import subprocess
import sys

import pytest

from crucible_engine.families.registry import (
    FAMILIES,
    Theory,
    find_family,
    find_named,
    validate_dtype,
    validate_settings,
)

ALL_NAMED = [(family.name, named) for family in FAMILIES.values() for named in family.names.values()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("chgnt", "did you mean 'chgnet'?"),
        ("xyz", f"known are {', '.join(sorted(FAMILIES))}"),
    ],
)
def test_an_unknown_family_is_named_with_a_suggestion(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        find_family(given)


@pytest.mark.parametrize(
    ("family", "alias", "name"),
    [
        ("mace", "omat-0-medium", "medium-omat-0"),
        ("mace", "mpa-0-medium", "medium-mpa-0"),
        ("mace", "mp-0b3-medium", "medium-0b3"),
        ("mace", "matpes-pbe-omat-ft", "mace-matpes-pbe-0"),
        ("sevennet", "SevenNet-0", "7net-0"),
        ("sevennet", "7NET-L3I5", "7net-l3i5"),
        ("chgnet", "0.3.0", "0.3.0"),
    ],
)
def test_names_are_found_by_alias_and_in_any_case(family, alias, name):
    assert find_named(family, alias).name == name


def test_misspelt_weights_are_named_with_a_suggestion():
    with pytest.raises(ValueError, match="mace has no weights named 'omat-0-medum': did you mean 'omat-0-medium'"):
        find_named("mace", "omat-0-medum")


def test_a_family_without_released_weights_says_so():
    with pytest.raises(ValueError, match="no released weights"):
        find_named("ase", "anything")


@pytest.mark.parametrize(
    ("family", "settings", "name", "message"),
    [
        ("sevennet", {}, "7net-mf-ompa", "needs the setting 'modal': choose one of mpa, omat24"),
        ("sevennet", {"modal": "omat"}, "7net-mf-ompa", "did you mean 'omat24'?"),
        ("sevennet", {"modl": "mpa"}, "7net-mf-ompa", "did you mean 'modal'?"),
        ("chgnet", {"modal": "mpa"}, "0.3.0", "chgnet has no setting 'modal': it has none"),
        ("mace", {"head": 3}, "mh-1", "give a str"),
        ("ase", {}, None, "needs the setting 'factory'"),
        ("pet", {"ensemble": 1}, None, "setting 'ensemble' of pet is 1: give 2 or more"),
        ("pet", {"ensemble": True}, None, "setting 'ensemble' of pet is True: give a int"),
        ("pet", {"ensemble": 16}, "pet-oam-xl-v1.0.0", "pet pet-oam-xl-v1.0.0 has no ensemble: leave the setting"),
    ],
)
def test_wrong_settings_are_one_line(family, settings, name, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        validate_settings(family, settings, name)
    assert "\n" not in str(error.value)


def test_settings_are_completed_and_unset_ones_left_out():
    assert validate_settings("sevennet", {"modal": "omat24"}, "7net-mf-ompa") == {"modal": "omat24"}
    assert validate_settings("sevennet", {}, "7net-0") == {}
    assert validate_settings("chgnet", {}) == {}


def test_the_level_of_theory_follows_the_modality():
    multi = find_named("sevennet", "7net-mf-0")
    assert multi.theory({"modal": "R2SCAN"}) == Theory("r2SCAN")
    assert multi.theory({"modal": "PBE"}) == Theory("PBE", hubbard_u=True)
    assert find_named("chgnet", "0.3.0").theory({}) == Theory("PBE", hubbard_u=True)
    assert find_named("orb", "orb-d3-v2").theory({}).dispersion


def test_a_precision_that_no_adapter_has_is_refused():
    with pytest.raises(ValueError, match="emt does not compute in 'float32': choose float64"):
        validate_dtype("emt", "float32")


@pytest.mark.parametrize(("family", "named"), ALL_NAMED, ids=[f"{family}-{named.name}" for family, named in ALL_NAMED])
def test_each_entry_is_complete_and_honest(family, named):
    assert named.functional and named.training_set and named.licence
    assert len(set(named.elements)) == len(named.elements)
    assert named.elements or named.sha256 is None, "whoever has the file can know what it was trained on"
    assert not {"Po", "At", "Rn", "Fr", "Ra"} & set(named.elements), "no training set has these"
    # A digest is known where the file was at hand, and weights that ship with a package are.
    assert named.sha256 is not None or not named.shipped
    assert named.sha256 is None or re.fullmatch("[0-9a-f]{64}", named.sha256)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_each_family_is_consistent(family):
    assert family.maturity in ("stable", "experimental", "toy")
    assert family.default_dtype in family.dtypes
    assert family.default_name is None or family.default_name in family.names
    names = [word.lower() for named in family.names.values() for word in {named.name, *named.aliases}]
    assert len(set(names)) == len(names), "an alias stands for two models"


def test_it_needs_the_standard_library_alone():
    script = (
        "import sys; sys.modules['numpy'] = sys.modules['ase'] = None; "
        "import crucible_engine.families.registry; print(len(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
