"""Which modules of the package read bytes, seen in their source: calls that open, parse, decompress or import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"

READERS = {
    "File", "Trajectory", "Unpickler", "ZipFile", "as_path", "exec_command_wait", "filetype", "frombuffer", "fromfile",
    "fromstring", "full_load", "genfromtxt", "genops", "get_content", "get_object_content", "getfile", "import_module",
    "iread", "iterparse", "load", "load_atomistic_model", "loads", "loadtxt", "memmap", "open_with_compression",
    "parse_BORN", "parse_FORCE_CONSTANTS", "parse_FORCE_SETS", "read_bytes", "read_csv", "read_force_constants_hdf5",
    "read_magic", "read_pickle", "read_text", "safe_load", "unsafe_load",
}  # fmt: skip
"""Names of functions, whatever module or object they are of."""

LIBRARIES = {"ase.io.read", "yaml.parse", "sqlite3.connect", "eval", "exec", "__import__"}
"""Names that mean reading only as they stand."""

WRITING = set("wax")


def readers() -> dict[str, set[str]]:
    """Return what each module that reads calls for it, by its path below ``src``."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        calls = set(calls_of(ast.parse(path.read_text(encoding="utf-8"))))
        if calls:
            found[path.relative_to(SOURCE).as_posix()] = calls
    return found


def calls_of(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the calls in a source that read."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if last in READERS or name in LIBRARIES or (last == "open" and _may_read(node)):
            yield name if len(name) < 60 else last


def _may_read(call: ast.Call) -> bool:
    """Tell whether a call of ``open`` gives no mode, or one that reads."""
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    modes = [str(item.value) for item in given if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return not any(WRITING & set(mode) and len(mode) < 4 for mode in modes)
