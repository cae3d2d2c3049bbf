"""
How the documentation is built: ``sphinx-build -n -W -b html docs docs/_build``.

It needs no network: nothing here refers to other projects' inventories.
"""

from __future__ import annotations

from tierlog import __version__


project = "tierlog"
author = "The tierlog authors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"tierlog {release}"
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes belong to the class that is documented, and are no targets of their own
python_use_unqualified_type_names = True

# The standard library, type variables and internal modules have no target here;
# every other reference to a name of tierlog's must have one.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!tierlog\b).*"),
    (r"py:.*", r"tierlog\.context\.[PR]"),
    (r"py:mod", r"tierlog\.pipeline"),
    (r"py:.*", r"tierlog(?:\.\w+)*\._\w+.*"),
]
