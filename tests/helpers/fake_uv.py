"""A uv that installs nothing: a script that answers as uv does and writes down what it was asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from aiida_crucible.environments.specification import Source, Specification, TorchBuild, render_recipe

# Behaviour is chosen by files beside the script: `plan` (what a dry run answers), `unreachable` (torch's own index is),
# `failure` (what the installation dies of), `slow` (it waits until the file is gone), `broken-index`.
SCRIPT = r"""#!/usr/bin/env bash
here=$(dirname "$0")
case "$*" in
  *--help*) echo "--torch-backend"; exit ;;
esac
echo "$*" >>"$here/calls"
case "$1 $2" in
  "venv "*)
    work=${!#}
    mkdir -p "$work/bin" && ln -s {python} "$work/bin/python"
    printf 'home = %s\nversion = 3\n' "$(dirname {python})" >"$work/pyvenv.cfg" ;;
  "pip install")
    case "$*" in
      *--dry-run*--torch-backend*)
        [ ! -e "$here/broken-index" ] || { echo "error: No solution found when resolving dependencies" >&2; exit 1; }
        [ ! -e "$here/unreachable" ] || { echo "error: Failed to fetch: https://index.example" >&2; exit 2; }
        echo " + torch==2.13.0+cpu" >&2 ;;
      *--dry-run*) cat "$here/plan" >&2 ;;
      *)
        # Without a trap bash takes an interrupt for one that the command before it has dealt with, be it `sleep` or
        # `touch`: so the trap comes before the sign that this waits.
        trap 'trap - INT; kill -s INT $$' INT
        touch "$here/installing"
        while [ -e "$here/slow" ]; do sleep 0.05; done
        trap - INT
        [ ! -e "$here/failure" ] || { cat "$here/failure" >&2; exit 2; }
        [ "$5 $6 $7" = "--no-deps --require-hashes --requirement" ] || exit 0
        site=$("$4" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        while IFS='= ;' read -r name _ version _; do
          mkdir -p "$site/$name.dist-info"
          printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' "$name" "$version" >"$site/$name.dist-info/METADATA"
        done < <(grep -E '^(ase|chgnet)==' "$8") ;;
    esac ;;
esac
"""
CUDA_PLAN = " + nvidia-cublas==13.1\n + nvidia-ml-py3==7.352.0\n + sympy==1.14.0\n + torch==2.13.0\n + triton==3.7.1\n"
REGISTRY_PLAN = " + sympy==1.14.0\n + torch==2.13.0\n"
CPU_PLAN = " + sympy==1.14.0\n + torch==2.13.0+cpu\n"


class FakeUv:
    """A fake uv in a folder of its own, and recipes that use it.

    :param folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "environments of a user"
        self.path = folder / "uv"
        self.path.write_text(SCRIPT.replace("{python}", sys.executable))
        self.path.chmod(0o755)
        self.set("plan", CPU_PLAN)

    def set(self, behaviour: str, content: str = "") -> None:
        """Choose a behaviour."""
        (self.folder / behaviour).write_text(content)

    def unset(self, behaviour: str) -> None:
        """Choose the usual behaviour again."""
        (self.folder / behaviour).unlink()

    @property
    def calls(self) -> list[str]:
        """What it was asked, oldest first."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def wait_until_installing(self) -> None:
        """Return when an installation is under way."""
        deadline = time.monotonic() + 30
        while not (self.folder / "installing").exists():
            assert time.monotonic() < deadline, "the recipe never came to install anything"
            time.sleep(0.01)

    def recipe(
        self, family: str = "chgnet", build: str = "cpu", accept_cuda: bool = False, source: Source | None = None
    ) -> str:
        """Return the recipe of an environment that this uv makes."""
        specification = Specification(family, "3.11", TorchBuild(build), source)
        return render_recipe(specification, str(self.root), uv=str(self.path), accept_cuda=accept_cuda)

    def start(self, script: str) -> subprocess.Popen[str]:
        """Start a recipe in a process group of its own."""
        path = self.folder / "create.sh"  # longer than an argument may be
        path.write_text(script)
        return subprocess.Popen(
            ["bash", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "UV_TORCH_BACKEND": ""},
        )

    def run(self, script: str) -> tuple[int, str, str]:
        """Run a recipe; return its exit status, standard output and standard error."""
        with self.start(script) as process:
            output, error = process.communicate(timeout=60)
        return process.returncode, output, error
