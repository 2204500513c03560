"""Sphinx's settings for the site; `python -m docs.build` builds it."""

import flq_jax

project = "flq_jax"
author = "The flq_jax authors"
copyright = "2026, the flq_jax authors"
release = version = flq_jax.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "flq_jax.docs.site",
]
exclude_patterns = ["site"]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4

autodoc_mock_imports = ["flwr"]  # in an environment of its own, see .ci/flower
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 72
add_module_names = False
default_role = "literal"

html_theme = "furo"
html_title = "flq_jax"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
