"""The loading that all families with files of weights share: finding the file, its digest, device and trust."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible_engine.families import weights
from crucible_engine.families.base import Identity, Model
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
        self.require_whole(path)
        digest = weights.digest(path)
        weights.require_digest(digest, reference.sha256, f"{reference.family} {reference.name or path}")
        _require_release(digest)
        identity = Identity(reference.family, digest, reference.dtype, device, reference.name, reference.settings)
        return self.read(path, identity, weights.is_trusted(reference))

    def _find_file(self, reference: ModelReference) -> Path:
        if reference.checkpoint is not None:
            return Path(reference.checkpoint)
        name = str(reference.name)
        return weights.downloaded(name, lambda: self.weights_path(name))


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
