"""The model families and their released weights: look-up and validation.

Only the standard library is imported, so that both sides of the wire can read it. Each folder beside this module is a
family, whose package has its facts as ``FAMILY``; so is what the entry points ``aiida_crucible.families`` of other
packages name.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crucible_engine import families
from crucible_engine.families.facts import (
    DIRECT,
    DIRECT_ARGUMENTS,
    ENSEMBLE,
    FORCES,
    Family,
    NamedModel,
    Setting,
    Theory,
)
from crucible_engine.wire.extensions import collect
from crucible_engine.wire.rules import suggestion

__all__ = [
    "FAMILIES",
    "Family",
    "NamedModel",
    "Setting",
    "Theory",
    "find_by_sha256",
    "find_family",
    "find_named",
    "name_of_weights",
    "require_direct_forces",
    "validate_dtype",
    "validate_settings",
]

MATURITIES = ("stable", "experimental", "toy")


def _facts(package: ModuleType, name: str) -> Family:
    family = getattr(package, "FAMILY", None)
    if not isinstance(family, Family):
        raise ValueError("its package has no FAMILY of crucible_engine.families.facts")
    if family.name != name:
        raise ValueError(f"its FAMILY calls itself {family.name!r}")
    if family.maturity not in MATURITIES:
        raise ValueError(f"its maturity is {family.maturity!r}: choose one of {', '.join(MATURITIES)}")
    return family


_FOUND = collect(families, "model family", _facts).values()
FAMILIES: dict[str, Family] = {
    family.name: family for family in sorted(_FOUND, key=lambda one: (MATURITIES.index(one.maturity), one.name))
}
"""The model families by name, the tried ones first."""


def find_family(name: str) -> Family:
    """Return a family.

    :raises ValueError: one line, if there is none of that name.
    """
    if name not in FAMILIES:
        raise ValueError(f"model family {name!r} is unknown: {suggestion(name, list(FAMILIES))}")
    return FAMILIES[name]


def find_named(family_name: str, name: str) -> NamedModel:
    """Return released weights by their name or an alias; case does not matter.

    :raises ValueError: one line, if the family has no such weights.
    """
    family = find_family(family_name)
    wanted = str(name).lower()
    for named in family.names.values():
        if wanted in (known.lower() for known in (named.name, *named.aliases)):
            return named
    if not family.names:
        raise ValueError(f"family {family_name!r} has no released weights: give its settings instead of a name")
    known = [word for named in family.names.values() for word in (named.name, *named.aliases)]
    raise ValueError(
        f"{family_name} has no weights named {name!r}: {suggestion(name, known)} (or give the path of a file)"
    )


def find_by_sha256(sha256: str) -> tuple[Family, NamedModel] | None:
    """Return the released weights that a file's digest tells, with their family; ``None`` if it is none of them."""
    for family in FAMILIES.values():
        for named in family.names.values():
            if named.sha256 == sha256:
                return family, named
    return None


def name_of_weights(sha256: str) -> str:
    """Return what to call a file of weights: the name of the released ones that it is, or the start of its digest."""
    _, known = find_by_sha256(sha256) or (None, None)
    return sha256[:12] if known is None else known.name


def validate_settings(family_name: str, settings: dict[str, Any], name: str | None = None) -> dict[str, Any]:
    """Return the settings of a model complete with their defaults.

    :param name: the released weights they are for; ``None`` for a checkpoint file.
    :returns: the settings that apply, by name, without those that are unset.
    :raises ValueError: one line, if one is unknown, of the wrong kind, not among the choices, or missing.
    """
    family = find_family(family_name)
    named = None if name is None else find_named(family_name, name)
    rules = {**family.settings, **(named.settings if named else {})}
    what = f"{family_name} {named.name}" if named else family_name
    if named is not None and named.ensemble is False and settings.get(ENSEMBLE) is not None:
        raise ValueError(f"{what} has no ensemble: leave the setting {ENSEMBLE!r} out")
    for given in settings:
        if given not in rules:
            known = suggestion(given, list(rules)) if rules else "it has none, leave it out"
            raise ValueError(f"{family_name} has no setting {given!r}: {known}")
    values = {key: _setting_value(what, key, rule, settings.get(key, rule.default)) for key, rule in rules.items()}
    if values.get(FORCES) == DIRECT:
        require_direct_forces(family_name, values)
        if values.get(ENSEMBLE) is not None:
            raise ValueError(f"members of an ensemble of {what} have no direct forces: leave {ENSEMBLE!r} out")
    return {key: value for key, value in values.items() if value is not None}


def require_direct_forces(family_name: str, settings: dict[str, Any] | None = None) -> None:
    """Refuse a family that has no direct forces beside conservative ones; whether weights have, they tell themselves.

    :param settings: of the model; ``None`` where nobody knows them yet.
    :raises ValueError: one line.
    """
    rules = find_family(family_name).settings
    if FORCES not in rules:
        having = ", ".join(name for name, known in FAMILIES.items() if FORCES in known.settings)
        raise ValueError(f"models of {family_name} have one kind of forces, not both (those of {having} may have both)")
    if DIRECT_ARGUMENTS in rules and settings is not None and settings.get(DIRECT_ARGUMENTS) is None:
        raise ValueError(f"the model of {family_name} has one kind of forces: give it the setting {DIRECT_ARGUMENTS!r}")


def validate_dtype(family_name: str, dtype: str) -> str:
    """Return the precision if the family computes in it.

    :raises ValueError: one line, if it does not.
    """
    family = find_family(family_name)
    if dtype not in family.dtypes:
        raise ValueError(f"{family_name} does not compute in {dtype!r}: choose {' or '.join(family.dtypes)}")
    return dtype


def _setting_value(what: str, key: str, rule: Setting, value: Any) -> Any:
    if value is None:
        if rule.required:
            choices = f"choose one of {', '.join(rule.choices)}" if rule.choices else f"give {rule.help}"
            raise ValueError(f"{what} needs the setting {key!r}: {choices}")
        return None
    if not isinstance(value, rule.kind) or (isinstance(value, bool) and rule.kind is not bool):
        raise ValueError(f"setting {key!r} of {what} is {value!r}: give a {rule.kind.__name__} ({rule.help})")
    if rule.choices and value not in rule.choices:
        raise ValueError(f"setting {key!r} of {what} is {value!r}: {suggestion(str(value), list(rule.choices))}")
    if rule.minimum is not None and isinstance(value, int) and value < rule.minimum:
        raise ValueError(f"setting {key!r} of {what} is {value!r}: give {rule.minimum} or more ({rule.help})")
    return value
