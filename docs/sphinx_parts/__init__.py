"""Parts of the site that Sphinx does not bring."""
