"""Folders that announce themselves: those of this package, and those that other packages add by an entry point.

An entry point names a package (a folder) of somebody else's. It is imported under a name beside our own folders, which
is where it lies on the compute node, too: the engine's archive takes it along. Relative imports in it work on both
sides, and so do absolute ones of ``crucible_engine``.

Only the standard library is imported, so that both sides of the wire can read it.
"""

from __future__ import annotations

import contextlib
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeVar
from zipimport import zipimporter

Fact = TypeVar("Fact")

FOREIGN: list[str] = []
"""Packages that came by an entry point, by the names that they have here (``crucible_engine.families.NAME``)."""

_log = logging.getLogger(__name__)


def collect(parent: ModuleType, kind: str, read: Callable[[ModuleType, str], Fact]) -> dict[str, Fact]:
    """Return the facts of every folder of a package and of the entry points of the group ``aiida_crucible.PACKAGE``.

    One that cannot be used is left out, with one line of warning.

    :param kind: what one of its folders is, as messages should call it.
    :param read: returns the facts of a folder's package, or raises an error that says in one line why there are none.
    """
    found: dict[str, Fact] = {}
    for entry in pkgutil.iter_modules(parent.__path__):
        if entry.ispkg:
            with _left_out_if_broken(kind, entry.name):
                found[entry.name] = read(import_module(f"{parent.__name__}.{entry.name}"), entry.name)
    # The archive of an engine holds all that was there where it was made.
    if isinstance(getattr(parent.__spec__, "loader", None), zipimporter):
        return found
    for point in sorted(entry_points(group=f"aiida_crucible.{parent.__name__.rpartition('.')[2]}")):
        with _left_out_if_broken(kind, point.name, f" of package {point.dist.name}" if point.dist else ""):
            module = _adopt(parent, point)
            found[point.name] = read(module, point.name)
            FOREIGN.append(module.__name__)
    return found


@contextlib.contextmanager
def _left_out_if_broken(kind: str, name: str, owner: str = "") -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        _log.warning("the %s %r%s is left out: %s", kind, name, owner, " ".join(said.split()))


def _adopt(parent: ModuleType, point: EntryPoint) -> ModuleType:
    """Return the package that an entry point names, imported as a folder of ours."""
    name = f"{parent.__name__}.{point.name}"
    if not point.name.isidentifier():
        raise ValueError("its name is no name of a Python package")
    if name in sys.modules or find_spec(name) is not None:
        raise ValueError("the name is taken")
    spec = find_spec(point.value)
    folders = list((spec and spec.submodule_search_locations) or ())
    if not folders or not Path(folders[0], "__init__.py").is_file():
        raise ValueError(f"{point.value!r} is no folder with an __init__.py")
    module = _import_folder(name, Path(folders[0]))
    setattr(parent, point.name, module)
    return module


def _import_folder(name: str, folder: Path) -> ModuleType:
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert isinstance(spec, ModuleSpec) and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
