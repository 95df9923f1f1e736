"""What of metatomic, metatrain and upet has no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError
from metatomic.torch import AtomisticModel, load_atomistic_model
from metatrain.utils.io import model_from_checkpoint

from crucible_engine.families.torch_checkpoint import unpickle

REPOSITORY = "lab-cosmo/upet"
"""Where upet's own loader looks for released weights, in the folder :data:`FOLDER`."""

FOLDER = "models"

COMPILED = "__torch__.metatomic.torch.model."
"""How the names begin that an exported model's pickle asks for; those of a checkpoint begin with :data:`TRAINED`."""

TRAINED = "metatrain."

CODE = "code/"
"""Folder of an exported model with its program, which torch compresses."""

HEADS = {
    "force": ("non_conservative_force", "non_conservative_forces"),
    "stress": ("non_conservative_stress",),
}
"""Names of outputs that are no gradients; metatomic has called the forces by both."""


def weights_path(name: str) -> str:
    """Return the file of released weights, which is downloaded once.

    Nobody is asked where the file is on this computer: another one of the same name may have taken its place there.
    """
    where = {"repo_id": REPOSITORY, "subfolder": FOLDER, "filename": f"{name}.ckpt"}
    try:
        return str(hf_hub_download(**where, local_files_only=True))
    except LocalEntryNotFoundError:
        return str(hf_hub_download(**where))


def build(path: Path, compiled: bool) -> AtomisticModel:
    """Return the model of a file by running what it asks for: only for one that the user trusts.

    :param compiled: whether metatomic exported it; else it is a checkpoint of metatrain, in any file: metatrain's own
        reader goes by a file's ending, and takes a path for an address.
    """
    if compiled:
        return load_atomistic_model(str(path))
    return model_from_checkpoint(unpickle(path, "pet"), context="export").export()


def energies(outputs: Mapping[str, Any]) -> list[str]:
    """Return the names of the variants of a model's energy; of one without variants it is the empty word.

    :param outputs: what the model can compute, by name.
    """
    return [name.partition("/")[2] for name in outputs if name == "energy" or name.startswith("energy/")]


def energy(variant: str) -> str:
    """Return the name of the output that is an energy."""
    return f"energy/{variant}" if variant else "energy"


def direct(variant: str, outputs: Mapping[str, Any], what: str) -> str | None:
    """Return the name of the output with what a head of its own gives; ``None`` where there is none.

    :param what: a key of :data:`HEADS`.
    """
    names = [f"{name}/{variant}" if variant else name for name in HEADS[what]]
    return next((name for name in names if name in outputs), None)


def ensemble(variant: str, outputs: Mapping[str, Any]) -> str | None:
    """Return the name of the output with what the members of an energy's ensemble say; ``None`` where there is none.

    metatomic's names have the variant last, those of metatrain's LLPR before the kind.
    """
    names = (f"energy_ensemble/{variant}", f"mtt::aux::energy/{variant}_ensemble") if variant else ("energy_ensemble",)
    return next((name for name in names if name in outputs), None)
