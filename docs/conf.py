"""Sphinx: `make docs` builds the documentation. It needs no Django; what is generated from the code is in the pages."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "queuectl"
author = "The queuectl authors"
copyright = "the queuectl authors"  # noqa: A001 - Sphinx's name
version = re.search(r'__version__ = "(.+)"', (ROOT / "jobs/__init__.py").read_text(encoding="utf-8")).group(1)
release = version

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

myst_heading_anchors = 4  # the anchors that GitHub makes, so that links work in both places
myst_enable_extensions = ["deflist"]
smartquotes = False  # `--` in a table is an option, not a dash

html_theme = "furo"
html_title = f"queuectl {version}"
html_show_sphinx = False
html_copy_source = False
