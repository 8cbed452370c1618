"""The site of these pages: `make docs` builds it with Sphinx, without a network.

What is its own lies in `docs/sphinx_parts`: the navigation, pages of the repository's root, the reference of Python.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import raymm  # noqa: E402

project = "raymm"
version = release = raymm.__version__
html_title = "raymm"
root_doc = "index"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_parts.navigation",
    "sphinx_parts.root_pages",
    "sphinx_parts.filling",
    "sphinx_parts.notebooks",
]
exclude_patterns = ["results/**/reading.md"]  # fragments; the pages beside them hold their text

myst_heading_anchors = 4

html_theme = "furo"
html_static_path = ["sphinx_parts/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"

default_role = "code"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 90
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # shapes stand in the text
