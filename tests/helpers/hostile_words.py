"""The border of the command line: every command and option with words and files that make no sense."""

from __future__ import annotations

import random
from pathlib import Path

from click.testing import CliRunner
from mutations import mutated_text

from aiida_crucible.cli import main

WORDS = (
    *[
        "-",
        "--",
        "0",
        "-1",
        "1",
        "999999",
        "1e9",
        "nan",
        "inf",
        "x",
        "%s",
        "{0}",
        "'",
        "`",
        "$(true)",
        "../..",
        "/",
        "/dev/null",
        "/no/such/file",
        "~",
        "*",
        "emt",
        "chgnet",
        "chgnett",
    ],
    *[
        "python@localhost",
        "emt@localhost@x",
        "localhost",
        "@",
        "true",
        "None",
        "[1",
        "{a:b}",
        "float16",
        "modal=",
        "=mpa",
        "=",
        "a=b=c",
        "cuda:99",
    ],
    *["--help", "-x", "--no", "--profile", "--options", "--label", "--computer", "!!python/name:os.system"],
    *("", " ", "9" * 400, "é ü", "a\nb", "a\tb", "\x1b[31m", "{a: b}", "{a: [1}", "a" * 5000),
    "00000000-0000-0000-0000-000000000000",
)

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("env", "create", "emt", "--dry-run", "--python", "3.11", "--torch", "cpu"),
    ("env", "create", "emt", "--dry-run", "--computer", "localhost", "--label", "mine", "--root", "/tmp/x"),
    ("env", "list", "--all"),
    ("env", "remove", "emt", "--computer", "localhost"),
    ("env", "check", "emt", "--computer", "localhost", "--options", "{queue_name: gpu}"),
    ("model", "list", "--family", "emt"),
    ("model", "add", "chgnet", "0.3.0", "--dtype", "float32", "--setting", "a=b", "--label", "mine"),
    ("model", "add", "mace", "FILE", "--trust-pickle"),
    ("model", "show", "mine"),
    ("model", "verify", "chgnet", "--code", "chgnet@nowhere", "--device", "cpu", "--options", "{account: me}"),
    ("status", "12345", "--watch", "5"),
    ("run", "FILE", "--model", "emt", "--temperatures", "300", "--phase", "Cu:fcc", "--expect", "stable=yes"),
    ("run", "Cu:fcc:3.6", "-m", "emt", "--reference", "FILE", "--protocol", "fast", "--steps", "10"),
    ("launch", "sweep", "Cu:fcc", "-m", "emt", "-T", "300:400:50", "--overrides", "{parameters: {seed: 1}}"),
    ("launch", "map", "a=1", "b=2", "--code", "x"),
    ("launch", "benchmark", "Cu=Cu:fcc", "-m", "emt", "--reference-model", "emt"),
    ("doctor", "--json"),
    ("benchmark", "report", "12345", "--output", "FOLDER"),
    ("benchmark", "status", "12345"),
    ("reference", "import", "phonons", "FILE", "--structure", "FILE", "--supercell", "2", "2", "2", "--born", "FILE"),
    ("reference", "import", "trajectory", "FILE", "--format", "extxyz", "--start", "0", "--time-step", "1.0"),
    ("reference", "import", "trajectory", "FILE", "--structure", "FILE", "--force-unit", "Ry/bohr", "--stride", "2"),
    ("reference", "import", "values", "FILE", "--doi", "10.1/x", "--label", "x"),
    ("demo", "--folder", "FILE"),
    ("export", "12345", "--output", "FOLDER", "--title", "x", "--author", "A; B", "--metadata", "FILE", "--yes"),
    ("check", "FILE"),
)
TEXTS = (
    b"lattice: {a: 3.9}\nsource: x\n",
    b'1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1\nCu 0 0 0 0 0 0\n',
    b"x\n1.0\n3 0 0\n0 3 0\n0 0 3\nCu\n1\ndirect\n0 0 0\n",
    b"2\n2\n\n1\n0.01 0 0\n0 0 0\n0 0 0\n",
    b"",
)
NAMES = ("a.yaml", "a.extxyz", "POSCAR", "FORCE_SETS", "a.xml", "a.traj", "a.hdf5", "a.model", "a b.yaml", "é.json")


def try_command(rng: random.Random, folder: Path) -> str | None:
    """Call a command with a word or two, or a file, that make no sense; return the message, ``None`` without one."""
    words = list(rng.choice(COMMANDS))
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(1 if rng.random() < 0.9 else 0, len(words))
        change = rng.choice(("replace", "replace", "replace", "insert", "delete"))
        if change == "replace":
            words[place] = rng.choice(WORDS)
        elif change == "insert":
            words.insert(place, rng.choice(WORDS))
        elif len(words) > 2:
            del words[place]
    words = [
        _file(rng, folder) if word == "FILE" else str(folder / "out") if word == "FOLDER" else word for word in words
    ]
    words += _harmless(words)
    if words[:1] == ["demo"] and (len(words) < 3 or not words[2].startswith(str(folder))):
        return None  # it would begin
    result = CliRunner().invoke(main, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{words}: {type(result.exception).__name__}: {result.exception}") from result.exception
    assert "Traceback" not in result.output, result.output
    if result.exit_code == 0:
        return None
    errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    if result.output.strip() in ("", "Aborted!") or result.output.rstrip().endswith("Aborted!"):
        return "Aborted!"  # nobody was there to answer
    assert len(errors) == 1, result.output
    assert result.output.rstrip().splitlines()[-1] == errors[0], result.output
    return errors[0]


def _harmless(words: list[str]) -> list[str]:
    """Return options that keep a command from what takes minutes."""
    if words[:2] == ["env", "create"] and "--dry-run" not in words:
        return ["--dry-run"]
    if words[0] in ("run", "launch"):
        return ["--dry-run", *(["--no-estimate"] if words[0] == "run" else [])]
    return []


def _file(rng: random.Random, folder: Path) -> str:
    path = folder / rng.choice(NAMES)
    text = rng.choice(TEXTS)
    path.write_bytes(mutated_text(rng, text) if rng.random() < 0.7 else text)
    return str(path)
