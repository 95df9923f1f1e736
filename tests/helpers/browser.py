"""A page in a headless Chromium: what it complains about, what sticks out, what is drawn.

Run as a program, since playwright's event loop and AiiDA's cannot be in one process: ``python browser.py PAGE FOLDER``
prints what it saw as JSON and leaves a PDF in the folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]  # fmt: skip
VIEWS = ((390, "light"), (1440, "light"), (1440, "dark"))
LONGEST = 240_000
"""Milliseconds that a page may take until its figures are drawn, beside other work."""
STICKS_OUT = """[...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, pre, svg, .skip'))
    .map(e => `${e.tagName}.${e.className}`)"""
FIGURES = "document.querySelectorAll('figure.chart').length"
DRAWN = """[...document.querySelectorAll('figure.chart')]
    .filter(e => e.classList.contains('is-live') && e.querySelector('.live').clientHeight > 50
                 && e.querySelector('.live svg, .live canvas')).length"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
HIDDEN = "[...document.querySelectorAll('.live')].every(e => getComputedStyle(e).display === 'none')"


def look_at(page: Path, folder: Path) -> dict[str, Any]:
    """Return what Chromium sees of a page, or skip where there is none."""
    if chromium() is None:
        pytest.skip("no Chromium is installed (Debian: apt install chromium)")
    command = [sys.executable, __file__, str(page), str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def chromium() -> str | None:
    """Return the path of Chromium; ``None`` where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def main(page: Path, folder: Path) -> None:
    """Open a page in each view, print it, and open it without scripts."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        found: dict[str, Any] = {f"{width}-{scheme}": _view(browser, page, width, scheme) for width, scheme in VIEWS}
        found["print"] = _printed(browser, page, folder)
        context = browser.new_context(java_script_enabled=False)
        bare = context.new_page()
        bare.goto(page.as_uri())
        found["pictures"] = bare.locator("figure.chart img:visible").count()
        browser.close()
    print(json.dumps(found))


def _opened(browser: Any, page: Path, width: int, scheme: str) -> tuple[Any, list[str]]:
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    opened.goto(page.as_uri())
    opened.wait_for_function("document.documentElement.dataset.drawn !== undefined", timeout=LONGEST)
    return opened, said


def _view(browser: Any, page: Path, width: int, scheme: str) -> dict[str, Any]:
    opened, said = _opened(browser, page, width, scheme)
    found = {
        "said": said,
        "width": opened.evaluate("document.documentElement.scrollWidth"),
        "sticks_out": opened.evaluate(STICKS_OUT),
        "figures": opened.evaluate(FIGURES),
        "drawn": opened.evaluate(DRAWN),
        "background": opened.evaluate(BACKGROUND),
    }
    boxes = opened.locator(".provenance a.calculation")
    if boxes.count():
        target = boxes.first.get_attribute("href").removeprefix("#")
        boxes.first.click()
        found["leads_to_line"] = opened.locator(f"[id='{target}']").is_visible()
    opened.close()
    return found


def _printed(browser: Any, page: Path, folder: Path) -> bool:
    """Write a PDF and return whether what is interactive is hidden in print."""
    opened, _ = _opened(browser, page, 1440, "light")
    opened.pdf(path=folder / "page.pdf", format="A4")
    opened.emulate_media(media="print")
    is_hidden = bool(opened.evaluate(HIDDEN))
    opened.close()
    return is_hidden


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
