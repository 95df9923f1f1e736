"""Files of weights: their digest, and whether they are whole, of which family, and safe to read.

A torch checkpoint is a zip archive around a pickle, and reading a pickle can run any code. What keeps it from that is
the way :mod:`crucible_engine.families.torch_checkpoint` reads; the looks at it here serve the messages.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickletools
import struct
import sys
import textwrap
import zipfile
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from crucible_engine.families.facts import START_LENGTH, TORCH_FILE
from crucible_engine.wire.bounds import LARGEST_PICKLE, LONGEST_SCAN
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

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
    state = hashlib.sha256()  # Python 3.10 has no hashlib.file_digest
    with path.open("rb") as stream:
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


def start_of(path: Path) -> bytes:
    """Return as many bytes of a file as tell what it is."""
    with path.open("rb") as stream:
        return stream.read(START_LENGTH)


def require_there(path: Path) -> None:
    """Check that there is a file.

    :raises EngineError: ``CHECKPOINT_MISSING``.
    """
    if not path.is_file():
        raise EngineError(
            Condition.CHECKPOINT_MISSING, f"checkpoint {path} is not there: check its path on this computer"
        )


def require_whole(path: Path, compressed: str = "") -> None:
    """Check that a file is a complete torch checkpoint, as torch writes one: nothing compressed, nothing twice.

    :param compressed: folder in the archive whose parts torch does compress: the code of what was compiled.
    :raises EngineError: ``CHECKPOINT_MISSING`` or ``CHECKPOINT_UNREADABLE``, with the reason.
    """
    require_there(path)
    try:
        with zipfile.ZipFile(path) as archive:
            reason = _shape_problem(path, archive, compressed) or _damage(archive)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, struct.error) as error:
        truncated = isinstance(error, zipfile.BadZipFile) and TORCH_FILE.begins(start_of(path))
        reason = "it was truncated" if truncated else "it is no torch checkpoint (torch 1.6 or later saves one)"
    except (UnicodeDecodeError, RuntimeError, zlib.error):  # the name of a part, a flag, something compressed
        reason = "it is damaged"
    if reason:
        raise unreadable(path, reason)


def _shape_problem(path: Path, archive: zipfile.ZipFile, compressed: str) -> str:
    """Return what torch's archives never have, and what two readers could take for two different things."""
    members = archive.infolist()
    code = [member for member in members if compressed and member.filename.partition("/")[2].startswith(compressed)]
    data = [member for member in members if member not in code]
    # torch takes names of any case for the same.
    names = {member.filename.lower() for member in members}
    if len(names) != len(members):
        return "it holds two parts of one name"
    if not _pickles(archive):
        # What is left of some that were cut off ends in a part that is an archive itself, of numpy's.
        return "it was truncated" if _declared_directory(path) is None else "it is an archive without torch's data"
    if any(member.compress_type != zipfile.ZIP_STORED for member in data):
        return "its parts are compressed, which torch's are not"
    if sum(member.file_size for member in data) > path.stat().st_size:
        return "its parts are larger than the file"
    pickles = (archive.getinfo(name).file_size for name in _pickles(archive))
    if max(*pickles, sum(member.file_size for member in code)) > LARGEST_PICKLE:
        return f"its {'code' if code else 'pickle'} has more than {LARGEST_PICKLE} bytes, and those of models far fewer"
    return "" if _declared_directory(path) == archive.start_dir else "it holds two tables of contents"


def _damage(archive: zipfile.ZipFile) -> str:
    damaged = archive.testzip()
    return "" if damaged is None else f"its part {damaged} is damaged"


