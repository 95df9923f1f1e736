"""The fenced blocks of a page of the documentation, and what a test has to know that the reader does not see.

A reader works through a page from its top to its end; so does :mod:`doc_runner`. A block of

- ``console`` or ``bash`` is run by bash, which stops at the first command that fails. In a block with prompts (``$ ``)
  only those lines are commands, and the others what they write;
- ``python`` is run in one interpreter a page;
- anything with a ``:caption:`` is a file of that name, which the reader writes;
- ``text`` is what the block before wrote (:func:`said`).

What the reader brings, and what cannot be had in a test, is told by HTML comments, which nobody sees who reads. On top
of the page::

    <!-- test: page cheap -->            where it runs: cheap (EMT alone), model (real ones), cluster (SLURM and sshd)
    <!-- test: page model long -->       the same, in the long tests alone
    <!-- test: in a clone -->            in a folder with what the checkout has, with a Python of its own
    <!-- test: with aiida-workgraph -->  where these packages of the group `examples` are installed
    <!-- test: set up emt chgnet -->     after `aiida-crucible setup` with these families

and before a block::

    <!-- test: file my.cif from Si:diamond:5.43 -->    a file of the reader's: a prototype of ASE …
    <!-- test: file my.cif from docs/a-page.md -->      … or the file of that name which another page has
    <!-- test: let PK = 12 -->                         a word of the reader's, here and in all blocks below
    <!-- test: let PK = newest crucible.relax -->      the same: the PK of the newest (or oldest) process of it
    <!-- test: let /scratch/me = given work -->        the same: a place that the test has (home, work, helpers …)
    <!-- test: run: verdi daemon stop -->              a command that the reader need not know of
    <!-- test: verdi shell -->                         the names that `verdi shell` gives are known from here on
    <!-- test: ends with 3 -->                         the exit status of the next block; 0 if not said
    <!-- test: any numbers -->                         the next text has other numbers in each run (PKs, seconds)
    <!-- test: not here: the reason -->                the next block is not run
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("cheap", "model", "cluster")
SHELLS = ("console", "bash")
RUN = (*SHELLS, "python", "text", "yaml", "toml")
"""Languages of blocks that a reader does something with."""

OF_PAGE = re.compile(
    r"page (?P<place>\w+)(?P<long> long)?|(?P<clone>in a clone)"
    r"|with (?P<packages>[\w -]+)|set up (?P<families>[\w ]+)"
)
OF_BLOCK = re.compile(
    r"file (?P<file>\S+) from (?P<source>.+)|let (?P<word>.+?) = (?P<value>.+)|run: (?P<command>.+)"
    r"|(?P<shell>verdi shell)|ends with (?P<status>\d+)|(?P<numbers>any numbers)|not here: (?P<reason>.+)",
    re.DOTALL,
)
PIECE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|:::+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)[ ]*$"
    r"|<!-- test: (?P<directive>.*?) ?-->",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    :param language: its language, empty if it names none.
    :param text: what is in it.
    :param line: the number of its first line in the page.
    :param caption: the name of the file that it is.
    :param reason: why it is not run, if it is not.
    :param status: the exit status that it ends with.
    :param any_numbers: whether the numbers of an output may be others.
    """

    language: str
    text: str
    line: int
    caption: str | None = None
    reason: str | None = None
    status: int = 0
    any_numbers: bool = False


@dataclass(frozen=True)
class Directive:
    """What the test does between two blocks: ``kind`` is the first word of the comment."""

    kind: str
    words: tuple[str, ...]
    line: int


@dataclass
class Page:
    """A page: where it runs, and what it consists of, in order."""

    path: Path
    place: str | None = None
    is_long: bool = False
    in_a_clone: bool = False
    packages: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    steps: list[Block | Directive] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its path in the checkout, without the suffix."""
        return self.path.relative_to(ROOT).with_suffix("").as_posix()

    @property
    def blocks(self) -> list[Block]:
        """Its blocks."""
        return [step for step in self.steps if isinstance(step, Block)]


def pages() -> list[Page]:
    """Return the pages of the documentation that have something to do for a reader."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    written = [path for path in paths if not {"generated", "_build"} & set(path.relative_to(ROOT).parts)]
    found = [read_page(path) for path in written]
    return [page for page in found if any(block.language in RUN for block in page.blocks)]


