"""Live reports for the gallery, from the nodes of the demonstration, where it ran in this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[1]
DEMO = ROOT / ".demo"
PAGE = "pbtio3.html"
UUIDS = """
from aiida import load_profile
from aiida.orm import QueryBuilder, WorkChainNode
load_profile()
found = QueryBuilder().append(
    WorkChainNode, filters={"process_type": "aiida.workflows:crucible.reliability", "attributes.exit_status": 0},
    project=["uuid", "extras.crucible_model", "ctime"],
).all()
newest = {model: uuid for uuid, model, _ in sorted(found, key=lambda row: row[2])}
print(" ".join(newest.values()))
"""


class Gallery(SphinxDirective):
    """A link to the live page, or how to get one."""

    def run(self) -> list[nodes.Node]:
        """Return one paragraph."""
        if not (Path(self.env.app.outdir) / "gallery" / PAGE).is_file():
            return [nodes.paragraph("", "Live pages stand here where `make docs` runs after `make demo`.")]
        link = nodes.reference("", "the page of the demonstration, live", refuri=f"gallery/{PAGE}")
        return [nodes.paragraph("", "", nodes.Text("Open "), link, nodes.Text("."))]


def write_pages(app) -> None:
    """Write the reports from the demonstration's profile, newest run of each model."""
    if not (DEMO / ".aiida" / "config.json").is_file():
        return
    environment = {**os.environ, "AIIDA_PATH": str(DEMO)}
    command = [sys.executable, "-c", UUIDS]
    uuids = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    if not uuids:
        return
    folder = Path(app.outdir) / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "aiida_crucible.cli", "report", *uuids, "--output", str(folder / PAGE)]
    subprocess.run(program, env=environment, check=True, stdout=subprocess.DEVNULL)


def setup(app) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("gallery", Gallery)
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
