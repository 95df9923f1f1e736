"""What the catalogue says of a model family, of released weights, and of a setting.

A family has a digest only where it was computed from the file that the package ships; ``None`` means that nobody could
compute it here, never that it does not matter. Levels of theory, training sets and licences are those that the
packages and the papers state.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

CHECKPOINT_START = b"PK\x03\x04"
"""First bytes of a checkpoint file, of whatever family: torch saves a zip archive."""

FLOATS = ("float32", "float64")
"""The precisions of torch that matter here."""


@dataclass(frozen=True)
class Setting:
    """Something beside the weights that changes a model's answers.

    :param choices: allowed words; empty where only the loaded weights can tell.
    :param help: one line.
    :param kind: Python type of the value.
    :param required: whether the user has to choose (there is no sensible default).
    """

    default: Any
    choices: tuple[str, ...] = ()
    help: str = ""
    kind: type = str
    required: bool = False


@dataclass(frozen=True)
class Theory:
    """What kind of calculation a model's training data are.

    :param functional: exchange-correlation functional.
    :param hubbard_u: whether they carry the Materials Project's Hubbard U on oxides and fluorides.
    :param dispersion: whether they include a dispersion correction.
    """

    functional: str
    hubbard_u: bool = False
    dispersion: bool = False


@dataclass(frozen=True)
class NamedModel:
    """Released weights, of a level of theory as :class:`Theory` has it.

    :param licence: SPDX identifier, or the licence's name, of the weights.
    :param elements: chemical symbols trained on; empty means unknown.
    :param sha256: hexadecimal digest of the weights' file; ``None`` where it is not shipped with the package.
    :param reference: DOI of the weights' paper.
    :param settings: settings whose rule differs from the family's for these weights.
    :param theory_by_modal: level of theory of each modality of multi-fidelity weights, where it differs.
    :param shipped: whether the package itself contains the weights (others are downloaded by it, once).
    :param conservative: whether the forces are the gradient of the energy by construction; ``None`` where unknown.
    """

    name: str
    functional: str
    hubbard_u: bool
    dispersion: bool
    training_set: str
    licence: str
    elements: tuple[str, ...]
    sha256: str | None = None
    reference: str = ""
    settings: dict[str, Setting] = field(default_factory=dict)
    theory_by_modal: dict[str, Theory] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    shipped: bool = False
    conservative: bool | None = True

    def theory(self, settings: dict[str, Any]) -> Theory:
        """Return the level of theory that these weights stand for with the given settings."""
        usual = Theory(self.functional, self.hubbard_u, self.dispersion)
        return self.theory_by_modal.get(settings.get("modal", ""), usual)


@dataclass(frozen=True)
class Packaged:
    """What needs a package and so an environment of its own: a model family, or a task without a model.

    :param name: the word that users type.
    :param package: distribution on the Python package index.
    :param import_name: its top-level module.
    :param title: how people call it.
    """

    name: str
    package: str
    import_name: str
    title: str


@dataclass(frozen=True)
class Family(Packaged):
    """A model family: one Python package, one adapter.

    :param maturity: ``stable``, ``experimental`` or ``toy``.
    :param default_name: released weights used where none are named; ``None`` where the user must choose.
    :param default_dtype: precision of the package's default.
    :param settings: what else changes an answer.
    :param reference: DOI of the family's paper.
    :param checkpoint_files: whether a user's own checkpoint file can be loaded.
    :param runs_code: whether its settings name code that runs, any that the environment has.
    """

    maturity: str
    default_name: str | None
    default_dtype: str
    dtypes: tuple[str, ...]
    names: dict[str, NamedModel]
    settings: dict[str, Setting]
    reference: str
    checkpoint_files: bool = True
    runs_code: bool = False

    @property
    def folder(self) -> str:
        """Return the package that holds all of it: facts, adapter, lock, fingerprints."""
        return f"crucible_engine.families.{self.name}"

    @property
    def has_weights(self) -> bool:
        """Whether it has weights, which its own package reads; otherwise its settings say all, in any environment."""
        return bool(self.names) or self.checkpoint_files


def named(*models: NamedModel) -> dict[str, NamedModel]:
    """Return released weights by their names."""
    return {model.name: model for model in models}


def digest_of_parameters(parameters: Any) -> str:
    """Return the hexadecimal sha256 that stands for weights where a potential is made of numbers in its code."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
