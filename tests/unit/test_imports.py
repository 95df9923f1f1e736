"""Both sides import without the other's packages, and quickly."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from crucible_engine.families.registry import FAMILIES
from crucible_engine.wire.extensions import FOREIGN

ROOT = Path(__file__).parents[2]

BLOCKING = """
import importlib, importlib.abc, pkgutil, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked by the test", name=name)

sys.meta_path.insert(0, Blocker())
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__") and module.name not in {adapters!r}:
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith({package!r})]))
"""

# Only these import a model package, and only when the job asks for that family.
ADAPTERS = (
    {f"crucible_engine.families.{name}" for name in ("torch_checkpoint", "torch_support")}
    | {f"crucible_engine.training.{name}" for name in ("torch_trainer", "torch_state")}
    | {
        f"{family.folder}.{module}"
        for family in FAMILIES.values()
        for module in ("adapter", "compat", "networks", "train", "usable")
        if family.package != "ase"
    }
)
MODEL_PACKAGES = {"torch", "e3nn", "matgl", "pymatgen", *(family.import_name for family in FAMILIES.values())} - {"ase"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "blocked"),
    [
        ("aiida_crucible", MODEL_PACKAGES),
        (
            "crucible_engine",
            MODEL_PACKAGES | {"aiida", "aiida_crucible", "aiida_shell", "phonopy", "seekpath", "matplotlib", "click"},
        ),
    ],
)
def test_every_module_imports_without_the_other_side(package, blocked):
    script = BLOCKING.format(package=package, blocked=blocked, adapters=ADAPTERS)
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert int(finished.stdout) > 5


def test_import_rules():
    """The contracts of ``[tool.importlinter]`` hold."""
    command = [shutil.which("lint-imports", path=str(Path(sys.executable).parent)), "--no-cache"]
    environment = {**os.environ, "NO_COLOR": "1"}
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_each_family_stands_alone():
    """No family knows another one, and nobody else imports its package: so for all that the registry finds."""
    graph = grimp.build_graph("aiida_crucible", "crucible_engine", include_external_packages=True, cache_dir=None)
    own = [family for family in FAMILIES.values() if family.folder not in FOREIGN]
    for family, other in itertools.permutations(own, 2):
        assert not graph.chain_exists(family.folder, other.folder, as_packages=True), (family.name, other.name)
    for family in own:
        if family.package != "ase":
            importers = graph.find_modules_that_directly_import(family.import_name)
            assert importers, f"{family.import_name} is imported nowhere: is the graph complete?"
            assert all(name.startswith(f"{family.folder}.") for name in importers), importers
