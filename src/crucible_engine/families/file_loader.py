"""The loading that all families with files of weights share: finding the file, its digest, device and trust."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crucible_engine.families import committee, weights
from crucible_engine.families.base import Identity, Model
from crucible_engine.families.facts import Family
from crucible_engine.families.packed import is_packed
from crucible_engine.families.registry import find_by_sha256
from crucible_engine.wire.schema import Condition, EngineError, ModelReference


@dataclass(frozen=True)
class FileLoader:
    """The function ``load`` of an adapter whose weights are files.

    A family says what is its own by a subclass: :meth:`resolve_device` and :meth:`require_whole`. See
    :class:`crucible_engine.families.torch_checkpoint.CheckpointLoader` for what torch saved.

    :param weights_path: returns the file of released weights by their name; the package may download it.
    :param read: returns the model of a file that is whole and has the right digest. It is given the file, the identity
        that the model will have, and whether the file may run code.
    :param check: refuses a reference, complete, before its file is looked for.
    """

    weights_path: Callable[[str], Any]
    read: Callable[[Path, Identity, bool], Model]
    check: Callable[[ModelReference], object] | None = None

    def resolve_device(self, reference: ModelReference, device: str) -> str:
        """Return the name of the device to compute on.

        :raises EngineError: ``DEVICE_UNAVAILABLE``.
        """
        return only_cpu(reference, device)

    def require_whole(self, path: Path) -> None:
        """Check that a file is complete weights, as far as that can be told without reading what they hold.

        :raises EngineError: ``CHECKPOINT_MISSING`` or ``CHECKPOINT_UNREADABLE``, with the reason.
        """
        weights.require_there(path)

    def __call__(self, reference: ModelReference, device: str) -> Model:
        """Return the model of a reference that is complete.

        :raises EngineError: if the device is not there, or the weights are not what the reference says, or not right in
            this release of the package.
        """
        device = self.resolve_device(reference, device)
        if self.check is not None:
            self.check(reference)
        path = self._find_file(reference)
        trusted = weights.is_trusted(reference)
        identity = Identity(reference.family, "", reference.dtype, device, reference.name, reference.settings)
        if reference.checkpoint is not None and is_packed(path):
            digest = weights.digest(path)
            weights.require_digest(digest, reference.sha256, f"the committee {path}")
            whole = replace(identity, sha256=digest)
            return committee.load(path, whole, lambda file: self._read_one(file, identity, trusted, None))
        return self._read_one(path, identity, trusted, reference.sha256)

    def _read_one(self, path: Path, identity: Identity, trusted: bool, wanted: str | None) -> Model:
        """Return the model of one file.

        :param wanted: the digest that it has to have; ``None`` where any will do.
        """
        self.require_whole(path)
        digest = weights.digest(path)
        weights.require_digest(digest, wanted, f"{identity.family} {identity.name or path}")
        _require_release(digest)
        return self.read(path, replace(identity, sha256=digest), trusted)

    def _find_file(self, reference: ModelReference) -> Path:
        if reference.checkpoint is not None:
            return Path(reference.checkpoint)
        name = str(reference.name)
        return weights.downloaded(name, lambda: self.weights_path(name))


def by_hand(family: Family) -> Callable[[str], Path]:
    """Return ``weights_path`` of a family whose released weights no package brings or downloads."""

    def weights_path(name: str) -> Path:
        raise FileNotFoundError(f"no package brings them: fetch {family.names[name].fetch_from}")

    return weights_path


def only_cpu(reference: ModelReference, device: str) -> str:
    """Return the device of a family that runs on the CPU.

    :raises EngineError: ``DEVICE_UNAVAILABLE``, if another one is wanted.
    """
    if device not in ("auto", "cpu"):
        raise EngineError(
            Condition.DEVICE_UNAVAILABLE, f"device {device!r} is not there: {reference.family} runs on the cpu only"
        )
    return "cpu"


def _require_release(digest: str) -> None:
    """Refuse released weights in a release of the package that reads them without an error, and wrongly.

    :raises EngineError: ``WEIGHTS_MISMATCH``.
    """
    family, known = find_by_sha256(digest) or (None, None)
    if family is None or known is None or known.releases is None:
        return
    version = importlib.metadata.version(family.package)
    if not known.right_in(version):
        first, wrong = known.releases
        raise EngineError(
            Condition.WEIGHTS_MISMATCH,
            f"{family.package} {version} reads the weights {known.name} without an error, and gives wrong numbers: "
            f"they are right from {first} on and before {wrong}; 'aiida-crucible env create {family.name}' makes an "
            "environment that suits them",
        )
