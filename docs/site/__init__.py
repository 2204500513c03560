"""Parts of the site's build: see `extension`, which Sphinx is told of."""
