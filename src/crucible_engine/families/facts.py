"""What the catalogue says of a model family, of released weights, and of a setting.

A digest stands only where it was computed from the file itself; ``None`` means that nobody could compute it here, never
that it does not matter. Levels of theory, training sets and licences are those that the
packages and the papers state.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

START_LENGTH = 4
"""As many bytes as tell what a file of weights is."""

FLOATS = ("float32", "float64")
"""The precisions of torch that matter here."""

ENSEMBLE = "ensemble"
"""The setting that asks for members of the ensemble that single weights have, by their number; see
:attr:`NamedModel.ensemble`."""


FORCES = "forces"
"""The setting that chooses between the two kinds of forces that weights of a family may have; a family without it has
one kind."""
CONSERVATIVE, DIRECT = "conservative", "direct"
"""The kinds: the gradient of the energy, and what a head of its own gives, cheaper and the gradient of nothing."""
DIRECT_ARGUMENTS = "direct_arguments"
"""The setting of a family without weights without which it has no direct forces."""


@dataclass(frozen=True)
class Setting:
    """Something beside the weights that changes a model's answers.

    :param choices: allowed words; empty where only the loaded weights can tell.
    :param help: one line.
    :param kind: Python type of the value.
    :param required: whether the user has to choose (there is no sensible default).
    :param minimum: the smallest number allowed; ``None`` where there is no bound.
    """

    default: Any
    choices: tuple[str, ...] = ()
    help: str = ""
    kind: type = str
    required: bool = False
    minimum: int | None = None


@dataclass(frozen=True)
class WeightsFile:
    """What the files of weights of a family are.

    :param starts: what one begins with, one of these; no more than :data:`START_LENGTH` bytes each.
    :param description: what messages call one.
    :param parts: files of a folder that make up weights together, where the package saves a folder; one file holds them
        in what is kept and sent, see :func:`crucible_engine.families.packed.pack`.
    """

    starts: tuple[bytes, ...]
    description: str
    parts: tuple[str, ...] = ()

    def begins(self, start: bytes) -> bool:
        """Tell whether a file that begins so may be one."""
        return start.startswith(self.starts)


@dataclass(frozen=True)
class PairStyle:
    """How LAMMPS computes with a family's weights, in its units ``metal`` and with ``atom_style atomic``.

    :param name: its name, as LAMMPS's complaint that it is missing has it.
    :param commands: that choose it; ``{weights}`` stands for the file of weights, ``{types}`` for the chemical symbols
        of the atom types in their order.
    :param weights: name that the file has to have, by whose ending some packages choose how to read it.
    :param how_to_have: what to do where a LAMMPS lacks it.
    :param thread_variables: environment variables that limit its threads, beside OpenMP's.
    """

    name: str
    commands: tuple[str, ...]
    weights: str
    how_to_have: str
    thread_variables: tuple[str, ...] = ()


TORCH_FILE = WeightsFile((b"PK\x03\x04",), "an archive of torch.save (torch 1.6 or later)")


@dataclass(frozen=True)
class Theory:
    """What kind of calculation a model's training data are.

    :param functional: exchange-correlation functional.
    :param hubbard_u: whether they carry the Materials Project's Hubbard U on oxides and fluorides; ``None`` where
        nobody who trained them says.
    :param dispersion: whether they include a dispersion correction.
    """

    functional: str
    hubbard_u: bool | None = False
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
    :param fetch_from: where a user has to fetch the file by hand; empty where the package has it or downloads it.
    :param releases: releases of the family's package in which these weights are right: the first one, and the first
        one after it in which they are not; empty where none is known to be wrong.
    :param ensemble: whether the weights have an ensemble, whose spread says what they do not know and which the setting
        :data:`ENSEMBLE` asks for; ``None`` where nobody says.
    """

    name: str
    functional: str
    hubbard_u: bool | None
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
    fetch_from: str = ""
    releases: tuple[str, str] | None = None
    ensemble: bool | None = None

    def right_in(self, version: str) -> bool:
        """Tell whether these weights are right in a release of the family's package."""
        if self.releases is None:
            return True
        first, wrong = map(_release, self.releases)
        return first <= _release(version) < wrong

    def theory(self, settings: dict[str, Any]) -> Theory:
        """Return the level of theory that these weights stand for with the given settings."""
        usual = Theory(self.functional, self.hubbard_u, self.dispersion)
        return self.theory_by_modal.get(settings.get("modal", ""), usual)


