"""NEP potentials of GPUMD, with NEP89."""

from __future__ import annotations

from crucible_engine.families.facts import Family, NamedModel, WeightsFile, named

# The elements that the file of NEP89 lists.
_NEP89 = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc
Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi
Ac Th Pa U Np Pu
"""

WEIGHTS_FILE = WeightsFile((b"nep",), "a 'nep.txt' of GPUMD, whose first word is its version (nep4)")

FAMILY = Family(
    name="nep",
    package="calorine",
    import_name="calorine",
    title="NEP",
    maturity="experimental",
    default_name=None,
    default_dtype="float64",
    # GPUMD's code for the CPU computes in double precision.
    dtypes=("float64",),
    settings={},
    reference="10.1103/PhysRevB.104.104309",
    weights_file=WEIGHTS_FILE,
    names=named(
        NamedModel(
            "nep89",
            functional="PBE",
            hubbard_u=False,
            dispersion=False,
            training_set="OMat24, SPICE, ANI-1xnr and others, by active selection (89 elements)",
            licence="GPL-3.0",
            elements=tuple(_NEP89.split()),
            sha256="75168ece02e840e4a32644f982b78d43cba697f5b64b4c8134ab66c7a8c28be1",
            reference="10.48550/arXiv.2504.21286",
            fetch_from="nep89.txt in github.com/brucefan1983/GPUMD, potentials/nep",
        ),
    ),
)
