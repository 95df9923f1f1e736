"""Configuration of the documentation."""

import os
import sys
import tempfile
from pathlib import Path

# The reference is generated from the process classes, which must not read (or make) the reader's own profiles.
os.environ["AIIDA_PATH"] = tempfile.mkdtemp(prefix="aiida-crucible-docs-")
sys.path.insert(0, str(Path(__file__).parent))

from aiida_crucible import __version__

project = "aiida-crucible"
copyright = "The aiida-crucible developers"  # noqa: A001
release = __version__

extensions = ["myst_parser", "sphinx_click", "generated_figures", "generated_gallery", "generated_reference"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
smartquotes = False  # `--output` in an example stays what it is
exclude_patterns = ["_build", "reference/generated", "topics/generated"]

html_theme = "furo"
html_title = f"aiida-crucible {release}"


def _keep_stars(_app, _context, lines):
    """Let a star in the examples of a command be a star, and not the beginning of an emphasis."""
    lines[:] = [line.replace("*", "\\*") for line in lines]


def setup(app):
    """Register what the command line's page needs."""
    app.connect("sphinx-click-process-epilog", _keep_stars)
