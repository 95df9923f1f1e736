"""What is known of each family's released weights.

A digest stands here only where it was computed from the file that the package ships; ``None`` means that nobody could
compute it here, never that it does not matter. Levels of theory, training sets and licences are those that the
packages and the papers state.
"""

from __future__ import annotations

from crucible_engine.models.family import Family, NamedModel, Setting, Theory

_TABLE = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc
Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi
Po At Rn Fr Ra Ac Th Pa U Np Pu
"""
_SYMBOLS = tuple(_TABLE.split())

# The Materials Project has no trajectories of these; Alexandria and OMat24 leave the same ones out. CHGNet and ORB
# would embed them all the same, with weights that no datum ever touched.
MATERIALS_PROJECT = tuple(symbol for symbol in _SYMBOLS if symbol not in ("Po", "At", "Rn", "Fr", "Ra"))
# MP-r2SCAN's reference energies (CHGNet's AtomRef) vanish for ytterbium as well: no datum contains it.
R2SCAN = tuple(symbol for symbol in MATERIALS_PROJECT if symbol != "Yb")

FLOATS = ("float32", "float64")
MPTRJ = "MPtrj"
MPA = "MPtrj + sAlex"
OMAT = "OMat24"


def _named(*models: NamedModel) -> dict[str, NamedModel]:
    return {model.name: model for model in models}


def _chgnet(name: str, sha256: str, **details: object) -> NamedModel:
    facts = {
        "functional": "PBE",
        "hubbard_u": True,
        "training_set": MPTRJ,
        "elements": MATERIALS_PROJECT,
        **details,
    }
    return NamedModel(
        name,
        dispersion=False,
        licence="BSD-3-Clause-LBNL",
        sha256=sha256,
        shipped=True,
        reference="10.1038/s42256-023-00716-3",
        **facts,  # type: ignore[arg-type]
    )


CHGNET = Family(
    name="chgnet",
    package="chgnet",
    import_name="chgnet",
    title="CHGNet",
    maturity="stable",
    default_name="0.3.0",
    default_dtype="float32",
    dtypes=FLOATS,
    settings={},
    reference="10.1038/s42256-023-00716-3",
    names=_named(
        _chgnet("0.3.0", "d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1"),
        _chgnet("0.2.0", "ef624f78b6db9d315b4ef256f1bb3207449924191b91720dc17d3f60c5df980e"),
        _chgnet(
            "r2scan",
            "8eba3db0f35a2788bb3ae22885ad340591e27996f213c6643af522a633b50dad",
            functional="r2SCAN",
            hubbard_u=False,
            training_set="MPtrj, then MP-r2SCAN (transfer learning)",
            elements=R2SCAN,
        ),
    ),
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


SEVENNET = Family(
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
    names=_named(
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


def _mace(name: str, training_set: str, *aliases: str, licence: str = "MIT", **details: object) -> NamedModel:
    facts = {"functional": "PBE", "hubbard_u": True, "dispersion": False, "elements": MATERIALS_PROJECT, **details}
    return NamedModel(name, training_set=training_set, licence=licence, aliases=aliases, **facts)  # type: ignore[arg-type]


_ASL = "ASL (academic use only)"
_HEAD = {"head": Setting(None, (), "give the head (level of theory) of the multi-head model", required=True)}

MACE = Family(
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
    names=_named(
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


_ORB_MODELS = _named(
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

ORB = Family(
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

EMT = Family(
    name="emt",
    package="ase",
    import_name="ase",
    title="effective medium theory (ASE)",
    maturity="toy",
    default_name="emt",
    default_dtype="float64",
    dtypes=("float64",),
    settings={},
    reference="10.1016/0039-6028(96)00816-3",
    checkpoint_files=False,
    names=_named(
        NamedModel(
            "emt",
            "LDA",
            False,
            False,
            "fitted parameters",
            "LGPL-2.1-or-later",
            ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt", "H", "C", "N", "O"),
            shipped=True,
            reference="10.1016/0039-6028(96)00816-3",
            # Of ASE's table of parameters, see the adapter: there is no file of weights.
            sha256="69613c91ed4c362dc4a15dde77be70f01c8e6ca213d6b1f477e6835e131d3fec",
        ),
    ),
)

ASE = Family(
    name="ase",
    package="ase",
    import_name="ase",
    title="any ASE calculator",
    maturity="experimental",
    default_name=None,
    default_dtype="float64",
    dtypes=FLOATS,
    settings={
        "factory": Setting(None, (), "where the calculator is made, as 'package.module:callable'", required=True),
        "arguments": Setting(None, (), "keyword arguments of the factory", kind=dict),
    },
    reference="",
    checkpoint_files=False,
    runs_code=True,
    names={},
)

FAMILIES = {family.name: family for family in (CHGNET, SEVENNET, MACE, ORB, EMT, ASE)}
