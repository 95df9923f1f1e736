"""A digest of the code behind a calculator: what its factory, its class and the modules that these import consist of.

Installed packages that are merely imported count by their versions. The packages of the factory and of the calculator's
classes, and whatever lies outside the installed packages, count by the bytes of their files, so that an edit shows.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import Any

CODE = (".py", ".pyd", ".so", ".dylib", ".dll")
BY_VERSION = frozenset({"ase", "numpy", "scipy", "torch"})
"""Large packages that calculators build on: of these the module of a factory or class itself counts, not the tree."""
NOT_FOREIGN = frozenset({"crucible_engine", "aiida_crucible", "__main__"})
"""What the version of the protocol stands for."""
INSTALLED = tuple(
    Path(sysconfig.get_paths()[name]).resolve() for name in ("purelib", "platlib", "stdlib", "platstdlib")
)


def digest_of_code(path: str, factory: Any, calculator: Any, arguments: Mapping[str, Any]) -> str:
    """Return the hexadecimal sha256 of all that makes a calculator what it is.

    :param path: how the settings name the factory.
    :param arguments: what the factory was given; files that they name count by their bytes.
    """
    state = hashlib.sha256(json.dumps([path, arguments], sort_keys=True).encode())
    roots = {path.partition(":")[0], *_modules_of(factory), *_modules_of(calculator)} - {"builtins", "abc"}
    files, packages = _gather({name for name in roots if _top(name) not in NOT_FOREIGN})
    for name in sorted(packages):
        state.update(f"\n{name} {_version(name)}".encode())
    for label, file in sorted([*files.items(), *_named_files(arguments)]):
        state.update(f"\n{label} ".encode())
        state.update(hashlib.sha256(file.read_bytes()).digest())
    return state.hexdigest()


def _modules_of(thing: Any) -> set[str]:
    """Return the modules of a function or of an object's classes, and of the objects that it consists of."""
    parts = [part for value in getattr(thing, "__dict__", {}).values() for part in _flat(value)]
    classes = [entry for part in (thing, *parts) for entry in getattr(type(part), "__mro__", ())]
    named = {entry.__module__ for entry in classes}
    if isinstance(module := getattr(thing, "__module__", None), str):
        named.add(module)
    return named


def _flat(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _gather(roots: Iterable[str]) -> tuple[dict[str, Path], set[str]]:
    """Return the files that count by their bytes, by labels without this machine's folders, and packages by name."""
    files: dict[str, Path] = {}
    packages: set[str] = set()
    waiting = [(name, True) for name in sorted(roots)]
    seen: set[tuple[str, bool]] = set()
    while waiting:
        name, is_root = waiting.pop()
        if (name, is_root) in seen or _top(name) in sys.stdlib_module_names | NOT_FOREIGN:
            continue
        seen.add((name, is_root))
        packages.add(_top(name))
        spec = _spec(_top(name))
        if spec is None or not (is_root or not _is_installed(spec)):
            continue
        found = _files(name, spec)
        waiting += [(other, False) for label, file in found.items() if label not in files for other in _imports(file)]
        files |= found
    return files, packages


def _files(name: str, spec: ModuleSpec) -> dict[str, Path]:
    """Return the files of a module's package: all of its code, or the module alone of one that is too large."""
    top = _top(name)
    if spec.origin is not None and spec.submodule_search_locations and top not in BY_VERSION:
        folder = Path(spec.origin).parent
        return {f"{top}/{file.relative_to(folder).as_posix()}": file for file in _code_in(folder)}
    own = spec if name == top else _spec(name)
    origin = own and own.origin
    if not origin or not Path(origin).is_file():
        return {}
    return {f"{name.replace('.', '/')}{Path(origin).suffix}": Path(origin)}


def _code_in(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__pycache__")):
            continue
        if entry.is_dir():
            yield from _code_in(entry)
        elif entry.name.endswith((*CODE, *EXTENSION_SUFFIXES)):
            yield entry


def _imports(file: Path) -> set[str]:
    """Return the modules that a file imports anywhere, those of its own package left out."""
    if file.suffix != ".py":
        return set()
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _is_installed(spec: ModuleSpec) -> bool:
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return any(Path(place).resolve().is_relative_to(folder) for place in places for folder in INSTALLED)


def _version(package: str) -> str:
    """Return the versions of the distributions that a package comes from; empty for a file of the user's own."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        spec = _spec(package)
        names = _distributions().get(package, ()) if spec is not None and _is_installed(spec) else ()
    return " ".join(f"{name}=={metadata.version(name)}" for name in sorted(set(names)))


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Return the distributions of all installed packages; reading them takes a second."""
    return metadata.packages_distributions()


def _named_files(arguments: Any) -> list[tuple[str, Path]]:
    """Return the files that arguments name, weights for example."""
    if isinstance(arguments, Mapping):
        return [pair for value in arguments.values() for pair in _named_files(value)]
    if isinstance(arguments, list | tuple):
        return [pair for value in arguments for pair in _named_files(value)]
    if not isinstance(arguments, str) or not arguments:
        return []
    try:
        return [(f"file {arguments}", Path(arguments))] if Path(arguments).is_file() else []
    except (OSError, ValueError):  # a text that is no path at all
        return []


def _top(name: str) -> str:
    return name.partition(".")[0]
