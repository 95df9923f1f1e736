"""MatterSim and its released weights, M3GNet networks."""

from __future__ import annotations

from crucible_engine.families.facts import FLOATS, MATERIALS_PROJECT, Family, NamedModel, named

_PAPER = "10.48550/arXiv.2405.04967"


def _mattersim(size: str, structures: str) -> NamedModel:
    return NamedModel(
        f"mattersim-v1.0.0-{size}",
        functional="PBE",
        # The model card says PBE; whether oxides have a Hubbard U is said elsewhere only.
        hubbard_u=None,
        dispersion=False,
        training_set=f"MatterSim, {structures} structures by active selection (to 5000 K and 1000 GPa)",
        licence="MIT",
        # 89 elements, with the settings of the Materials Project, whose pseudopotentials are for these.
        elements=MATERIALS_PROJECT,
        reference=_PAPER,
        aliases=(size,),
    )


FAMILY = Family(
    name="mattersim",
    package="mattersim",
    import_name="mattersim",
    title="MatterSim",
    maturity="experimental",
    default_name="mattersim-v1.0.0-1M",
    default_dtype="float32",
    dtypes=FLOATS,
    settings={},
    reference=_PAPER,
    names=named(_mattersim("1M", "3 million"), _mattersim("5M", "6 million")),
)
