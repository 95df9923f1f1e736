"""Any calculator of ASE, made by a function that the settings name."""

from __future__ import annotations

from crucible_engine.families.facts import DIRECT_ARGUMENTS, FLOATS, Family, Setting, choice_of_forces

FAMILY = Family(
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
        DIRECT_ARGUMENTS: Setting(
            None, (), "further arguments of the factory that make the calculator give direct forces", kind=dict
        ),
        **choice_of_forces(),
    },
    reference="",
    weights_file=None,
    runs_code=True,
    names={},
)
