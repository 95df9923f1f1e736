"""GPTFF and its released weights; its package is on no index."""

from __future__ import annotations

from crucible_engine.families.facts import FLOATS, MATERIALS_PROJECT, Family, NamedModel, named

_PAPER = "10.1016/j.scib.2024.08.039"

FAMILY = Family(
    name="gptff",
    package="gptff",
    import_name="gptff",
    title="GPTFF",
    source="https://github.com/atomly-materials-research-lab/GPTFF",
    maturity="experimental",
    default_name=None,
    default_dtype="float32",
    dtypes=FLOATS,
    settings={},
    reference=_PAPER,
    names=named(
        NamedModel(
            "gptff_v2",
            functional="PBE",
            # Nobody says whether the calculations of Atomly that it was trained on have a Hubbard U.
            hubbard_u=None,
            dispersion=False,
            training_set="Atomly",
            licence="GPL-3.0",
            # The rows of its embedding that training has touched; its reference energies are of the same elements.
            elements=MATERIALS_PROJECT,
            sha256="549e862d93b8fbc0ad052162bad90492040c68c196480427ae8266209a077900",
            reference=_PAPER,
            fetch_from="pretrained/gptff_v2.pth in github.com/atomly-materials-research-lab/GPTFF",
        ),
    ),
)
