"""The documentation site: `make docs` builds it, strictly, into build/docs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import site_pages

import xct

project = "xct"
author = "xct developers"
version = release = xct.__version__
copyright = "xct developers, BSD-3-Clause"

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# A name that cannot be found is an error. Types stand in the numpydoc sections, in words.
nitpicky = True
default_role = "name"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "xct"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
html_theme_options = {"navigation_with_keys": True}
exclude_patterns = ["_static"]


def setup(app):
    """Add the pages that are made from sources, and the role of names in docstrings."""
    site_pages.add_to(app)
