"""SevenNet and its released weights."""

from __future__ import annotations

from crucible_engine.families.facts import (
    FLOATS,
    MATERIALS_PROJECT,
    MPTRJ,
    OMAT,
    Family,
    NamedModel,
    Setting,
    Theory,
    Training,
    named,
)

_OMNI = {
    "mpa": Theory("PBE", hubbard_u=True),
    "omat24": Theory("PBE", hubbard_u=True),
    "matpes_pbe": Theory("PBE"),
    "matpes_r2scan": Theory("r2SCAN"),
    "mp_r2scan": Theory("r2SCAN"),
    "oc20": Theory("RPBE"),
    "oc22": Theory("PBE", hubbard_u=True),
    "odac23": Theory("PBE-D3", dispersion=True),
    "omol25_low": Theory("wB97M-V", dispersion=True),
    "omol25_high": Theory("wB97M-V", dispersion=True),
    "spice": Theory("wB97M-D3(BJ)", dispersion=True),
    "qcml": Theory("PBE0"),
    "pet_mad": Theory("PBEsol"),
}


def _modal(choices: tuple[str, ...]) -> dict[str, Setting]:
    return {"modal": Setting(None, choices, "the level of theory that the energies follow", required=True)}


def _sevennet(name: str, training_set: str, **details: object) -> NamedModel:
    # The package says MIT of itself and of what it ships; of the weights that it downloads it says nothing.
    licence = "MIT" if details.get("shipped") else "not stated by the package"
    return NamedModel(name, "PBE", True, False, training_set, licence, MATERIALS_PROJECT, **details)  # type: ignore[arg-type]


def _omni(name: str, alias: str) -> NamedModel:
    return _sevennet(
        name,
        "15 open data sets, one modality for each level of theory",
        reference="10.1038/s41467-026-70195-8",
        settings=_modal(tuple(_OMNI)),
        theory_by_modal=_OMNI,
        aliases=(alias,),
    )


FAMILY = Family(
    name="sevennet",
    package="sevenn",
    import_name="sevenn",
    title="SevenNet",
    maturity="stable",
    default_name="7net-l3i5",
    default_dtype="float32",
    dtypes=FLOATS,
    settings={"modal": Setting(None, (), "modality of a multi-fidelity model, as its checkpoint names it")},
    reference="10.1021/acs.jctc.4c00190",
    training=Training(
        methods={
            "full": "all weights but energies and scales of the elements",
            "frozen": "the last interaction and what reads it out",
            "scratch": "all weights but energies and scales of the elements, from random ones",
        },
        learning_rate=1e-3,
        batch_size=4,
        losses=("mse", "huber"),
        extra={
            "optimizer": "adam, adamw, radam, adagrad or sgd",
            "optim_param": "of the optimizer, beside the learning rate",
            "scheduler": "exponentiallr, cosineannealinglr, linearlr, steplr or multisteplr",
            "scheduler_param": "of the scheduler, which makes a step an epoch",
            "delta": "of the loss huber",
        },
    ),
    names=named(
        _sevennet(
            "7net-0",
            MPTRJ,
            shipped=True,
            reference="10.1021/acs.jctc.4c00190",
            sha256="7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36",
            aliases=("7net-0_11Jul2024", "7net-0_11July2024", "SevenNet-0", "SevenNet-0_11Jul2024"),
        ),
        _sevennet(
            "7net-0_22May2024",
            MPTRJ,
            shipped=True,
            reference="10.1021/acs.jctc.4c00190",
            sha256="5d389fafd512e6ae2830d74d0b66ffc49a55d3832653ff8e7bf7f1343013c1d1",
            aliases=("SevenNet-0_22May2024",),
        ),
        _sevennet(
            "7net-l3i5",
            MPTRJ,
            shipped=True,
            reference="10.1021/acs.jctc.4c00190",
            sha256="a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d",
            aliases=("SevenNet-l3i5",),
        ),
        _sevennet(
            "7net-mf-0",
            "MPtrj + MP-r2SCAN",
            shipped=True,
            reference="10.1021/jacs.4c14455",
            sha256="81791329b37d445f46b531578c182c41792d98c7814222c9e5dde276402225fd",
            settings=_modal(("PBE", "R2SCAN")),
            theory_by_modal={"R2SCAN": Theory("r2SCAN")},
            aliases=("SevenNet-MF-0",),
        ),
        _sevennet(
            "7net-mf-ompa",
            "OMat24 + MPtrj + sAlex",
            reference="10.1021/jacs.4c14455",
            settings=_modal(("mpa", "omat24")),
            aliases=("SevenNet-MF-ompa",),
        ),
        _sevennet("7net-omat", OMAT, aliases=("SevenNet-omat",)),
        _omni("7net-omni", "SevenNet-Omni"),
        _omni("7net-omni-i8", "SevenNet-Omni-i8"),
        _omni("7net-omni-i12", "SevenNet-Omni-i12"),
    ),
)
