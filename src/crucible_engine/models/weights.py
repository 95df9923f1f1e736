"""Files of weights: their digest, and whether they are whole, of which family, and safe to read.

A torch checkpoint is a zip archive around a pickle, and reading a pickle can run any code. So nothing is unpickled
before the names that the pickle asks for (its *globals*) were read without executing anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickletools
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crucible_engine.schema import Condition, EngineError

# What a pickle asks for when torch saves tensors, and numpy arrays beside them: none runs foreign code.
SAFE_GLOBALS = frozenset(
    {
        "collections.OrderedDict",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "numpy.ndarray",
        "_codecs.encode",
        "torch.device",
        "torch.Size",
        "torch.storage.TypedStorage",
        "torch.storage.UntypedStorage",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
    }
)
_SAFE_TORCH = frozenset({"float32", "float64", "float16", "bfloat16", "int64", "int32", "bool"})


def digest(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(stream)


def _digest(stream: Any) -> str:
    # Python 3.10 has no hashlib.file_digest.
    state = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        state.update(chunk)
    return state.hexdigest()


def require_digest(found: str, wanted: str | None, what: str) -> None:
    """Check that the weights are the ones that a job wants.

    :raises EngineError: ``WEIGHTS_MISMATCH``, with both digests.
    """
    if wanted is not None and found != wanted:
        raise EngineError(
            Condition.WEIGHTS_MISMATCH,
            f"the weights of {what} have sha256 {found}, the job wants {wanted}: "
            "use the file or the package version that the model node was made with",
        )


def require_whole(path: Path) -> None:
    """Check that a file is a complete torch checkpoint.

    :raises EngineError: ``CHECKPOINT_MISSING`` or ``CHECKPOINT_UNREADABLE``, with the reason.
    """
    if not path.is_file():
        raise EngineError(
            Condition.CHECKPOINT_MISSING, f"checkpoint {path} is not there: check its path on this computer"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged is None and not _pickles(archive):
                raise _unreadable(path, "it is an archive without torch's data")
            if len(set(archive.namelist())) != len(archive.namelist()):
                # Two readers could see two different pickles under one name.
                raise _unreadable(path, "it holds two parts of one name")
    except zipfile.BadZipFile:
        with path.open("rb") as stream:
            truncated = stream.read(4) == b"PK\x03\x04"
        raise _unreadable(
            path, "it was truncated" if truncated else "it is no torch checkpoint (torch 1.6 or later saves one)"
        ) from None
    if damaged is not None:
        raise _unreadable(path, f"its part {damaged} is damaged")


def pickled_globals(path: Path) -> set[str]:
    """Return the dotted names that a checkpoint's pickle asks for, without unpickling anything.

    :param path: a checkpoint that is whole.
    """
    with zipfile.ZipFile(path) as archive:
        return set().union(*(_globals(archive.read(name)) for name in _pickles(archive)))


def is_safe(name: str) -> bool:
    """Tell whether a global may be unpickled: tensors, arrays and containers only."""
    if name in SAFE_GLOBALS:
        return True
    module, _, attribute = name.rpartition(".")
    return (module == "torch" and (attribute.endswith("Storage") or attribute in _SAFE_TORCH)) or (
        module == "numpy.dtypes" and attribute.endswith("DType")
    )


def require_trusted(path: Path, family: str, trust_pickle: bool) -> bool:
    """Check that a checkpoint may be read.

    :param path: a checkpoint that is whole.
    :param trust_pickle: whether the user opted into running what the file asks for.
    :returns: whether it holds tensors and plain containers only, so that reading it runs no foreign code.
    :raises EngineError: ``CHECKPOINT_UNTRUSTED``, with what it asks for.
    """
    unsafe = sorted(name for name in pickled_globals(path) if not is_safe(name))
    if unsafe and not trust_pickle:
        raise EngineError(
            Condition.CHECKPOINT_UNTRUSTED,
            f"reading checkpoint {path.name} of {family} would run code that the file chooses ({unsafe[0]}"
            f"{f' and {len(unsafe) - 1} more' if len(unsafe) > 1 else ''}): "
            "if you trust where it comes from, set trust_pickle on the model",
        )
    return not unsafe


def another_family(path: Path, family: str) -> EngineError:
    """Return the error for a checkpoint that does not belong to a family, with the family it looks like."""
    modules = {name.partition(".")[0] for name in pickled_globals(path)}
    likely = next((label for label, module in _MARKS.items() if module in modules and label != family), None)
    return EngineError(
        Condition.CHECKPOINT_OF_ANOTHER_FAMILY,
        f"checkpoint {path.name} is none of {family}"
        + (
            f"; it looks like one of {likely}: choose that family" if likely else ": choose the family it was made with"
        ),
    )


_MARKS = {"mace": "mace", "chgnet": "chgnet", "sevennet": "sevenn", "orb": "orb_models", "matgl": "matgl"}


def downloaded(name: str, resolve: Callable[[], Any]) -> Path:
    """Return the file of released weights, which the package finds among its own or downloads.

    :param name: the weights' name.
    :param resolve: the package's function that returns the path.
    :raises EngineError: ``CHECKPOINT_MISSING``, if the download fails.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return Path(resolve())
    except Exception as error:
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise EngineError(
            Condition.CHECKPOINT_MISSING,
            f"the weights of {name} are not on this computer and cannot be downloaded ({reason[0]}): "
            "run the model once where there is internet, or give the file as a checkpoint",
        ) from error


def read_checkpoint(path: Path, family: str, reader: Callable[[], Any]) -> Any:
    """Return what ``reader`` reads, with its failures turned into one line.

    :raises EngineError: ``CHECKPOINT_UNREADABLE``.
    """
    try:
        return reader()
    except EngineError:
        raise
    except Exception as error:
        said = textwrap.shorten(str(error), 200, placeholder=" …") or type(error).__name__
        raise _unreadable(path, f"{family} says: {said}") from error


def _unreadable(path: Path, reason: str) -> EngineError:
    return EngineError(
        Condition.CHECKPOINT_UNREADABLE, f"checkpoint {path} cannot be read, {reason}: fetch or copy it again"
    )


def _pickles(archive: zipfile.ZipFile) -> list[str]:
    return [name for name in archive.namelist() if name.endswith(".pkl")]


def _globals(data: bytes) -> set[str]:
    names = set()
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("GLOBAL", "INST"):
            names.add(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL" or opcode.name.startswith("EXT"):
            # Their names come from the unpickler's memo or registry; torch itself never writes these.
            names.add("<a name hidden in the pickle>")
    return names