def read_page(path: Path) -> Page:
    """Return what a page consists of.

    :raises ValueError: if a comment says what is not in the vocabulary, or nothing follows it.
    """
    page, pending = Page(path), {}
    text = path.read_text(encoding="utf-8")
    for match in PIECE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        where = f"{path.name}:{line}"
        if match["directive"] is None:
            page.steps.append(_block(match, line, pending))
            pending = {}
        elif of_page := OF_PAGE.fullmatch(match["directive"]):
            if page.steps:
                raise ValueError(f"{where}: say that on top of the page")
            _describe(page, of_page, where)
        elif of_block := OF_BLOCK.fullmatch(match["directive"]):
            if said_of_next := _of_next(of_block):
                pending |= said_of_next
            else:
                page.steps.append(_directive(of_block, line))
        else:
            raise ValueError(f"{where}: the tests do not know {match['directive']!r}")
    if pending:
        raise ValueError(f"{path.name}: no block follows {pending}")
    return page


def _describe(page: Page, match: re.Match[str], where: str) -> None:
    if match["place"]:
        if match["place"] not in PLACES:
            raise ValueError(f"{where}: a page runs in one of {PLACES}")
        page.place, page.is_long = match["place"], match["long"] is not None
    page.in_a_clone |= match["clone"] is not None
    page.packages += tuple((match["packages"] or "").split())
    page.families += tuple((match["families"] or "").split())


def _of_next(match: re.Match[str]) -> dict[str, object]:
    """Return what a comment says of the block that follows it."""
    if match["status"]:
        return {"status": int(match["status"])}
    if match["numbers"]:
        return {"any_numbers": True}
    return {"reason": " ".join(match["reason"].split())} if match["reason"] else {}


def _directive(match: re.Match[str], line: int) -> Directive:
    for kind, names in {"file": ("file", "source"), "let": ("word", "value"), "run": ("command",)}.items():
        if match[names[0]]:
            return Directive(kind, tuple(match[name] for name in names), line)
    return Directive("shell", (), line)


def _block(match: re.Match[str], line: int, pending: dict[str, object]) -> Block:
    info = match["info"].strip()
    language = info.removeprefix("{code-block}").strip() if info.startswith("{code-block}") else info
    body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
    caption = re.match(r":caption: (\S+)\n\n?", body)
    return Block(language, body[caption.end() :] if caption else body, line, caption[1] if caption else None, **pending)


def commands_of(block: Block) -> tuple[str, str]:
    """Return the commands of a shell's block and, where it has prompts, what they are said to write."""
    lines = block.text.splitlines()
    if not any(line.startswith("$ ") for line in lines):
        return block.text, ""
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    return "\n".join(commands), "\n".join(line for line in lines if not line.startswith("$ "))


NUMBER = re.compile(r"[-+\u2212]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
DIFFERENCE = 0.02
"""Numbers that differ by less than this part of them, or by two of the last digit shown, are the same to a reader."""


def said(expected: str, written: str, *, any_numbers: bool = False) -> str | None:
    """Return the first line of a text that was not written, in this order; ``None`` if all were.

    Rules of tables and the width of their columns do not count; ``…`` stands for anything.
    """
    lines = iter(_lines(written))
    for line in _lines(expected):
        if line != "…" and not any(_same(line, other, any_numbers) for other in lines):
            return line
    return None


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("...", "…").splitlines():
        words = " ".join(line.split())
        if words.strip("-─━ |+"):
            yield words


def _same(expected: str, written: str, any_numbers: bool) -> bool:
    pattern = ".*".join(
        r"([-+\u2212]?\d[\d.]*(?:e[-+]?\d+)?)".join(re.escape(words) for words in NUMBER.split(part))
        for part in expected.split("…")
    )
    if not (match := re.fullmatch(pattern, written)):
        return False
    return any_numbers or all(map(_near, NUMBER.findall(expected.replace("…", " ")), match.groups()))


def _near(expected: str, written: str) -> bool:
    first, second = (float(number.replace("\u2212", "-").rstrip(".")) for number in (expected, written))
    mantissa, _, exponent = expected.partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    is_whole = "." not in expected and not exponent
    return abs(first - second) <= max(DIFFERENCE * abs(first), 0.0 if is_whole else 2 * last_digit)


def not_run() -> list[str]:
    """Return a line for each block that is not run: page, first line and reason."""
    return [
        f"{page.name}: {block.text.splitlines()[0]}: {block.reason}"
        for page in pages()
        for block in page.blocks
        if block.reason
    ]


if __name__ == "__main__":
    (ROOT / "tests" / "data" / "blocks_not_run.txt").write_text(
        "".join(f"{line}\n" for line in not_run()), encoding="utf-8"
    )
