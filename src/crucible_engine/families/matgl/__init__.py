"""matgl: M3GNet and TensorNet, with their released weights."""

from __future__ import annotations

from crucible_engine.families.facts import FLOATS, MATERIALS_PROJECT, TORCH_FILE, Family, NamedModel, WeightsFile, named

PARTS = ("model.json", "model.pt", "state.pt")
"""The files that matgl saves a model as."""

_M3GNET = "10.1038/s43588-022-00349-3"


def _matgl(name: str, sha256: str, training_set: str, hubbard_u: bool, reference: str = _M3GNET) -> NamedModel:
    return NamedModel(
        name,
        functional="PBE",
        hubbard_u=hubbard_u,
        dispersion=False,
        training_set=training_set,
        licence="BSD-3-Clause",
        elements=MATERIALS_PROJECT,
        sha256=sha256,
        reference=reference,
        # matgl 3 and 4 read them without an error and compute something else (PbTiO3: -16.4 instead of -37.9 eV).
        releases=("2.0", "3"),
    )


_MATPES = "MatPES-PBE v2025.1"

FAMILY = Family(
    name="matgl",
    package="matgl",
    import_name="matgl",
    title="matgl (M3GNet, TensorNet)",
    # DGL 1.1.3, the last one for any platform, has no files for later ones.
    pythons=("3.10", "3.11"),
    maturity="experimental",
    default_name="M3GNet-MP-2021.2.8-PES",
    default_dtype="float32",
    dtypes=FLOATS,
    settings={},
    reference="10.1038/s41524-025-01742-y",
    weights_file=WeightsFile(TORCH_FILE.starts, "the folder that matgl saved, or that folder packed", PARTS),
    names=named(
        _matgl(
            "M3GNet-MP-2021.2.8-PES",
            "5cef3f1cf057c21ff4f52cf85672a7cbe2a0d3326331fa3efbd0033a1cc15c86",
            "MP 2021.2.8 (relaxations of the Materials Project)",
            True,
        ),
        _matgl(
            "M3GNet-MatPES-PBE-v2025.1-PES",
            "0f95f83a278083359ec9f073a6a4961bdb02de323d283c85a9ce0a1bf08838e5",
            _MATPES,
            False,
            "10.48550/arXiv.2503.04070",
        ),
        _matgl(
            "TensorNet-MatPES-PBE-v2025.1-PES",
            "db761d35fdc83f4607b7f37fb13e5d46e17293b3ae13c3e9630627e14f96ee2e",
            _MATPES,
            False,
            "10.48550/arXiv.2503.04070",
        ),
    ),
)