def _declared_directory(path: Path) -> int | None:
    """Return where a zip's last record says that its table of contents starts; ``None`` if that is not its end.

    zipfile corrects what is said there by what it finds, and torch's reader believes it.
    """
    with path.open("rb") as stream:
        end = stream.seek(-_END.size, os.SEEK_END)
        mark, *_, start, comment = _END.unpack(stream.read(_END.size))
        if mark != b"PK\5\6" or comment:
            return None
        if start != _IN_ZIP64:
            return int(start)
        stream.seek(end - _LOCATOR.size)
        mark, _, place, _ = _LOCATOR.unpack(stream.read(_LOCATOR.size))
        if mark != b"PK\6\7":
            return None
        stream.seek(place)
        mark, *_, start = _END_ZIP64.unpack(stream.read(_END_ZIP64.size))
        return int(start) if mark == b"PK\6\6" else None


# Records of a zip: its end, and of a large one the place of its other end and that (little-endian, as they are named
# in PKWARE's APPNOTE 6.3, sections 4.3.14 to 4.3.16).
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_ZIP64 = struct.Struct("<4sQ2H2L4Q")
_IN_ZIP64 = 0xFFFFFFFF


def pickled_globals(path: Path) -> set[str]:
    """Return dotted names that a checkpoint's pickle asks for, without unpickling anything: for messages alone.

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


def is_trusted(reference: ModelReference) -> bool:
    """Tell whether a model's file may run code: its user said so, or it came with the package, whose code runs anyway.

    :param reference: as it came, maybe from an archive: nothing but the word itself counts.
    """
    return reference.trust_pickle is True or reference.name is not None


def untrusted(path: Path, family: str) -> EngineError:
    """Return the error for a checkpoint that only running what it asks for would read."""
    unsafe = sorted(name for name in pickled_globals(path) if not is_safe(name)) or ["what only unpickling makes"]
    more = f" and {len(unsafe) - 1} more" if len(unsafe) > 1 else ""
    return EngineError(
        Condition.CHECKPOINT_UNTRUSTED,
        f"reading checkpoint {path.name} of {family} would run code that the file chooses "
        f"({textwrap.shorten(unsafe[0], 80)}{more}): if you trust where it comes from, set trust_pickle on the model",
    )


def another_family(path: Path, family: str) -> EngineError:
    """Return the error for a checkpoint that does not belong to a family, with the family it looks like."""
    likely = _likely_family(path, family)
    return EngineError(
        Condition.CHECKPOINT_OF_ANOTHER_FAMILY,
        f"checkpoint {path.name} is none of {family}"
        + (
            f"; it looks like one of {likely}: choose that family" if likely else ": choose the family it was made with"
        ),
    )


def _likely_family(path: Path, not_of: str) -> str | None:
    """Return the family that a file of weights may belong to, by its first bytes and the modules that it names."""
    from crucible_engine.families.registry import FAMILIES

    start = start_of(path)
    modules = {name.partition(".")[0] for name in pickled_globals(path)} if zipfile.is_zipfile(path) else set()
    for family in FAMILIES.values():
        if family.weights_file is None or family.name == not_of or not family.weights_file.begins(start):
            continue
        if family.weights_file is not TORCH_FILE or family.import_name in modules:
            return family.name
    return None


def downloaded(name: str, resolve: Callable[[], Any]) -> Path:
    """Return the file of released weights, which the package finds among its own or downloads.

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
        raise unreadable(path, f"{family} says: {said}") from error


def unreadable(path: Path, reason: str) -> EngineError:
    """Return the error for a file of weights that is broken."""
    return EngineError(
        Condition.CHECKPOINT_UNREADABLE, f"checkpoint {path} cannot be read, {reason}: fetch or copy it again"
    )


def _pickles(archive: zipfile.ZipFile) -> list[str]:
    return [name for name in archive.namelist() if name.lower().endswith(".pkl")]


def _globals(data: bytes) -> set[str]:
    names = set()
    with contextlib.suppress(ValueError):  # what is no pickle says no names
        for opcode, argument, _ in islice(pickletools.genops(data), LONGEST_SCAN):
            if opcode.name in ("GLOBAL", "INST"):
                names.add(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL" or opcode.name.startswith("EXT"):
                # Their names come from the unpickler's memo or registry; torch itself never writes these.
                names.add("<a name hidden in the pickle>")
    return names
