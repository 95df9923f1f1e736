"""The loading that all families with torch checkpoints share, and what such a file holds, read without running it.

torch's own reader is given a list of what it may make, and refuses the rest: no look at the file beforehand has to be
right for that. What a package reads by itself with pickle, it reads from a copy that was written here.
"""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from crucible_engine.families import weights
from crucible_engine.families.base import Identity
from crucible_engine.families.file_loader import FileLoader
from crucible_engine.families.torch_support import DTYPES, resolve_device
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

Network = TypeVar("Network", bound=torch.nn.Module)

# Arrays of numbers beside the tensors, under the names that numpy had and has for its functions. Of element types those
# that have a fixed size: the others take their layout from the pickle, and with it any memory.
_ARRAYS: list[Any] = [
    np.ndarray,
    np.dtype,
    *((np.zeros(1).__reduce__()[0], f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *sorted({type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}, key=lambda kind: kind.__name__),
]


class CheckpointLoader(FileLoader):
    """The function ``load`` of an adapter whose weights are torch checkpoints."""

    def resolve_device(self, reference: ModelReference, device: str) -> str:
        """Return torch's name of a device, see :func:`crucible_engine.families.torch_support.resolve_device`."""
        return resolve_device(device, reference.dtype)

    def require_whole(self, path: Path) -> None:
        """Check that a file is a complete torch checkpoint."""
        weights.require_whole(path)


def placed(network: Network, identity: Identity) -> Network:
    """Return a network on its device and in its precision, for evaluation: its weights need no gradient."""
    moved: Network = network.to(device=identity.device, dtype=DTYPES[identity.dtype]).eval().requires_grad_(False)
    return moved


def read_content(path: Path, family: str, trusted: bool) -> Any:
    """Return what a checkpoint holds: tensors, arrays of numbers and plain containers.

    :param path: a checkpoint that is whole, see :func:`crucible_engine.families.weights.require_whole`.
    :param trusted: whether the user opted into running what the file asks for; then anything is read, by unpickling.
    :raises EngineError: ``CHECKPOINT_UNTRUSTED``, if it asks for more and is not trusted; ``CHECKPOINT_UNREADABLE``.
    """
    try:
        return weights.read_checkpoint(path, family, lambda: _read_plain(path, family))
    except EngineError as error:
        if error.condition is not Condition.CHECKPOINT_UNTRUSTED or not trusted:
            raise
    return unpickle(path, family)


def unpickle(path: Path, family: str, device: str = "cpu") -> Any:
    """Return what a checkpoint holds by running whatever it asks for: only for one that the user trusts.

    :raises EngineError: ``CHECKPOINT_UNREADABLE``.
    """
    return weights.read_checkpoint(path, family, lambda: torch.load(path, map_location=device, weights_only=False))


@contextlib.contextmanager
def plain_copy(content: Any) -> Iterator[Path]:
    """Give a file with content that was read already, for a package that takes nothing else and unpickles it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.pth"
        torch.save(content, path)
        yield path


def require_setting(name: str, known: Sequence[str], identity: Identity, path: Path, needed: bool) -> None:
    """Refuse a setting that weights do not know, or lack although they need it.

    :raises EngineError: ``INVALID_JOB``.
    """
    wanted = identity.settings.get(name)
    if wanted not in known and (needed or wanted is not None):
        has = f"choose one of {', '.join(known)}" if known else "it has none"
        said = f"setting {name!r} of {identity.name or path.name} is {wanted!r}: {has}"
        raise EngineError(Condition.INVALID_JOB, said)


def _read_plain(path: Path, family: str) -> Any:
    with torch.serialization.safe_globals(_ARRAYS):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise weights.untrusted(path, family) from error
