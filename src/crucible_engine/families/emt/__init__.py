"""ASE's effective medium theory: a toy for tests and for a first try without torch."""

from __future__ import annotations

from crucible_engine.families.facts import Family, NamedModel, named

FAMILY = Family(
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
    weights_file=None,
    names=named(
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
