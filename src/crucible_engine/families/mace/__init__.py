"""MACE and its released weights."""

from __future__ import annotations

from crucible_engine.families.facts import (
    FLOATS,
    MATERIALS_PROJECT,
    MPA,
    MPTRJ,
    OMAT,
    Family,
    NamedModel,
    Setting,
    Training,
    named,
)


def _mace(name: str, training_set: str, *aliases: str, licence: str = "MIT", **details: object) -> NamedModel:
    facts = {"functional": "PBE", "hubbard_u": True, "dispersion": False, "elements": MATERIALS_PROJECT, **details}
    return NamedModel(name, training_set=training_set, licence=licence, aliases=aliases, **facts)  # type: ignore[arg-type]


_ASL = "ASL (academic use only)"
_HEAD = {"head": Setting(None, (), "give the head (level of theory) of the multi-head model", required=True)}

FAMILY = Family(
    name="mace",
    package="mace-torch",
    import_name="mace",
    title="MACE",
    maturity="stable",
    default_name="medium-mpa-0",
    # The package's default for molecular dynamics is float32, and its own advice for geometry is float64; lattice
    # dynamics is geometry.
    default_dtype="float64",
    dtypes=FLOATS,
    settings={"head": Setting(None, (), "head of a multi-head model")},
    reference="10.48550/arXiv.2401.00096",
    training=Training(
        methods={
            "full": "all weights but energies of the elements",
            "frozen": "the last interaction and what reads out",
            "scratch": "all weights but energies of the elements, from random ones",
        },
        learning_rate=1e-4,
        batch_size=4,
        losses=("mse",),
        extra={
            "optimizer": "adam or adamw",
            "amsgrad": "of the optimizer, true where nobody says",
            "weight_decay": "of the optimizer",
            "lr_scheduler_gamma": "by which the learning rate is multiplied after each epoch",
            "max_grad_norm": "to which gradients are cut",
        },
    ),
    names=named(
        _mace("small", MPTRJ, "mp-0-small", "mp-0a-small"),
        _mace("medium", MPTRJ, "mp-0-medium", "mp-0a-medium"),
        _mace("large", MPTRJ, "mp-0-large", "mp-0a-large"),
        _mace("small-0b", MPTRJ, "mp-0b-small"),
        _mace("medium-0b", MPTRJ, "mp-0b-medium"),
        _mace("small-0b2", MPTRJ, "mp-0b2-small"),
        _mace("medium-0b2", MPTRJ, "mp-0b2-medium"),
        _mace("large-0b2", MPTRJ, "mp-0b2-large"),
        _mace("medium-0b3", MPTRJ, "mp-0b3-medium"),
        _mace("medium-mpa-0", MPA, "mpa-0-medium"),
        _mace("small-omat-0", OMAT, "omat-0-small", licence=_ASL),
        _mace("medium-omat-0", OMAT, "omat-0-medium", licence=_ASL),
        _mace(
            "mace-matpes-pbe-0",
            "OMat24, then MatPES-PBE",
            "matpes-pbe-omat-ft",
            "matpes-pbe-0",
            licence=_ASL,
            hubbard_u=False,
        ),
        _mace(
            "mace-matpes-r2scan-0",
            "OMat24, then MatPES-r2SCAN",
            "matpes-r2scan-omat-ft",
            "matpes-r2scan-0",
            licence=_ASL,
            hubbard_u=False,
            functional="r2SCAN",
        ),
        _mace("mh-0", "several, one a head", licence=_ASL, settings=_HEAD, functional="by head"),
        _mace("mh-1", "several, one a head", licence=_ASL, settings=_HEAD, functional="by head"),
    ),
)
