"""matgl: M3GNet, TensorNet and its other networks. Which backend the package imports follows from the weights."""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from crucible_engine.families import weights
from crucible_engine.families.base import Identity, Model
from crucible_engine.families.load import import_quietly
from crucible_engine.families.matgl import FAMILY, PARTS
from crucible_engine.families.packed import pack
from crucible_engine.families.torch_checkpoint import CheckpointLoader, read_content
from crucible_engine.wire.schema import Condition, EngineError, ModelReference


class OnlyCpuError(EngineError):
    """The backend that weights need computes on the CPU alone."""


class PackedLoader(CheckpointLoader):
    """The function ``load``: the three files of a model in one archive or a folder."""

    def __call__(self, reference: ModelReference, device: str) -> Model:
        """Return the model of a reference; where nobody chose the device, on the CPU if its backend knows no other."""
        try:
            return super().__call__(reference, device)
        except OnlyCpuError:
            if device != "auto":
                raise
            return super().__call__(reference, "cpu")

    def _find_file(self, reference: ModelReference) -> Path:
        path = super()._find_file(reference)
        if not path.is_dir():
            return path
        packed = Path(_PACKED.name) / f"{path.name}.zip"
        pack(path, PARTS, packed)
        return packed

    def require_whole(self, path: Path) -> None:
        """Check that a file is an archive of the three parts, each whole."""
        weights.require_there(path)
        with _Unpacked(path) as folder:
            for part in _TENSORS:
                weights.require_whole(folder / part)


_PACKED = tempfile.TemporaryDirectory()
_TENSORS = ("model.pt", "state.pt")


def read(path: Path, identity: Identity, trusted: bool) -> Model:
    """Return the model of a packed folder."""
    with _Unpacked(path) as folder:
        description, state = (read_content(folder / part, "matgl", trusted) for part in _TENSORS)
    network = description.get("model") if isinstance(description, dict) else None
    if not isinstance(network, dict) or not {"@class", "@module", "init_args"} <= set(network):
        raise weights.another_family(path, "matgl")
    backend = "PYG" if "pyg" in str(network["@module"]) else "DGL"
    if backend == "DGL" and identity.device != "cpu":
        raise OnlyCpuError(
            Condition.DEVICE_UNAVAILABLE,
            f"{path.name} needs DGL, whose builds on the package index are for the CPU: take device cpu, not "
            f"{identity.device}",
        )
    choose_backend(backend, path)
    build = import_quietly("crucible_engine.families.matgl.networks", FAMILY).build
    model: Model = build(path, description, state, identity)
    return model


def choose_backend(backend: str, path: Path) -> None:
    """Have matgl import the backend that the weights were trained with: it can have one in a process."""
    loaded: Any = sys.modules.get("matgl.config")
    if loaded is not None and backend != loaded.BACKEND:
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"checkpoint {path.name} needs matgl with {backend}, and this process has it with {loaded.BACKEND}: "
            "use each in a job of its own",
        )
    os.environ["MATGL_BACKEND"] = backend
    os.environ.setdefault("DGLBACKEND", "pytorch")  # without it DGL says on standard output what it assumes


class _Unpacked(tempfile.TemporaryDirectory):  # type: ignore[type-arg]
    """A folder with the parts of a packed file, for a while."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __enter__(self) -> Path:
        folder = Path(super().__enter__())
        try:
            with zipfile.ZipFile(self._path) as archive:
                if sorted(archive.namelist()) != sorted(PARTS):
                    raise weights.another_family(self._path, "matgl")
                for part in archive.infolist():
                    if part.compress_type != zipfile.ZIP_STORED:
                        raise weights.unreadable(self._path, "its parts are compressed")
                    (folder / part.filename).write_bytes(archive.read(part))
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            self.cleanup()
            raise weights.unreadable(self._path, f"it was truncated or damaged ({error})") from error
        except EngineError:
            self.cleanup()
            raise
        return folder


def _weights_path(name: str) -> Path:
    """Return released weights, packed, from the package's own cache, whither it downloads them."""
    from matgl.config import MATGL_CACHE, PRETRAINED_MODELS_BASE_URL
    from matgl.utils.io import RemoteFile

    for part in PARTS:
        RemoteFile(f"{PRETRAINED_MODELS_BASE_URL}{name}/{part}")
    packed = Path(MATGL_CACHE) / f"{name}.crucible.zip"
    pack(Path(MATGL_CACHE) / name, PARTS, packed)
    return packed


load = PackedLoader(_weights_path, read)
