"""Every relative link of the documentation leads to a file, and every anchor to a heading."""

from __future__ import annotations

import re

import pytest
from doc_blocks import ROOT

PATHS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [path for path in PATHS if not {"_build", "generated"} & set(path.relative_to(ROOT).parts)]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2", re.DOTALL | re.MULTILINE)
HERE = "https://github.com/aiida-crucible/aiida-crucible/"


def prose(path):
    """Return a page without its blocks and code."""
    return re.sub(r"`[^`\n]*`", "code", FENCED.sub("", path.read_text(encoding="utf-8")))


def slugs(path):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path):
    """Yield the links of a page that lead nowhere."""
    for link in LINK.findall(prose(path)):
        target = link
        if link.startswith(HERE):  # files and folders of the main branch
            target = re.sub(r"^(blob|tree)/main/", "/", link.removeprefix(HERE))
            target = str(ROOT) + target if target.startswith("/") else "#"
        if re.match(r"\w+:", target) or target == "#":
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name) if name else path
        if not place.exists() or (anchor and anchor not in slugs(place)):
            yield link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path):
    assert not list(broken(path))


def test_every_page_is_in_a_table_of_contents():
    docs = ROOT / "docs"
    trees = "\n".join(
        re.findall(r"^```\{toctree\}\n(.*?)^```", (docs / "index.md").read_text(), re.DOTALL | re.MULTILINE)
    )
    listed = {line.strip() for line in trees.splitlines()}
    found = {path.relative_to(docs).with_suffix("").as_posix() for path in PAGES if docs in path.parents}
    assert found - {"index"} <= listed, "left out of docs/index.md"


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A heading\n[](page.md#a-heading) [x](nowhere.md) [y](#no-heading) `[z](code)` <https://x.y>\n")
    assert list(broken(page)) == ["nowhere.md", "#no-heading"]
