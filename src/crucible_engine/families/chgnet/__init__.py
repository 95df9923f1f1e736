"""CHGNet and its released weights."""

from __future__ import annotations

from crucible_engine.families.facts import FLOATS, MATERIALS_PROJECT, MPTRJ, R2SCAN, Family, NamedModel, Training, named


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


FAMILY = Family(
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
    training=Training(
        methods={
            "full": "all weights but the energies of the elements",
            "frozen": "the last convolution and what reads it out, as in the package's example of fine-tuning",
            "scratch": "all weights but the energies of the elements, from random ones",
        },
        learning_rate=1e-3,
        batch_size=4,
        losses=("mse", "huber", "mae"),
        extra={
            "optimizer": "Adam, AdamW, RAdam or SGD",
            "scheduler": "CosLR, ExponentialLR, MultiStepLR or CosRestartLR",
            "scheduler_params": "of the scheduler",
            "weight_decay": "of the optimizer",
            "momentum": "of SGD",
            "delta": "of the loss huber",
        },
    ),
    names=named(
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
