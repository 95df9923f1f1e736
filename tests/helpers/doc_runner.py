"""A reader who works through a page: with a home, a folder, an AiiDA of their own, and the page's blocks in order."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from ase.build import bulk
from doc_blocks import ROOT, SHELLS, Block, Directive, Page, commands_of, read_page, said

from aiida_crucible.environments.local import default_root, find_uv

INTERPRETER = Path(__file__).with_name("doc_interpreter.py")
IN_A_CLONE = ("src", "tests", "cluster", "examples", "pyproject.toml")
PROCESS = """\
import sys
from aiida import load_profile, orm
load_profile()
query = orm.QueryBuilder().append(
    orm.ProcessNode, filters={"process_type": {"like": f"%{sys.argv[1]}"}}, project="id"
).order_by({orm.ProcessNode: {"id": sys.argv[2]}})
print(query.first(flat=True))
"""
ORDERS = {"newest": "desc", "oldest": "asc"}
KEPT = """\
trap 'pwd > "$DOC_STATE/folder"; env -0 > "$DOC_STATE/environment"' EXIT
set -eo pipefail
"""


class Reader:
    """Somebody who reads one page and does what it says.

    :param page: the page.
    :param home: an empty folder, which becomes the home.
    :param environment: variables on top of the test's own.
    :param python: the interpreter whose environment has the project and what the page needs.
    :param given: what the page's comments may ask for by name, see ``let … = given`` in :mod:`doc_blocks`.
    """

    def __init__(
        self,
        page: Page,
        home: Path,
        environment: Mapping[str, str] | None = None,
        given: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        self.page, self.home = page, home
        self.state = home / ".test"
        self.folder = home / "work"
        for folder in (self.state / "bin", self.folder, home / ".aiida"):
            folder.mkdir(parents=True)
        self.given = {"home": str(home), "work": str(self.folder), "helpers": str(INTERPRETER.parent), **(given or {})}
        self.words: dict[str, str] = {}
        self.written = ""
        self.in_verdi_shell = False
        self._python: subprocess.Popen[str] | None = None
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.environment = {
            **own,
            "HOME": str(home),
            "AIIDA_PATH": str(home / ".aiida"),
            "CRUCIBLE_ENVIRONMENTS": str(default_root()),
            "DOC_STATE": str(self.state),
            "DOC_HELPERS": str(INTERPRETER.parent),
            "PATH": os.pathsep.join([str(self.state / "bin"), str(Path(python).parent), own["PATH"]]),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            "COLUMNS": "200",
            **(environment or {}),
        }
        if page.in_a_clone:
            self._clone(python)

    def _clone(self, python_of_tests: str) -> None:
        """Lay out the checkout, and a Python that sees the packages of the tests and may install more."""
        for name in IN_A_CLONE:
            (self.folder / name).symlink_to(ROOT / name)
        python = self.home / "venv" / "bin" / "python"
        subprocess.run([python_of_tests, "-m", "venv", "--without-pip", self.home / "venv"], check=True)
        (own,) = (self.home / "venv").glob("lib/python*/site-packages")
        ask = "import sys; print(*[path for path in sys.path if path.endswith('site-packages')], sep='\\n')"
        seen = subprocess.run(
            [python_of_tests, "-c", ask], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        own.joinpath("tests.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in seen))
        for name, module in {"aiida-crucible": "aiida_crucible.cli", "verdi": "aiida", "pytest": "pytest"}.items():
            python.with_name(name).write_text(f'#!/bin/sh\nexec "{python}" -m {module} "$@"\n')
            python.with_name(name).chmod(0o755)
        python.with_name("uv").symlink_to(find_uv())
        environments = self.home / "envs"
        environments.mkdir()
        for made in default_root().glob("[!.]*"):
            (environments / made.name).symlink_to(made)
        self.environment["PATH"] = f"{python.parent}{os.pathsep}{self.environment['PATH']}"
        self.environment |= {"VIRTUAL_ENV": str(self.home / "venv"), "CRUCIBLE_ENVIRONMENTS": str(environments)}

    def read(self) -> None:
        """Do all that the page says.

        :raises AssertionError: naming page, line and what was written, if a block does not do what it should.
        """
        try:
            if self.page.families:
                families = " ".join(f"-m {family}" for family in self.page.families)
                self.run(f"aiida-crucible setup --yes {families}", 0, f"{self.page.name}: before")
            for step in self.page.steps:
                self._prepare(step) if isinstance(step, Directive) else self._do(step)
        finally:
            self._leave()

    def _do(self, block: Block) -> None:
        where = f"{self.page.name}.md:{block.line}"
        if block.reason is not None:
            self.written = ""
        elif block.caption:
            path = self.folder / self._filled(block.caption)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._filled(block.text), encoding="utf-8")
        elif block.language in SHELLS:
            commands, expected = commands_of(block)
            self.run(self._filled(commands), block.status, where)
            self._compare(expected, block, where)
        elif block.language == "python":
            self._run_python(self._filled(block.text), where)
        elif block.language == "text":
            self._compare(block.text, block, where)
        else:
            raise AssertionError(f"{where}: what does a reader do with {block.language or 'this'}?")

    def _compare(self, expected: str, block: Block, where: str) -> None:
        missing = said(self._filled(expected), self.written, any_numbers=block.any_numbers)
        assert missing is None, f"{where}: nothing wrote\n{missing}\nbut there was\n{self.written}"

    def _prepare(self, step: Directive) -> None:
        where = f"{self.page.name}.md:{step.line}"
        if step.kind == "file":
            name, source = step.words
            self._write_file(self.folder / name, source)
        elif step.kind == "let":
            word, value = step.words
            self.words[word] = self._value(value)
        elif step.kind == "run":
            self.run(self._filled(step.words[0]), 0, where)
        else:
            self.in_verdi_shell = True

    def _write_file(self, path: Path, source: str) -> None:
        """Write a file of the reader's: that of another page, or a prototype, `FORMULA:PROTOTYPE[:A]`."""
        if source.endswith(".md"):
            (text,) = [block.text for block in read_page(ROOT / source).blocks if block.caption == path.name]
            path.write_text(text, encoding="utf-8")
            return
        formula, prototype, *length = source.split(":")
        bulk(formula, prototype, a=float(length[0]) if length else None, cubic=True).write(path)

    def _value(self, value: str) -> str:
        kind, _, rest = value.partition(" ")
        if kind == "given":
            return self.given[rest]
        if kind in ORDERS:
            return self._plain_python(PROCESS, rest, ORDERS[kind]).strip()
        return self._filled(value)

    def _plain_python(self, code: str, *arguments: str) -> str:
        done = subprocess.run(
            ["python", "-c", code, *arguments],
            env=self._current(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _current(self) -> dict[str, str]:
        """Return the variables as the last block of a shell has left them."""
        kept = self.state / "environment"
        if not kept.exists():
            return self.environment
        pairs = (pair.partition("=") for pair in kept.read_text().split("\0") if pair)
        return {name: value for name, _, value in pairs if name not in {"_", "PWD", "OLDPWD", "SHLVL"}}

    def _filled(self, text: str) -> str:
        for word, value in self.words.items():
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _, value=value: value, text)
        return text

    def write_files(self) -> None:
        """Write the files that the page has, and nothing else."""
        for block in self.page.blocks:
            if block.caption:
                self._do(block)

    def run(self, commands: str, status: int = 0, where: str = "the test") -> str:
        """Run commands of a shell, and return what they write.

        :raises AssertionError: if they end with another status.
        """
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", KEPT + commands],
            env=self._current(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.written = done.stdout
        self._tell(where, commands, time.monotonic() - began)
        assert done.returncode == status, f"{where} ended with {done.returncode}\n{commands}\n{done.stdout}"
        self.folder = Path((self.state / "folder").read_text().strip())
        return self.written

    def _run_python(self, source: str, where: str) -> None:
        answers, output = self.state / "answers", self.state / "output"
        if self._python is None:
            answers.touch()
            with output.open("w") as stream:
                self._python = subprocess.Popen(
                    ["python", str(INTERPRETER), str(answers)],
                    env=self._current(),
                    cwd=self.folder,
                    stdin=subprocess.PIPE,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
        begun, already, began = output.stat().st_size, len(answers.read_text().splitlines()), time.monotonic()
        block = {"source": source, "place": where, "folder": str(self.folder), "shell": self.in_verdi_shell}
        assert self._python.stdin is not None
        self._python.stdin.write(json.dumps(block) + "\n")
        self._python.stdin.flush()
        while len(answers.read_text().splitlines()) == already and self._python.poll() is None:
            time.sleep(0.1)
        self.written = output.read_bytes()[begun:].decode(errors="replace")
        self._tell(where, source, time.monotonic() - began)
        answer = (answers.read_text().splitlines()[already:] or ["ended"])[0]
        assert answer == "ok", f"{where} {answer}\n{source}\n{self.written}"

    def _tell(self, where: str, what: str, seconds: float) -> None:
        print(f"--- {where}, {seconds:.1f} s\n{what.rstrip()}\n{self.written}", flush=True)

    def _leave(self) -> None:
        """End the interpreter, the daemon that the page may have started, and the jobs that it has left."""
        if self._python is not None and self._python.stdin is not None:
            self._python.stdin.close()
            self._python.wait(60)
        if (Path(self.environment["AIIDA_PATH"]) / "config.json").exists():
            stop = ["verdi", "daemon", "stop", "--all"]
            subprocess.run(stop, env=self._current(), cwd=self.home, capture_output=True, check=False)
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(self.home):
                with contextlib.suppress(psutil.Error):
                    process.kill()


@contextlib.contextmanager
def reader_of(page: Page, **more: Any) -> Iterator[Reader]:
    """Yield a reader of a page, whose home has a short path (sockets lie in it) and is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="reader-", ignore_cleanup_errors=True) as home:
        yield Reader(page, Path(home), **more)
