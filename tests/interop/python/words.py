"""A module of the bundle. The plugin returns its text, which proves that this module was loaded."""

WORD = b"from the bundle"
