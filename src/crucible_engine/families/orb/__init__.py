"""ORB and its released weights."""

from __future__ import annotations

from crucible_engine.families.facts import FLOATS, MATERIALS_PROJECT, MPTRJ, OMAT, Family, NamedModel, Setting, named

_ALEXANDRIA = "MPtrj + Alexandria"


def _orb(name: str, training_set: str, *, conservative: bool = False, **details: object) -> NamedModel:
    facts = {"functional": "PBE", "hubbard_u": True, "dispersion": False, "elements": MATERIALS_PROJECT, **details}
    paper = "10.48550/arXiv.2410.22570" if name.endswith("v2") else "10.48550/arXiv.2504.06231"
    return NamedModel(
        name,
        training_set=training_set,
        licence="Apache-2.0",
        conservative=conservative,
        reference=paper,
        **facts,  # type: ignore[arg-type]
    )


_ORB_MODELS = named(
    _orb("orb-v2", _ALEXANDRIA),
    _orb("orb-mptraj-only-v2", MPTRJ),
    _orb("orb-d3-v2", _ALEXANDRIA, dispersion=True),
    _orb("orb-d3-sm-v2", _ALEXANDRIA, dispersion=True),
    _orb("orb-d3-xs-v2", _ALEXANDRIA, dispersion=True),
    _orb("orb-v3-conservative-20-omat", OMAT, conservative=True),
    _orb("orb-v3-conservative-inf-omat", OMAT, conservative=True),
    _orb("orb-v3-direct-20-omat", OMAT),
    _orb("orb-v3-direct-inf-omat", OMAT),
    _orb("orb-v3-conservative-20-mpa", _ALEXANDRIA, conservative=True),
    _orb("orb-v3-conservative-inf-mpa", _ALEXANDRIA, conservative=True),
    _orb("orb-v3-direct-20-mpa", _ALEXANDRIA),
    _orb("orb-v3-direct-inf-mpa", _ALEXANDRIA),
)

FAMILY = Family(
    name="orb",
    package="orb-models",
    import_name="orb_models",
    title="ORB",
    maturity="stable",
    default_name="orb-v3-conservative-inf-omat",
    default_dtype="float32",
    dtypes=FLOATS,
    settings={
        "architecture": Setting(
            None, tuple(_ORB_MODELS), "released model whose architecture the file has (it holds weights alone)"
        )
    },
    reference="10.48550/arXiv.2504.06231",
    names=_ORB_MODELS,
)