@dataclass(frozen=True)
class Packaged:
    """What needs a package and so an environment of its own: a model family, or a task without a model.

    :param name: the word that users type.
    :param package: distribution, on the Python package index where it has no ``source``.
    :param import_name: its top-level module.
    :param title: how people call it.
    :param pythons: minor versions of Python that its packages have files for, e.g. ``("3.10", "3.11")``; empty for all
        that the locks hold for.
    """

    name: str
    package: str
    import_name: str
    title: str
    pythons: tuple[str, ...] = field(default=(), kw_only=True)
    source: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Training:
    """What a family's package can train, through its module ``train``; see :mod:`crucible_engine.training.contract`.

    :param methods: of :data:`METHODS` those that it has, by name with what they are to it in words.
    :param learning_rate: where nobody says.
    :param batch_size: likewise.
    :param losses: of errors, by the names of the vocabulary; the first where nobody says.
    :param extra: further arguments of the package's own trainer that may be given, by name with what they are.
    """

    methods: dict[str, str]
    learning_rate: float
    batch_size: int
    losses: tuple[str, ...]
    extra: dict[str, str] = field(default_factory=dict)


METHODS = ("full", "frozen", "scratch")
"""How a model may be trained: all of its weights from where they are, only the last of them, or all from random
ones."""


@dataclass(frozen=True)
class Family(Packaged):
    """A model family: one Python package, one adapter.

    :param maturity: ``stable``, ``experimental`` or ``toy``.
    :param default_name: released weights used where none are named; ``None`` where the user must choose.
    :param default_dtype: precision of the package's default.
    :param settings: what else changes an answer.
    :param reference: DOI of the family's paper.
    :param weights_file: what a user's own checkpoint file has to be; ``None`` where there are none.
    :param runs_code: whether its settings name code that runs, any that the environment has.
    :param pair_style: how LAMMPS computes with it; ``None`` where that is not known.
    :param training: what can be trained; ``None`` where nobody has written how.
    """

    maturity: str
    default_name: str | None
    default_dtype: str
    dtypes: tuple[str, ...]
    names: dict[str, NamedModel]
    settings: dict[str, Setting]
    reference: str
    weights_file: WeightsFile | None = TORCH_FILE
    runs_code: bool = False
    pair_style: PairStyle | None = None
    training: Training | None = None

    @property
    def folder(self) -> str:
        """Return the package that holds all of it: facts, adapter, lock, fingerprints."""
        return f"crucible_engine.families.{self.name}"

    @property
    def has_weights(self) -> bool:
        """Whether it has weights, which its own package reads; otherwise its settings say all, in any environment."""
        return bool(self.names) or self.weights_file is not None


def choice_of_forces() -> dict[str, Setting]:
    """Return the setting of a family whose weights may have both kinds of forces; unset, they are conservative."""
    kinds = (CONSERVATIVE, DIRECT)
    return {FORCES: Setting(None, kinds, "the energy's gradient (where unset), or those of a head of their own")}


def named(*models: NamedModel) -> dict[str, NamedModel]:
    """Return released weights by their names."""
    return {model.name: model for model in models}


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a release, which compare as releases do: 2.0.4 and 2.0.4+cpu are one."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


def digest_of_parameters(parameters: Any) -> str:
    """Return the hexadecimal sha256 that stands for weights where a potential is made of numbers in its code."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


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

MPTRJ = "MPtrj"
MPA = "MPtrj + sAlex"
OMAT = "OMat24"
