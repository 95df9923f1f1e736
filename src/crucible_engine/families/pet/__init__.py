"""PET: PET-MAD and the other universal potentials of upet, and any model that metatomic exports."""

from __future__ import annotations

from crucible_engine.families.facts import (
    ENSEMBLE,
    FLOATS,
    MATERIALS_PROJECT,
    OMAT,
    Family,
    NamedModel,
    Setting,
    choice_of_forces,
    named,
)

_MAD = "10.1038/s41467-025-65662-7"
_MAD_1_5 = "10.48550/arXiv.2603.02089"
_UPET = "10.48550/arXiv.2601.16195"


def _pet(name: str, functional: str, training_set: str, **details: object) -> NamedModel:
    # Levels of theory, training sets and which weights have an ensemble are those of upet's list of models, the licence
    # that of the repository that holds the files. It has no lists of elements but "89 elements" for those that started
    # from OMat24: of the others the weights themselves tell, once they are loaded.
    facts = {"hubbard_u": None, "dispersion": False, "elements": (), "ensemble": False, "reference": _UPET, **details}
    return NamedModel(name, functional, training_set=training_set, licence="BSD-3-Clause", **facts)  # type: ignore[arg-type]


def _mad(size: str, version: str, training_set: str, **details: object) -> NamedModel:
    facts = {"ensemble": True, "reference": _MAD_1_5, **details}
    return _pet(f"pet-mad-{size}-v{version}", "r2SCAN", training_set, **facts)


def _omat(name: str, training_set: str = OMAT, functional: str = "PBE", hubbard_u: bool = True) -> NamedModel:
    return _pet(name, functional, training_set, hubbard_u=hubbard_u, elements=MATERIALS_PROJECT)


FAMILY = Family(
    name="pet",
    package="upet",
    import_name="upet",
    title="PET (PET-MAD and others, and any model of metatomic)",
    maturity="experimental",
    default_name="pet-mad-s-v1.6.0",
    default_dtype="float32",
    dtypes=FLOATS,
    settings={
        "variant": Setting(None, (), "which of the energies of a model that has several, as its outputs name it"),
        ENSEMBLE: Setting(
            None,
            (),
            "number of members of the model's ensemble that say their own; each costs a gradient",
            int,
            minimum=2,
        ),
        **choice_of_forces(),
    },
    reference=_MAD,
    names=named(
        _mad("xs", "1.6.0", "OMat24, then MAD-1.6"),
        _mad("s", "1.6.0", "OMat24, then MAD-1.6"),
        _mad("m", "1.6.0", "OMat24, then MAD-1.6"),
        _mad("xs", "1.5.0", "OMat24, then MAD-1.5"),
        _mad("s", "1.5.0", "OMat24, then MAD-1.5"),
        _pet("pet-mad-s-v1.0.2", "PBEsol", "MAD-1.0", ensemble=True, reference=_MAD),
        _pet("pet-omad-xs-v1.0.0", "PBEsol", "OMat24, then MAD-1.0"),
        _pet("pet-omad-s-v1.0.0", "PBEsol", "OMat24, then MAD-1.0"),
        _pet("pet-omad-l-v0.1.0", "PBEsol", "OMat24, then MAD-1.0"),
        _omat("pet-oam-l-v0.1.0", "OMat24, then sAlex + MPtrj"),
        _omat("pet-oam-xl-v1.0.0", "OMat24, then sAlex + MPtrj"),
        _omat("pet-omat-xs-v1.0.0"),
        _omat("pet-omat-s-v1.0.0"),
        _omat("pet-omat-m-v1.0.0"),
        _omat("pet-omat-l-v1.0.0"),
        _omat("pet-omatpes-l-v0.1.0", "OMat24, then MatPES-r2SCAN", "r2SCAN", hubbard_u=False),
        _pet("pet-spice-s-v0.2.0", "wB97M-D3", "SPICE", hubbard_u=False, dispersion=True),
        _pet("pet-spice-l-v0.2.0", "wB97M-D3", "SPICE", hubbard_u=False, dispersion=True),
        _pet("pet-mols-s-v1.0.0", "PBE0+MBD", "CSD subsample", hubbard_u=False, dispersion=True, ensemble=True),
        _pet("pet-mols-s-v1.1.0", "PBE0+MBD", "CSD subsample", hubbard_u=False, dispersion=True, ensemble=True),
    ),
    pythons=("3.11", "3.12", "3.13"),
)
